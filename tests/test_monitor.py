"""One step of one account, with a scripted provider and a clock that stands still."""

from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from support.watching import CountingTelemetry, FakeClock, MemoryStore, ScriptedSource, make_watch, make_world, reading
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.words import Kind, Level, Reason, State
from token_monitor.monitor import AccountMonitor

TIMEOUT = SourceError(Failure.TIMEOUT, "no answer within 10 s")
BROKEN = SourceError(Failure.NOT_JSON, "the answer is empty")
REJECTED = SourceError(Failure.REJECTED, "HTTP 401: the provider refuses the credential")


class Bench:
    """A monitor that can be restarted on the same store."""

    def __init__(self, *steps: object, **changes: object) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.telemetry = CountingTelemetry()
        self.woken: list[object] = []
        self.changes = changes
        self.source = ScriptedSource(*steps)
        self.restart()

    def restart(self) -> None:
        world = make_world(self.clock, self.store, self.telemetry, self.woken)  # type: ignore[arg-type]
        watch = make_watch(self.source, **self.changes)
        self.monitor = AccountMonitor(watch, world, self.store.subjects(), self.store.failures().get("facefusion", 0))

    def poll(self, *, scheduled: bool = True, after: float = 300.0) -> float:
        self.clock.advance(after)
        return self.monitor.settle(self.monitor.fetch(scheduled=scheduled))

    @property
    def told(self) -> list[tuple[Kind, State, Reason]]:
        return [(alert.kind, alert.state, alert.reason) for alert in self.store.alerts]


def test_a_balance_below_the_threshold_is_told_once_on_every_channel() -> None:
    bench = Bench(5)
    bench.poll()
    bench.poll()
    assert bench.told == [(Kind.ACCOUNT, State.LOW, Reason.FIRST)]
    message, channels = bench.store.messages[0]
    assert channels == ("stdout", "webhook")
    assert message.text.startswith("[WARNING] facefusion: 5 calls left")
    assert [set(each) for each in bench.woken] == [{"stdout", "webhook"}]


def test_a_restart_repeats_nothing_and_loses_no_cooldown() -> None:
    bench = Bench(5)
    bench.poll()
    for _ in range(5):
        bench.restart()
        bench.poll()
    assert len(bench.told) == 1
    bench.restart()
    bench.poll(after=1800)
    assert bench.told[1:] == [(Kind.ACCOUNT, State.LOW, Reason.REMINDER)]


def test_failures_below_the_maximum_are_tolerated_and_forgotten_by_a_success() -> None:
    bench = Bench(BROKEN, BROKEN, 50, BROKEN, BROKEN, 50)
    with capture_logs() as logs:
        for _ in range(6):
            bench.poll()
    assert bench.told == []
    assert not [line for line in logs if line["event"] == "Balance check failing, silent mode"]


def test_silent_mode_is_logged_once_at_error_then_quietly_and_its_end_is_logged() -> None:
    bench = Bench(*[BROKEN] * 6, 50)
    with capture_logs() as logs:
        for _ in range(7):
            bench.poll()
    loud = [(line["event"], line["log_level"]) for line in logs if line["log_level"] != "debug"]
    assert loud == [
        ("Balance check failed", "warning"),
        ("Balance check failed", "warning"),
        ("Balance check failing, silent mode", "error"),
        ("Balance check recovered", "info"),
    ]
    assert bench.told == []


def test_after_a_restart_in_silent_mode_the_log_line_is_repeated_and_the_alert_is_not() -> None:
    bench = Bench(BROKEN, notify_when_blind=True)
    for _ in range(3):
        bench.poll()
    bench.restart()
    with capture_logs() as logs:
        bench.poll()
        bench.poll()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["Balance check failing, silent mode"]
    assert bench.told == [(Kind.VISIBILITY, State.CRITICAL, Reason.FIRST)]


