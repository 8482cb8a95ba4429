"""Where people read: grouping, and what becomes of a group that fails (rules O1, O2)."""

import pytest

from support.delivering import Crash, DeliveryBench, ScriptedChannel, ScriptedGroupChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.words import Reason, State
from token_monitor.delivery import GATHER, PROBE_EVERY, WRONG_AFTER

PACE = Pace(20, 60.0)
ROOM = 2000
DOWN = ChannelError(Scope.RETRY, "no connection: Connection refused")
WRONG = ChannelError(Scope.CHANNEL, "HTTP 403")


def lines(bench: DeliveryBench) -> list[list[str]]:
    """The texts of each message that was sent; a text here is the id of its alert."""
    return [message.text.split("\n") for message in bench.channel.messages]


def test_alerts_of_many_subjects_within_seconds_are_one_message() -> None:
    bench = DeliveryBench(pace=PACE, room=ROOM)
    for name in "abc":
        bench.raise_alert(name)
        bench.clock.advance(0.5)
    bench.run(GATHER)
    assert lines(bench) == [[alert.id for alert in bench.raised]]
    assert bench.pending == 0


def test_a_single_alert_keeps_its_own_id_and_waits_no_longer_than_the_gathering() -> None:
    bench = DeliveryBench(pace=PACE, room=ROOM)
    alert = bench.raise_alert("a")
    bench.run(GATHER)
    assert [message.id for message in bench.channel.messages] == [alert.id]


def test_a_machine_gets_each_alert_alone_and_at_its_pace() -> None:
    bench = DeliveryBench(pace=Pace(2, 60.0))
    for name in "abc":
        bench.raise_alert(name)
    bench.run()
    assert lines(bench) == [[alert.id] for alert in bench.raised[:2]]
    bench.run(60)
    assert lines(bench) == [[alert.id] for alert in bench.raised]


def test_without_a_pace_people_get_one_message_all_the_same() -> None:
    bench = DeliveryBench(room=ROOM)
    for name in "abc":
        bench.raise_alert(name)
    bench.run()
    assert lines(bench) == []
    bench.run(GATHER)
    assert lines(bench) == [[alert.id for alert in bench.raised]]


def test_a_group_has_as_many_alerts_as_fit_and_the_rest_go_as_the_next() -> None:
    bench = DeliveryBench(pace=PACE, room=3 * len("a-episode-0-1") + 2)
    for name in "abcdefgh":
        bench.raise_alert(name)
    bench.run(60)
    assert [len(message) for message in lines(bench)] == [3, 3, 2]
    assert [line for message in lines(bench) for line in message] == [alert.id for alert in bench.raised]


def test_an_alert_that_does_not_fit_goes_alone_under_its_own_id() -> None:
    bench = DeliveryBench(pace=PACE, room=20)
    bench.raise_alert("a" * 40)
    bench.raise_alert("b")
    bench.run(60)
    assert [message.id for message in bench.channel.messages] == [alert.id for alert in bench.raised]


def test_an_alert_that_cannot_even_be_measured_holds_up_no_other() -> None:
    class Faulty(ScriptedGroupChannel):
        def fits(self, message: Message) -> bool:
            if "odd" in message.text:
                raise ZeroDivisionError
            return super().fits(message)

    bench = DeliveryBench()
    bench.channel = Faulty(lambda _message: None)
    bench.restart()
    for name in ("a", "b", "odd", "c", "d"):
        bench.raise_alert(name)
    bench.run(GATHER)
    assert lines(bench) == [
        [alert.id for alert in some] for some in (bench.raised[:2], bench.raised[2:3], bench.raised[3:])
    ]


@pytest.mark.parametrize("room", [20, None], ids=["less room", "a machine"])
def test_a_group_that_the_channel_no_longer_takes_after_a_restart_is_dissolved(room: int | None) -> None:
    bench = DeliveryBench(lambda _message: DOWN, pace=PACE, room=ROOM)
    for name in "abc":
        bench.raise_alert(name)
    bench.run(GATHER)
    assert [message.group is None for message in bench.channel.messages] == [False]
    if room is None:
        bench.channel = ScriptedChannel(lambda _message: None, PACE)
    else:
        bench.channel = ScriptedGroupChannel(lambda _message: None, PACE, room)
    bench.restart()
    bench.run(60)
    assert [message.id for message in bench.channel.messages] == [alert.id for alert in bench.raised]
    assert bench.pending == 0


def test_a_group_carries_its_gravest_alert() -> None:
    bench = DeliveryBench(pace=PACE, room=ROOM)
    bench.raise_alert("a")
    worst = bench.raise_alert("b", state=State.EXHAUSTED)
    bench.raise_alert("c")
    bench.run(GATHER)
    assert bench.channel.messages[0].alert == worst


def test_what_was_attempted_together_stays_together_with_one_id_through_retries_and_restarts() -> None:
    down = True
    bench = DeliveryBench(lambda _message: DOWN if down else None, pace=PACE, room=ROOM)
    bench.raise_alert("a")
    bench.raise_alert("b")
    bench.run(GATHER)
    later = bench.raise_alert("c")
    bench.restart()
    bench.run(30)
    down = False
    bench.run(60)
    groups = [message for message in bench.channel.messages if message.group]
    assert len(groups) > 1
    assert len({(message.id, message.text) for message in groups}) == 1
    assert [later.id] in lines(bench)
    assert bench.pending == 0


