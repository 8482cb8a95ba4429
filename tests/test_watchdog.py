"""The watchdog breaks the connection of a call that is late, and no other."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from token_monitor.watchdog import Guard, Watchdog, current_guard

FAR = 1e9


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    far.settimeout(5)
    with near, far:
        yield near, far


def works(near: socket.socket, far: socket.socket) -> bool:
    try:
        near.sendall(b"x")
        return far.recv(1) == b"x"
    except OSError:
        return False


def test_a_deadline_wakes_the_thread_that_waits_on_the_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    near, _ = pair
    begun = time.monotonic()
    with Watchdog().guard(0.1) as guard:
        guard.watch(near)
        assert near.recv(1) == b""
    assert guard.fired
    assert time.monotonic() - begun < 0.4


def test_a_call_that_ended_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    with Guard(FAR) as guard:
        guard.watch(pair[0])
    guard.fire()
    assert not guard.fired
    assert works(*pair)


def test_a_socket_that_went_back_to_the_pool_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    with Guard(FAR) as guard:
        guard.watch(pair[0])
        guard.release()
        guard.fire()
        assert guard.fired
        assert works(*pair)


def test_a_socket_reported_after_the_deadline_is_broken_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    with Guard(FAR) as guard:
        guard.fire()
        guard.watch(pair[0])
        assert not works(*pair)


def test_the_connection_is_broken_though_its_socket_object_lost_it(pair: tuple[socket.socket, socket.socket]) -> None:
    """As `SSLContext.wrap_socket` does before the handshake."""
    with Guard(FAR) as guard:
        guard.watch(pair[0])
        taken = socket.socket(fileno=pair[0].detach())
        guard.fire()
        with taken:
            assert not works(taken, pair[1])


def test_another_socket_under_the_same_number_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = socket.socketpair()
    with Guard(FAR) as guard:
        guard.watch(near)
        number = near.fileno()
        far.close()
        near.close()
        reused = os.dup2(pair[0].fileno(), number)
        guard.fire()
        os.close(reused)
        assert works(*pair)


def test_guards_fire_in_the_order_of_their_deadlines_whenever_they_were_made() -> None:
    watchdog = Watchdog()
    late, early = watchdog.guard(0.25), watchdog.guard(0.05)
    begun = time.monotonic()
    while not early.fired and time.monotonic() - begun < 2:
        threading.Event().wait(0.005)
    assert early.fired
    assert not late.fired


def test_each_thread_has_its_own_guard() -> None:
    seen: list[Guard] = []
    with Guard(FAR) as mine:

        def other() -> None:
            with Guard(FAR):
                seen.append(current_guard())

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert current_guard() is mine
        assert seen[0] is not mine