def test_with_notify_when_blind_there_is_one_alert_and_one_closing() -> None:
    bench = Bench(*[BROKEN] * 30, 50, notify_when_blind=True)
    for _ in range(31):
        bench.poll()
    assert bench.told == [
        (Kind.VISIBILITY, State.CRITICAL, Reason.FIRST),
        (Kind.VISIBILITY, State.OK, Reason.RECOVERED),
    ]
    assert bench.store.alerts[0].level is Level.ERROR


def test_failures_change_no_episode_and_a_low_balance_goes_on_where_it_was() -> None:
    bench = Bench(5, *[BROKEN] * 4, 5, 50)
    for _ in range(7):
        bench.poll()
    assert bench.told == [(Kind.ACCOUNT, State.LOW, Reason.FIRST), (Kind.ACCOUNT, State.OK, Reason.RECOVERED)]


def test_a_rejected_credential_is_its_own_alert_and_never_a_low_balance() -> None:
    bench = Bench(REJECTED, REJECTED, 50)
    for _ in range(3):
        bench.poll()
    assert bench.told == [
        (Kind.CREDENTIAL, State.CRITICAL, Reason.FIRST),
        (Kind.CREDENTIAL, State.OK, Reason.RECOVERED),
    ]
    assert bench.store.alerts[0].subject == "facefusion/credential"


def test_a_rejection_neither_counts_as_a_failure_nor_resets_the_count_nor_is_muted_by_silent_mode() -> None:
    bench = Bench(BROKEN, BROKEN, REJECTED, BROKEN, REJECTED)
    bench.poll()
    bench.poll()
    bench.poll()
    assert bench.monitor.view().failures == 2
    bench.poll()
    assert bench.monitor.view().silent
    bench.poll(after=1800)
    assert bench.told == [
        (Kind.CREDENTIAL, State.CRITICAL, Reason.FIRST),
        (Kind.CREDENTIAL, State.CRITICAL, Reason.REMINDER),
    ]


def test_a_402_is_exhausted_with_the_balance_unknown() -> None:
    bench = Bench(reading(None))
    bench.poll()
    assert bench.told == [(Kind.ACCOUNT, State.EXHAUSTED, Reason.FIRST)]
    measured = bench.store.alerts[0].measured
    assert measured is not None
    assert (measured.balance, measured.trigger) == (None, "status")


def test_a_failed_poll_outside_the_schedule_does_not_count() -> None:
    bench = Bench(BROKEN)
    for _ in range(5):
        bench.poll(scheduled=False)
    assert bench.monitor.view().failures == 0
    assert bench.monitor.view().tried


def test_a_percentage_without_a_limit_is_a_failed_poll_that_says_so() -> None:
    bench = Bench(5, rules={"balance": Rule(Bound(Decimal(15), percent=True))})
    bench.poll()
    [view] = bench.monitor.view().quantities
    assert bench.telemetry.polls == [("facefusion", "no_limit")]
    assert view.state is State.UNKNOWN
    assert "limit" in str(view.error)
    assert bench.monitor.view().failures == 1


def test_a_percentage_is_taken_of_the_limit_of_the_reading() -> None:
    bench = Bench(reading(14, limit=Decimal(100)), rules={"balance": Rule(Bound(Decimal(15), percent=True))})
    bench.poll()
    measured = bench.store.alerts[0].measured
    assert measured is not None
    assert (measured.threshold, measured.limit) == (15, 100)


def test_a_quantity_that_vanished_is_stale_and_never_zero() -> None:
    rules = {"cny": Rule(Bound(Decimal(10))), "usd": Rule(Bound(Decimal(10)))}
    both = [reading(50, "cny"), reading(50, "usd")]
    bench = Bench(both, [reading(50, "cny")], both, rules=rules)
    bench.poll()
    with capture_logs() as logs:
        bench.poll()
    usd = bench.monitor.view().quantities[1]
    assert (usd.state, usd.balance, usd.error) == (State.OK, 50, "missing from the latest answer")
    assert [line["quantity"] for line in logs if line["log_level"] == "warning"] == ["usd"]
    bench.poll()
    assert bench.monitor.view().quantities[1].error is None
    assert bench.told == []