def test_a_crash_in_the_middle_of_a_group_sends_the_same_group_again() -> None:
    crashes = [Crash()]
    bench = DeliveryBench(lambda _message: crashes.pop() if crashes else None, pace=PACE, room=ROOM)
    bench.raise_alert("a")
    bench.raise_alert("b")
    with pytest.raises(Crash):
        bench.run(GATHER)
    bench.restart()
    bench.run(5)
    first, second = bench.channel.messages
    assert (first.id, first.text) == (second.id, second.text)
    assert bench.pending == 0


def test_a_refused_group_is_dissolved_and_only_the_culprit_dies() -> None:
    def answer(message: Message) -> ChannelError | None:
        return ChannelError(Scope.MESSAGE, "HTTP 400") if "poison" in message.text else None

    bench = DeliveryBench(answer, pace=PACE, room=ROOM)
    for name in ("a", "poison", "b"):
        bench.raise_alert(name)
    bench.run(GATHER + 5)
    assert [alert.account for alert in bench.channel.arrived] == ["a", "b"]
    assert (bench.pending, bench.dead) == (0, 1)


def test_a_group_that_keeps_failing_is_dissolved_and_only_the_culprit_is_given_up() -> None:
    def answer(message: Message) -> ChannelError | None:
        return DOWN if "poison" in message.text else None

    bench = DeliveryBench(answer, pace=PACE, room=ROOM)
    for name in ("a", "poison", "b"):
        bench.raise_alert(name)
    for number in range(60):
        bench.run(60)
        bench.raise_alert(f"other {number}")
    bench.run(3600)
    assert {"a", "b"} <= {alert.account for alert in bench.channel.arrived}
    assert (bench.pending, bench.dead) == (0, 1)


@pytest.mark.parametrize(
    ("error", "within"),
    [(WRONG, 0), (DOWN, 1.2 * (1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 60))],
    ids=["refused", "retried"],
)
def test_an_alert_that_alone_fails_delays_the_others_of_its_group_though_nothing_else_passes(
    error: ChannelError, within: float
) -> None:
    bench = DeliveryBench(lambda message: error if "poison" in message.text else None, pace=PACE, room=ROOM)
    for name in ("a", "poison", "b"):
        bench.raise_alert(name)
    bench.run(GATHER + within)
    assert [alert.account for alert in bench.channel.arrived] == ["a", "b"]
    assert (bench.pending, bench.dead) == (1, 0)


def test_a_channel_that_is_wrong_costs_a_group_no_alert_and_one_attempt_beside_those_of_single_alerts() -> None:
    bench = DeliveryBench(lambda _message: WRONG, room=ROOM)
    for number in range(100):
        bench.raise_alert(f"a{number}")
    bench.run(GATHER + 1)
    assert [message.alerts for message in bench.channel.messages] == [100] + [1] * WRONG_AFTER
    bench.run(PROBE_EVERY)
    assert len(bench.channel.messages) == 1 + WRONG_AFTER + 1
    bench.channel.answer = lambda _message: None
    bench.run(PROBE_EVERY)
    assert {alert.id for alert in bench.channel.arrived} == {alert.id for alert in bench.raised}
    assert (bench.pending, bench.dead) == (0, 0)


def test_the_order_of_a_subject_holds_within_and_across_groups() -> None:
    bench = DeliveryBench(pace=PACE, room=200)
    for number in range(15):
        bench.raise_alert("a", Reason.ESCALATED)
        bench.raise_alert(f"other {number}")
    bench.run(60)
    assert len(lines(bench)) > 1
    sent = [line for message in lines(bench) for line in message]
    of_a = [alert.id for alert in bench.raised if alert.account == "a"]
    assert [line for line in sent if line in of_a] == of_a


def test_the_pace_holds_over_any_window() -> None:
    bench = DeliveryBench(pace=Pace(2, 60.0))
    times = []
    for number in range(10):
        bench.raise_alert(f"a{number}")
        before = len(bench.channel.messages)
        bench.run(7)
        times += [bench.clock.steady] * (len(bench.channel.messages) - before)
    bench.run(300)
    assert all(later - earlier >= 53 for earlier, later in zip(times, times[2:], strict=False))
    assert bench.pending == 0


def test_failed_attempts_count_towards_the_pace() -> None:
    bench = DeliveryBench(lambda _message: DOWN, pace=Pace(2, 60.0))
    bench.raise_alert("a")
    bench.run(50)
    assert len(bench.channel.attempts) == 2


@pytest.mark.parametrize("verdict", [None, DOWN], ids=["sent", "failed"])
def test_the_pace_holds_across_a_restart(verdict: ChannelError | None) -> None:
    bench = DeliveryBench(lambda _message: verdict, pace=Pace(2, 60.0))
    for name in "ab":
        bench.raise_alert(name)
    bench.run(GATHER)
    bench.restart()
    bench.raise_alert("c")
    bench.run(50)
    assert len(bench.channel.attempts) == 2
    bench.run(60)
    assert len(bench.channel.attempts) > 2
