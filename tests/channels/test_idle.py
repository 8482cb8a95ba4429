"""An idle connection is closed, one in use is not."""

import threading
import time

from token_monitor.channels.idle import IdleTimer


def test_what_is_not_used_any_more_is_retired_once():
    retired = threading.Semaphore(0)
    idle = IdleTimer(0.05, retired.release)
    for _ in range(3):
        with idle.use():
            pass
    assert retired.acquire(timeout=10)
    assert not retired.acquire(timeout=0.2)


def test_what_is_in_use_is_left_alone_however_long_it_takes():
    happened: list[str] = []
    retired = threading.Event()

    def retire() -> None:
        happened.append("retired")
        retired.set()

    idle = IdleTimer(0.05, retire)
    with idle.use():
        pass
    with idle.use():
        time.sleep(0.3)
        happened.append("used")
    assert retired.wait(10)
    assert happened == ["used", "retired"]


def test_it_holds_one_thread_at_most_and_none_when_retired():
    retired = threading.Semaphore(0)
    idle = IdleTimer(0.05, retired.release)
    before = threading.active_count()
    for _ in range(50):
        with idle.use():
            pass
    assert threading.active_count() <= before + 1
    assert retired.acquire(timeout=10)
    with idle.use():
        pass
    assert retired.acquire(timeout=10)