def test_retry_after_stretches_the_schedule_and_is_capped_at_an_hour() -> None:
    bench = Bench(
        SourceError(Failure.RATE_LIMITED, "HTTP 429", 900.0), SourceError(Failure.RATE_LIMITED, "HTTP 429", 1e9), 50
    )
    assert [bench.poll(), bench.poll(), bench.poll()] == [900.0, 3600.0, 0.0]


def test_an_internal_exception_is_logged_with_its_cause_and_backs_the_account_off() -> None:
    bench = Bench(KeyError("surprise"), KeyError("surprise"), KeyError("surprise"), 50)
    with capture_logs() as logs:
        waits = [bench.poll() for _ in range(4)]
    assert waits == [600.0, 1200.0, 2400.0, 0.0]
    assert logs[0]["event"] == "Internal error"
    assert logs[0]["exc_info"]
    assert bench.telemetry.outcomes("facefusion") == ["internal"] * 3 + ["ok"]


def test_an_internal_exception_that_holds_the_credential_does_not_show_it() -> None:
    secret = Secret("canary-credential-4711")
    bench = Bench(RuntimeError("bad header canary-credential-4711"), resolve=lambda: secret)
    bench.poll()
    assert "canary" not in str(bench.monitor.view())


def test_a_credential_that_cannot_be_read_is_a_failed_poll_with_its_reason() -> None:
    def unreadable() -> Secret:
        raise ValueError("/run/secrets/t cannot be read: Permission denied")

    bench = Bench(50, resolve=unreadable)
    bench.poll()
    [view] = bench.monitor.view().quantities
    assert view.error == "the credential /run/secrets/t cannot be read: Permission denied"
    assert bench.source.asked == []


def test_jumps_of_the_wall_clock_neither_flood_nor_mute() -> None:
    from datetime import timedelta

    bench = Bench(5)
    for step in range(24):
        bench.clock.wall += timedelta(days=1 if step % 2 else -1)
        bench.poll(after=150)
    assert [reason for _, _, reason in bench.told] == [Reason.FIRST, Reason.REMINDER]


def test_the_state_is_stored_before_any_channel_is_woken() -> None:
    bench = Bench(5)
    stored_when_woken: list[int] = []
    watch = make_watch(bench.source)
    world = make_world(bench.clock, bench.store, bench.telemetry)
    from attrs import evolve

    world = evolve(world, wake=lambda _channels: stored_when_woken.append(len(bench.store.messages)))
    monitor = AccountMonitor(watch, world, {}, 0)
    bench.clock.advance(1)
    monitor.settle(monitor.fetch(scheduled=True))
    assert stored_when_woken == [1]


def test_channels_are_woken_when_something_else_stands_be_it_announced_or_not_and_else_let_sleep() -> None:
    bench = Bench(100, 90, 5, 4, 100, 5, 4, 2, 8, 100, 90)
    counts = []
    while len(counts) < 11:
        bench.poll(after=1)
        counts.append(len(bench.woken))
    assert counts == [0, 0, 1, 1, 2, 3, 3, 4, 5, 6, 6]
    assert [state for _, state, _ in bench.told] == [State.LOW, State.OK, State.CRITICAL, State.OK]


def test_a_store_that_fails_leaves_the_memory_as_it_was() -> None:
    bench = Bench(5)

    def refuse(*_: object) -> None:
        raise RuntimeError("no")

    bench.store.commit = refuse  # type: ignore[method-assign]
    bench.clock.advance(1)
    with pytest.raises(RuntimeError):
        bench.monitor.settle(bench.monitor.fetch(scheduled=True))
    del bench.store.commit
    bench.poll()
    assert bench.told == [(Kind.ACCOUNT, State.LOW, Reason.FIRST)]
