"""The worker of a receiver of states, with a scripted receiver and a clock that stands still (rule O9)."""

import threading

import pytest
from attrs import evolve

from support.messages import low
from support.standing import ScriptedLevelChannel, StandingBench, Synced
from support.watching import FakeClock
from token_monitor.core.errors import ChannelError, Failure, Scope, SourceError
from token_monitor.core.judge import Subject, SubjectState, observe
from token_monitor.core.message import Message
from token_monitor.core.secret import Secret
from token_monitor.core.words import EVERY, Kind, Reason, State
from token_monitor.level import LevelWorker
from token_monitor.worker import OVERDUE

LOW = ("a", "warning")
CRITICAL = ("a", "critical")
REJECTED = SourceError(Failure.REJECTED, "HTTP 401: the provider refuses the credential")


def down(scope: Scope = Scope.RETRY, **how: object) -> ChannelError:
    return ChannelError(scope, "am: connection refused", **how)  # type: ignore[arg-type]


def last(bench: StandingBench) -> Synced:
    return bench.channel.calls[-1]


def test_what_stands_is_told_on_waking_and_every_minute_and_no_oftener() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    assert bench.worker.step() == 60
    assert last(bench) == Synced([LOW], [])
    bench.advance(59)
    assert bench.worker.step() == 1
    assert len(bench.channel.calls) == 1
    bench.advance(1)
    assert bench.worker.step() == 60
    bench.sync()
    assert bench.channel.calls == [Synced([LOW], [])] * 3


def test_a_receiver_is_asked_even_while_nothing_stands() -> None:
    bench = StandingBench()
    bench.poll("a", 100)
    bench.worker.step()
    assert bench.channel.calls == [Synced([], [])]


def test_a_change_of_severity_ends_the_old_and_begins_the_new() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.sync()
    bench.poll("a", 2)
    bench.sync()
    assert last(bench) == Synced([CRITICAL], [LOW])
    bench.poll("a", 8)
    bench.sync()
    assert last(bench) == Synced([LOW], [CRITICAL])


def test_a_rejected_credential_and_the_want_of_any_end_each_for_itself() -> None:
    rejected = evolve(low().alert, kind=Kind.CREDENTIAL, subject="a/credential", state=State.CRITICAL, measured=None)
    none_healthy = evolve(rejected, state=State.EXHAUSTED, label=EVERY)
    standing = [Message(rejected, "rejected"), Message(none_healthy, "none healthy")]
    bench = StandingBench()
    worker = LevelWorker("am", bench.channel, lambda: standing, bench.telemetry, bench.clock)
    worker.step()
    standing.pop()
    worker.wake()
    worker.step()
    firing, resolved = bench.channel.messages[-1]
    assert [message.text for message in firing] == ["rejected"]
    assert [message.text for message in resolved] == ["none healthy"]


def test_states_of_one_severity_are_one_alert() -> None:
    bench = StandingBench()
    for balance in (2, 0, -1):
        bench.poll("a", balance)
        bench.sync()
    assert bench.channel.calls == [Synced([CRITICAL], [])] * 3


def test_a_recovery_ends_what_stood_at_the_moment_it_was_seen() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.sync()
    began = bench.channel.messages[-1][0][0].alert.at
    bench.poll("a", 100)
    bench.advance(10)
    bench.sync()
    assert last(bench) == Synced([], [LOW])
    ended = bench.channel.messages[-1][1][0].alert.at
    assert (ended - began).total_seconds() == 11
    bench.advance(60)
    bench.sync()
    assert bench.channel.messages[-1][1][0].alert.at == ended


def test_an_end_is_repeated_for_five_minutes_and_then_forgotten() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.sync()
    bench.poll("a", 100)
    for _ in range(8):
        bench.sync()
        bench.advance(60)
    assert [len(call.resolved) for call in bench.channel.calls[1:]] == [1] * 6 + [0] * 2


def test_what_fires_again_is_no_longer_told_as_ended() -> None:
    bench = StandingBench()
    bench.poll("a", 5, cooldown=0.0)
    bench.sync()
    bench.poll("a", 100)
    bench.sync()
    bench.poll("a", 5)
    bench.sync()
    assert bench.channel.calls == [Synced([LOW], []), Synced([], [LOW]), Synced([LOW], [])]


