"""When accounts are polled: real threads, sources that hang until they are let go, no sleeping."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from support.watching import CountingTelemetry, FakeClock, MemoryStore, ScriptedSource, make_watch, make_world
from token_monitor import scheduler as module
from token_monitor.clock import SteadyClock
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.ports import Clock
from token_monitor.monitor import AccountMonitor
from token_monitor.scheduler import Scheduler


class Gate:
    """A source step that hangs until it is opened, and counts who is inside."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._changed = threading.Condition()
        self.inside = 0
        self.most = 0

    def __call__(self) -> int:
        with self._changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()
        assert self._open.wait(30)
        with self._changed:
            self.inside -= 1
            self._changed.notify_all()
        return 50

    def open(self) -> None:
        self._open.set()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.inside == count, 10), self.inside


class Bench:
    def __init__(self) -> None:
        self.telemetry = CountingTelemetry()
        self.clock: Clock = SteadyClock()
        self.monitors: list[AccountMonitor] = []

    def account(self, name: str, *steps: object, host: str | None = None, **changes: object) -> None:
        source = ScriptedSource(*steps, host=host or f"{name}.test")
        world = make_world(self.clock, MemoryStore(), self.telemetry)
        self.monitors.append(AccountMonitor(make_watch(source, name, **changes), world, {}, 0))

    @contextmanager
    def running(self) -> Iterator[Scheduler]:
        scheduler = Scheduler(self.monitors, lambda: self.clock.now().steady)
        thread = threading.Thread(target=scheduler.run, daemon=True)
        thread.start()
        try:
            yield scheduler
        finally:
            scheduler.stop()
            thread.join(5)
            assert not thread.is_alive()


def polled(count: int, account: str = "one") -> Callable[[CountingTelemetry], bool]:
    return lambda telemetry: len(telemetry.outcomes(account)) >= count


def test_every_account_is_polled_at_the_start() -> None:
    bench = Bench()
    for number in range(50):
        bench.account(f"account {number}", 50)
    with bench.running():
        bench.telemetry.wait_for(lambda telemetry: len(telemetry.polls) == 50)
    assert {outcome for _, outcome in bench.telemetry.polls} == {"ok"}


def test_polls_are_start_to_start_within_a_tenth_of_the_interval() -> None:
    bench = Bench()
    clock = FakeClock()
    bench.clock = clock
    bench.account("one", 50, interval=300)
    gaps = []
    with bench.running() as scheduler:
        for count in range(1, 200):
            bench.telemetry.wait_for(polled(count))
            started = clock.steady
            gaps.append(due(scheduler, started) - started)
            clock.advance(gaps[-1])
            with scheduler._changed:
                scheduler._changed.notify_all()
    assert 270 <= min(gaps) < 275
    assert 325 < max(gaps) <= 330


def due(scheduler: Scheduler, started: float) -> float:
    """When the account is due next, once its poll has been put back into the schedule."""
    entry = scheduler._entries["one"]
    with scheduler._changed:
        assert scheduler._changed.wait_for(lambda: entry.task is None and entry.due > started, 10)
        return entry.due


def test_six_hanging_providers_delay_no_seventh() -> None:
    bench = Bench()
    gate = Gate()
    for number in range(6):
        bench.account(f"hanging {number}", gate)
    bench.account("one", 50, interval=0.05)
    with bench.running():
        gate.wait_for(6)
        bench.telemetry.wait_for(polled(5), timeout=3)
        gate.open()
        gate.wait_for(0)


def test_one_host_never_takes_more_than_its_share_and_others_pass_it() -> None:
    bench = Bench()
    gate = Gate()
    for number in range(module.PER_HOST + 5):
        bench.account(f"crowd {number}", gate, host="slow.test")
    bench.account("one", 50, host="fast.test", interval=0.05)
    with bench.running():
        gate.wait_for(module.PER_HOST)
        bench.telemetry.wait_for(polled(5), timeout=3)
        assert gate.most == module.PER_HOST
        gate.open()
        bench.telemetry.wait_for(lambda telemetry: len({name for name, _ in telemetry.polls}) == module.PER_HOST + 6)


def test_a_poll_past_its_deadline_is_a_timeout_and_the_next_is_busy_while_it_hangs() -> None:
    bench = Bench()
    gate = Gate()
    bench.account("one", gate, timeout=0.1, interval=0.5)
    with bench.running():
        bench.telemetry.wait_for(polled(2))
        assert bench.telemetry.outcomes("one")[:2] == ["timeout", "busy"]
        gate.open()
        bench.telemetry.wait_for(lambda telemetry: "ok" in telemetry.outcomes("one"))


