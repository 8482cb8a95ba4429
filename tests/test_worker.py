"""The loop that every worker of a channel runs in its thread."""

import threading
from collections.abc import Callable

import pytest

from support.clock import FakeClock
from token_monitor.config import scalars
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.worker import OVERDUE, Worker

SOON = 10.0


class Stepping(Worker):
    """`step` does what it is told to, and is counted."""

    def __init__(self, step: Callable[[], float | None] = lambda: None) -> None:
        self.clock = FakeClock()
        super().__init__("ops", self.clock)
        self._step = step
        self.stepped = threading.Semaphore(0)

    def step(self) -> float | None:
        self.stepped.release()
        return self._step()

    def ask(self, call: Callable[[], str]) -> str:
        return self._answer(call)


def fault() -> float:
    raise ZeroDivisionError


@pytest.mark.parametrize("step", [lambda: None, lambda: 25.0, fault], ids=["idle", "waiting", "failing"])
def test_a_worker_steps_whenever_it_is_woken_and_ends_when_it_is_told(step: Callable[[], float | None]) -> None:
    worker = Stepping(step)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    for _ in range(2):  # it begins awake
        assert worker.stepped.acquire(timeout=SOON)
    for _ in range(3):
        worker.wake()
        assert worker.stepped.acquire(timeout=SOON)
    assert not worker.stepped.acquire(timeout=0.05)
    worker.stop()
    thread.join(SOON)
    assert not thread.is_alive()


def test_an_attempt_is_overdue_only_while_it_lasts_much_longer_than_any_timeout() -> None:
    worker = Stepping()
    found = []

    def hanging() -> str:
        worker.clock.advance(1.5 * scalars.MAX_TIMEOUT)
        found.append(worker.overdue())
        worker.clock.advance(OVERDUE)
        found.append(worker.overdue())
        return "ok"

    assert worker.ask(hanging) == "ok"
    assert [*found, worker.overdue()] == [False, True, False]


def test_a_fault_of_a_channel_is_tried_again_and_may_have_delivered() -> None:
    with pytest.raises(ChannelError, match="internal error: ZeroDivisionError") as caught:
        Stepping().ask(lambda: str(1 / 0))
    assert (caught.value.scope, caught.value.ambiguous) == (Scope.RETRY, True)