def test_the_end_that_a_failed_attempt_did_not_bring_is_told_by_the_next() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.sync()
    bench.poll("a", 100)
    bench.channel.answer = down
    for _ in range(20):
        bench.advance(60)
        bench.worker.step()
    bench.channel.answer = lambda: None
    bench.advance(120)
    bench.sync()
    assert last(bench) == Synced([], [LOW])
    bench.sync()
    assert last(bench) == Synced([], [])


def test_what_only_a_failed_attempt_may_have_brought_is_ended_too() -> None:
    bench = StandingBench()
    bench.channel.answer = lambda: down(ambiguous=True)
    bench.poll("a", 5)
    bench.sync()
    bench.poll("a", 100)
    bench.channel.answer = lambda: None
    bench.advance(10)
    bench.sync()
    assert last(bench) == Synced([], [LOW])


def test_a_receiver_that_is_down_is_asked_after_one_second_then_twice_as_long_up_to_a_minute() -> None:
    bench = StandingBench()
    bench.channel.answer = down
    waits = []
    for _ in range(10):
        waits.append(bench.worker.step())
        bench.advance(waits[-1])
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert all(0.8 * most <= wait <= 1.2 * most for wait, most in zip(waits, expected, strict=True))
    bench.channel.answer = lambda: None
    bench.worker.step()
    bench.channel.answer = down
    assert bench.sync() <= 1.2


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (down(Scope.CHANNEL), 60),
        (down(Scope.MESSAGE), 60),
        (down(retry_after=7.0), 7),
        (down(Scope.CHANNEL, retry_after=900.0), 150),
        (down(retry_after=0.0), 1),
    ],
)
def test_how_long_a_refusal_is_waited_for_depends_on_what_it_says(error: ChannelError, wait: float) -> None:
    bench = StandingBench()
    bench.channel.answer = lambda: error
    assert bench.worker.step() == wait
    assert bench.sync() == wait
    assert len(bench.channel.calls) == 1
    bench.advance(wait)
    bench.worker.step()
    assert len(bench.channel.calls) == 2


def test_the_backlog_is_one_until_the_receiver_knows_what_stands() -> None:
    bench = StandingBench()
    seen = []

    def answer() -> None:
        seen.append(bench.worker.backlog().pending)

    bench.channel.answer = answer
    assert (bench.worker.backlog().pending, bench.worker.backlog().last_error) == (1, None)
    bench.worker.step()
    assert bench.worker.backlog().pending == 0
    bench.worker.wake()
    assert bench.worker.backlog().pending == 1
    bench.channel.answer = down
    bench.worker.step()
    assert (bench.worker.backlog().pending, bench.worker.backlog().last_error) == (1, "am: connection refused")
    bench.channel.answer = answer
    bench.advance(2)
    bench.worker.step()
    assert (bench.worker.backlog().pending, bench.worker.backlog().last_error) == (0, None)
    assert seen == [1, 1]
    assert bench.telemetry.outcomes_told == ["sent", "retry", "sent"]


def test_what_changes_during_an_attempt_is_told_by_the_next_one_at_once() -> None:
    bench = StandingBench()
    bench.poll("a", 5)

    def change() -> None:
        bench.channel.answer = lambda: None
        bench.poll("a", 2)
        bench.worker.wake()

    bench.channel.answer = change
    bench.worker.step()
    assert bench.worker.backlog().pending == 1
    bench.worker.step()
    assert bench.channel.calls == [Synced([LOW], []), Synced([CRITICAL], [LOW])]


def test_several_accounts_and_subjects_of_one_account_stand_side_by_side() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.poll("b", 2)
    bench.poll("a", REJECTED)
    bench.sync()
    assert sorted(last(bench).firing) == [CRITICAL, LOW, ("b", "critical")]
    bench.poll("b", 100)
    bench.sync()
    assert sorted(last(bench).firing) == [CRITICAL, LOW]
    assert last(bench).resolved == [("b", "critical")]