def test_a_late_answer_changes_nothing() -> None:
    bench = Bench()
    gate = Gate()
    bench.account("one", gate, timeout=0.1, interval=300)
    with bench.running():
        bench.telemetry.wait_for(polled(1))
        gate.open()
        gate.wait_for(0)
    assert bench.telemetry.outcomes("one") == ["timeout"]
    assert bench.monitors[0].view().quantities[0].balance is None


def test_threads_that_hang_are_replaced_up_to_a_bound_then_polls_fail_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORKERS", 2)
    monkeypatch.setattr(module, "MAX_LOST", 2)
    bench = Bench()
    gate = Gate()
    for number in range(4):
        bench.account(f"hanging {number}", gate, timeout=0.05, interval=300)
    with bench.running() as scheduler:
        gate.wait_for(4)
        bench.telemetry.wait_for(lambda telemetry: len(telemetry.polls) == 4)
        assert scheduler.poll_now("hanging 0")
        bench.telemetry.wait_for(lambda telemetry: telemetry.outcomes("hanging 0") == ["timeout", "busy"])
        assert gate.most == 4
        gate.open()
        gate.wait_for(0)
        scheduler.poll_now("hanging 0")
        bench.telemetry.wait_for(lambda telemetry: telemetry.outcomes("hanging 0")[-1] == "ok")


def test_a_poll_asked_for_runs_at_once_and_one_under_way_serves() -> None:
    bench = Bench()
    gate = Gate()
    bench.account("one", 50, gate, 50, interval=300)
    with bench.running() as scheduler:
        bench.telemetry.wait_for(polled(1))
        assert scheduler.poll_now("one")
        gate.wait_for(1)
        assert scheduler.poll_now("one")
        assert scheduler.poll_now("one")
        gate.open()
        bench.telemetry.wait_for(polled(2))
        assert not scheduler.poll_now("nobody")
    assert len(bench.telemetry.polls) == 2


def test_one_accounts_exception_touches_no_other() -> None:
    bench = Bench()
    bench.account("broken", ZeroDivisionError("surprise"), interval=0.05)
    bench.account("one", 50, interval=0.05)
    with bench.running():
        bench.telemetry.wait_for(polled(10))
    assert bench.telemetry.outcomes("broken").count("internal") <= 4
    assert set(bench.telemetry.outcomes("one")) == {"ok"}


def test_a_fault_in_judging_backs_the_account_off_and_the_loop_lives() -> None:
    bench = Bench()
    bench.account("broken", 50, interval=0.05)
    bench.account("one", 50, interval=0.05)
    calls = []

    def settle(_poll: object) -> float:
        calls.append(1)
        raise RuntimeError("surprise")

    bench.monitors[0].settle = settle  # type: ignore[method-assign]
    with bench.running():
        bench.telemetry.wait_for(polled(10))
    assert len(calls) > 1


def test_retry_after_delays_the_next_poll() -> None:
    bench = Bench()
    bench.account("one", SourceError(Failure.RATE_LIMITED, "HTTP 429", 60), 50, interval=0.05)
    bench.account("two", 50, interval=0.05)
    with bench.running():
        bench.telemetry.wait_for(polled(10, "two"))
    assert bench.telemetry.outcomes("one") == ["rate_limited"]


def test_no_thread_is_left_when_polls_are_done() -> None:
    bench = Bench()
    bench.account("one", 50, interval=0.02)
    with bench.running():
        bench.telemetry.wait_for(polled(20))
        assert len([thread for thread in threading.enumerate() if thread.name.startswith("poll ")]) <= 2


def test_a_poll_asked_for_waits_while_the_provider_wants_to_be_left_alone() -> None:
    bench = Bench()
    bench.account("one", SourceError(Failure.RATE_LIMITED, "HTTP 429", 600), 50, interval=300)
    bench.account("two", 50, interval=0.05)
    with bench.running() as scheduler:
        bench.telemetry.wait_for(polled(1, "one"))
        due(scheduler, bench.clock.now().steady)
        assert scheduler.poll_now("one")
        bench.telemetry.wait_for(polled(5, "two"))
    assert bench.telemetry.outcomes("one") == ["rate_limited"]


def test_polls_asked_for_leave_nothing_behind_in_the_schedule() -> None:
    bench = Bench()
    bench.account("one", 50, interval=300)
    with bench.running() as scheduler:
        for count in range(1, 50):
            bench.telemetry.wait_for(polled(count))
            due(scheduler, 0.0)
            scheduler.poll_now("one")
        assert len(scheduler._heap) <= 2


def test_an_account_whose_settling_fails_counts_as_tried() -> None:
    bench = Bench()
    bench.account("one", 50, interval=300)

    def refuse(*_: object) -> None:
        raise RuntimeError("surprise")

    bench.monitors[0]._world.store.commit = refuse  # type: ignore[method-assign]
    with bench.running():
        bench.telemetry.wait_for(polled(1))
    assert bench.monitors[0].view().tried
    assert bench.telemetry.outcomes("one") == ["internal"]
