"""What quiet hours hold back, what passes, and the digest at their end (rule O7)."""

import pytest

from support.delivering import CHANNEL, Crash, DeliveryBench, ScriptedGroupChannel
from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.words import Reason, State
from token_monitor.delivery import GATHER

ROOM = 2000
DOWN = ChannelError(Scope.RETRY, "no connection: Connection refused")


def night(bench: DeliveryBench | None = None) -> DeliveryBench:
    """At 23:00; quiet hours are from 22:00 to 08:00 UTC."""
    bench = bench or DeliveryBench(room=ROOM)
    bench.keep_quiet()
    return bench


def lines(bench: DeliveryBench) -> list[list[str]]:
    """Of each message that was sent; the text of an alert is its id here."""
    return [message.text.split("\n") for message in bench.channel.messages]


def held(bench: DeliveryBench, *names: str) -> list[str]:
    """Raise an alert for each an hour apart; their texts."""
    alerts: list[Alert] = []
    for name in names:
        alerts.append(bench.raise_alert(name))
        bench.run(3600)
    assert bench.channel.messages == []
    return [alert.id for alert in alerts]


def test_nothing_but_the_critical_passes_and_the_end_brings_one_digest_with_a_heading() -> None:
    bench = night()
    texts = held(bench, "a", "b", "c")
    bench.advance_to(8)
    bench.run()
    heading = "Held back during quiet hours (2026-04-05 23:00 to 2026-04-06 01:00 UTC):"
    assert lines(bench) == [[heading, *texts]]
    assert bench.pending == 0


def test_a_single_alert_that_was_held_has_the_heading_too() -> None:
    bench = night()
    texts = held(bench, "a")
    bench.advance_to(8)
    bench.run()
    assert lines(bench) == [["Held back during quiet hours (2026-04-05 23:00 UTC):", *texts]]


def test_the_heading_is_in_the_language_of_the_first_alert() -> None:
    bench = night()
    held(bench, "【警告】a：剩余 5 次调用。", "b")
    bench.advance_to(8)
    bench.run()
    assert lines(bench)[0][0] == "免打扰时段内暂缓发送的告警（2026-04-05 23:00 至 2026-04-06 00:00 UTC）："


def test_what_does_not_fit_the_digest_goes_as_the_next_one() -> None:
    bench = night(DeliveryBench(room=150))
    texts = held(bench, *"abcdefgh")
    bench.advance_to(8)
    bench.run(60)
    assert len(bench.channel.messages) > 1
    assert all(len(message.text) <= 150 and message.alerts > 1 for message in bench.channel.messages)
    assert all(told[0].startswith("Held back") for told in lines(bench))
    assert [line for told in lines(bench) for line in told[1:]] == texts


def test_what_does_not_even_fit_with_the_heading_goes_alone() -> None:
    bench = night(DeliveryBench(room=30))
    texts = held(bench, "a", "b")
    bench.advance_to(8)
    bench.run(60)
    assert lines(bench) == [[text] for text in texts]


def test_what_comes_after_the_end_is_a_message_of_its_own() -> None:
    bench = night()
    texts = held(bench, "a", "b")
    bench.advance_to(8)
    later = bench.raise_alert("c")
    bench.run(GATHER)
    first, second = lines(bench)
    assert (first[1:], second) == (texts, [later.id])


def test_what_had_not_left_when_the_quiet_hours_began_was_held_with_the_rest() -> None:
    bench = DeliveryBench(room=ROOM)
    bench.keep_quiet()
    bench.advance_to(21)
    early = bench.raise_alert("a")
    bench.advance_to(23)
    texts = held(bench, "b")
    bench.advance_to(8)
    bench.run()
    assert lines(bench)[0][1:] == [early.id, *texts]
    assert len(lines(bench)) == 1


def test_a_machine_gets_what_was_held_alert_by_alert() -> None:
    bench = night(DeliveryBench())
    texts = held(bench, "a", "b")
    bench.advance_to(8)
    bench.run()
    assert [message.id for message in bench.channel.messages] == texts


def test_a_digest_that_is_not_taken_keeps_its_id_and_its_heading_through_restarts_and_days() -> None:
    answers: list[ChannelError | Crash | None] = [DOWN, DOWN, Crash()]
    bench = night(DeliveryBench(lambda _message: answers.pop(0) if answers else None, room=ROOM))
    held(bench, "a", "b")
    bench.advance_to(8)
    bench.run(2)
    bench.restart()
    with pytest.raises(Crash):
        bench.run(60)
    bench.advance_to(23)
    bench.raise_alert("c")
    bench.restart()
    bench.run(3600)
    bench.advance_to(9)
    bench.run(60)
    digests = [message for message in bench.channel.messages if message.alerts == 2]
    assert len(digests) == 4
    assert len({(message.id, message.text) for message in digests}) == 1
    assert bench.pending == 0


def test_a_digest_that_is_refused_is_dissolved_and_only_the_culprit_dies() -> None:
    def answer(message: Message) -> ChannelError | None:
        return ChannelError(Scope.MESSAGE, "HTTP 400") if "poison" in message.text else None

    bench = night(DeliveryBench(answer, room=ROOM))
    held(bench, "a", "poison", "b")
    bench.advance_to(8)
    bench.run(60)
    assert [alert.account for alert in bench.channel.arrived] == ["a", "b"]
    assert (bench.pending, bench.dead) == (0, 1)


def test_in_the_night_what_passes_together_has_no_heading() -> None:
    bench = night()
    low = bench.raise_alert("a")
    bench.raise_alert("b")
    critical = bench.raise_alert("a", Reason.ESCALATED, state=State.CRITICAL)
    bench.run(60)
    assert lines(bench) == [[low.id, critical.id]]


def test_the_critical_takes_what_was_held_of_its_subject_along() -> None:
    bench = night(DeliveryBench())
    low = bench.raise_alert("a")
    bench.raise_alert("b")
    critical = bench.raise_alert("a", Reason.ESCALATED, state=State.CRITICAL)
    bench.run(60)
    assert bench.channel.arrived == [low, critical]


def test_a_recovery_passes_if_its_episode_spoke_that_night() -> None:
    bench = night(DeliveryBench())
    bench.raise_alert("a", state=State.CRITICAL)
    bench.run(5)
    recovered = bench.raise_alert("a", Reason.RECOVERED)
    bench.run(5)
    assert bench.channel.arrived[-1] == recovered


def test_a_recovery_of_what_was_told_the_day_before_waits_for_the_morning() -> None:
    bench = DeliveryBench()
    bench.raise_alert("a")
    bench.run(5)
    night(bench)
    recovered = bench.raise_alert("a", Reason.RECOVERED)
    bench.run(600)
    assert recovered not in bench.channel.arrived
    bench.advance_to(8)
    bench.run(5)
    assert bench.channel.arrived[-1] == recovered


def test_what_is_held_is_not_counted_as_failed_and_never_expires_untried() -> None:
    bench = night()
    bench.raise_alert("a")
    bench.run(8 * 86400)
    assert (bench.pending, bench.dead) == (1, 0)
    assert bench.store.backlogs()[CHANNEL].last_error is None
    bench.advance_to(8)
    bench.run()
    assert (bench.pending, bench.dead) == (0, 0)


def test_a_channel_that_lost_its_quiet_hours_by_a_restart_sends_what_was_held_as_an_ordinary_group() -> None:
    bench = night()
    texts = held(bench, "a", "b")
    bench.quiet = None
    bench.restart()
    bench.run(GATHER)
    assert isinstance(bench.channel, ScriptedGroupChannel)
    assert lines(bench) == [texts]