def test_after_a_restart_the_stored_episodes_fire_before_any_poll_and_the_first_poll_ends_them() -> None:
    bench = StandingBench()
    bench.poll("a", 5)
    bench.sync()
    bench.restart()
    bench.sync()
    assert last(bench) == Synced([LOW], [])
    assert bench.channel.messages[0][0][0] == bench.channel.messages[1][0][0]
    bench.poll("a", 100)
    bench.sync()
    assert last(bench) == Synced([], [LOW])


def test_a_fall_that_the_cooldown_keeps_from_being_announced_stands_and_ends_as_any_other() -> None:
    bench = StandingBench()
    for balance in (5, 100, 5):
        bench.poll("a", balance)
        bench.sync()
    assert [alert.reason for alert in bench.store.alerts] == [Reason.FIRST, Reason.RECOVERED]
    assert last(bench) == Synced([LOW], [])
    bench.restart()
    bench.sync()
    assert last(bench) == Synced([LOW], [])
    bench.poll("a", 2)
    bench.sync()
    assert last(bench) == Synced([CRITICAL], [LOW])
    bench.poll("a", 5)
    bench.poll("a", 100)
    bench.poll("a", 2)
    bench.poll("a", 100)
    bench.sync()
    assert sorted(last(bench).resolved) == [CRITICAL, LOW]
    assert last(bench).firing == []


def test_a_credential_rejected_again_within_the_cooldown_stands_too() -> None:
    bench = StandingBench()
    for answer in (REJECTED, 100, REJECTED):
        bench.poll("a", answer)
    bench.sync()
    assert last(bench) == Synced([CRITICAL], [])


def test_an_account_that_cannot_be_seen_stands_only_while_that_is_wanted() -> None:
    blind = SourceError(Failure.NOT_JSON, "the answer is empty")
    bench = StandingBench()
    bench.poll("a", blind, max_failures=1)
    bench.sync()
    assert last(bench) == Synced([], [])
    bench.poll("b", blind, max_failures=1, notify_when_blind=True)
    bench.sync()
    assert last(bench) == Synced([("b", "error")], [])
    bench.restart()
    bench.poll("b", blind)
    bench.sync()
    assert last(bench) == Synced([], [])


def test_the_want_of_a_healthy_credential_ends_with_the_last_spare_in_the_settings() -> None:
    bench = StandingBench()
    everyone = Subject(Kind.CREDENTIAL, "a", label=EVERY)
    bench.store.states[everyone], _ = observe(everyone, SubjectState(), State.EXHAUSTED, bench.clock.now(), 0.0)
    bench.poll("a", 100, spares={"spare1": lambda: Secret("another")})
    bench.sync()
    assert last(bench) == Synced([CRITICAL], [])
    bench.restart()
    bench.sync()
    assert last(bench) == Synced([], [])
    assert bench.monitors["a"].view().credential is State.OK


def test_a_fault_of_ours_is_a_failed_attempt_and_not_the_end() -> None:
    bench = StandingBench()
    bench.channel.answer = lambda: KeyError("surprise")
    assert bench.worker.step() <= 1.2
    assert bench.worker.backlog().last_error == "internal error: KeyError('surprise')"
    assert bench.telemetry.outcomes_told == ["retry"]


def test_an_attempt_that_outlives_any_deadline_is_overdue() -> None:
    bench = StandingBench()
    seen = []

    def hang() -> None:
        bench.advance(OVERDUE - 1)
        seen.append(bench.worker.overdue())
        bench.advance(2)
        seen.append(bench.worker.overdue())

    bench.channel.answer = hang
    bench.worker.step()
    assert [*seen, bench.worker.overdue()] == [False, True, False]


def test_the_thread_synchronises_when_woken_survives_faults_and_ends_when_told() -> None:
    told = threading.Semaphore(0)
    channel = ScriptedLevelChannel(told.release)
    faults = [RuntimeError("no")]

    def standing() -> list[object]:
        if faults:
            raise faults.pop()
        return []

    bench = StandingBench()
    worker = LevelWorker("am", channel, standing, bench.telemetry, FakeClock())  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.run)
    thread.start()
    for _ in range(3):
        worker.wake()
        assert told.acquire(timeout=10)
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()
