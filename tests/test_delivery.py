"""The outbox worker: order, retries, what is given up and what never is (rules O1 to O6)."""

import pytest
from attrs import evolve
from structlog.testing import capture_logs

from support.delivering import CHANNEL, Crash, DeliveryBench
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.words import Reason
from token_monitor.delivery import EXPIRES_AFTER, HOPELESS_AFTER, OTHERS_PASSED, PROBE_EVERY, WRONG_AFTER
from token_monitor.stores.monitor_db import open_monitor_db
from token_monitor.worker import LONGEST_BACKOFF

DOWN = ChannelError(Scope.RETRY, "no connection: Connection refused")
WRONG = ChannelError(Scope.CHANNEL, "HTTP 404")


def failing_for(*accounts: str, error: ChannelError = DOWN):
    return lambda message: error if message.alert.account in accounts else None


def test_alerts_of_a_subject_arrive_in_the_order_they_were_raised() -> None:
    bench = DeliveryBench()
    for reason in (Reason.FIRST, Reason.ESCALATED, Reason.RECOVERED):
        bench.raise_alert("a", reason)
    bench.run()
    assert bench.channel.arrived == bench.raised
    assert bench.pending == 0


def test_a_failed_attempt_backs_the_channel_off_from_one_second_doubling_to_a_minute() -> None:
    bench = DeliveryBench(failing_for("a"))
    bench.raise_alert("a")
    waits = []
    for _ in range(9):
        wait = bench.worker.step()
        assert wait is not None
        waits.append(wait)
        bench.clock.advance(wait)
    for wait, nominal in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert 0.8 * nominal <= wait <= 1.2 * min(nominal, LONGEST_BACKOFF)


def test_new_work_does_not_break_the_back_off() -> None:
    bench = DeliveryBench(failing_for("a", "b"))
    bench.raise_alert("a")
    bench.run()
    bench.raise_alert("b")
    bench.run(0.5)
    assert len(bench.channel.attempts) == 1


def test_after_a_failure_the_least_recently_attempted_subject_is_next() -> None:
    bench = DeliveryBench(failing_for("a", "b"))
    bench.raise_alert("a")
    bench.raise_alert("b")
    bench.run(20)
    attempts = [alert.account for alert in bench.channel.attempts]
    assert attempts[:4] == ["a", "b", "a", "b"]


def test_one_poison_message_blocks_nobody_and_is_given_up_once_others_passed() -> None:
    bench = DeliveryBench(failing_for("poison"))
    bench.raise_alert("poison")
    for number in range(60):
        bench.raise_alert(f"other {number}")
        bench.run(60)
    assert {alert.account for alert in bench.channel.arrived} == {f"other {number}" for number in range(60)}
    assert (bench.pending, bench.dead) == (0, 1)


def test_during_an_outage_nothing_is_given_up_however_often_it_fails() -> None:
    down = True
    bench = DeliveryBench(lambda _message: DOWN if down else None)
    for number in range(10):
        bench.raise_alert(f"a{number}")
    bench.run(86400)
    assert (bench.pending, bench.dead) == (10, 0)
    down = False
    bench.run(120)
    assert (bench.pending, bench.dead) == (0, 0)
    assert {alert.id for alert in bench.channel.arrived} == {alert.id for alert in bench.raised}


def test_retry_after_is_kept_to_and_survives_a_restart() -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(Scope.RETRY, "HTTP 429", retry_after=600)))
    bench.raise_alert("a")
    bench.run()
    bench.restart()
    bench.run(599)
    assert len(bench.channel.attempts) == 1
    bench.run(2)
    assert len(bench.channel.attempts) == 2


def test_a_retry_after_of_zero_does_not_hammer() -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(Scope.RETRY, "HTTP 429", retry_after=0)))
    bench.raise_alert("a")
    bench.run(10)
    assert len(bench.channel.attempts) <= 11


def test_a_restart_makes_everything_due_at_once() -> None:
    bench = DeliveryBench(failing_for("a"))
    bench.raise_alert("a")
    bench.run(300)
    attempts = len(bench.channel.attempts)
    bench.restart()
    bench.run()
    assert len(bench.channel.attempts) == attempts + 1


def test_a_refused_message_is_dead_and_the_next_goes_at_once() -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(Scope.MESSAGE, "HTTP 400")))
    bench.raise_alert("a")
    bench.raise_alert("b")
    bench.run()
    assert [alert.account for alert in bench.channel.arrived] == ["b"]
    assert (bench.pending, bench.dead) == (0, 1)


def test_a_channel_that_is_set_up_wrongly_keeps_everything_and_is_probed_every_five_minutes() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    for number in range(20):
        bench.raise_alert(f"a{number}")
    bench.run(3 * PROBE_EVERY + 1)
    assert len(bench.channel.attempts) == WRONG_AFTER + 3
    assert (bench.pending, bench.dead) == (20, 0)


def test_a_start_at_a_channel_that_is_set_up_wrongly_costs_three_attempts_however_much_is_owed() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    for number in range(500):
        bench.raise_alert(f"a{number}")
    for starts in (1, 2, 3):
        bench.restart()
        bench.run(PROBE_EVERY - 1)
        assert len(bench.channel.attempts) == starts * WRONG_AFTER


def test_what_comes_while_a_channel_rests_is_what_the_probe_tries() -> None:
    bench = DeliveryBench(failing_for("poison 1", "poison 2", "poison 3", error=WRONG))
    for number in (1, 2, 3):
        bench.raise_alert(f"poison {number}")
    bench.run(100)
    urgent = [bench.raise_alert("a"), bench.raise_alert("b")]
    bench.run(PROBE_EVERY - 101)
    assert bench.channel.arrived == []
    bench.run(1)
    assert bench.channel.arrived == urgent


def test_a_line_about_a_failure_says_for_how_long_nothing_is_sent_if_it_is_so() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    for number in range(WRONG_AFTER):
        bench.raise_alert(f"a{number}")
    with capture_logs() as lines:
        bench.run()
    assert [line.get("seconds") for line in lines] == [None] * (WRONG_AFTER - 1) + [PROBE_EVERY]
    assert [line["alert_id"] for line in lines] == [alert.id for alert in bench.raised]
    assert {line["event"] for line in lines} == {"Alert delivery failed, trying again"}


def test_what_is_given_up_is_not_said_to_be_tried_again() -> None:
    bench = DeliveryBench(failing_for("a"))
    bench.raise_alert("a")
    bench.clock.advance(EXPIRES_AFTER + 1)
    with capture_logs() as lines:
        bench.run()
    assert [line["event"] for line in lines] == ["Alert not delivered"]


def test_what_was_refused_is_not_taken_for_another_alert_of_the_same_row() -> None:
    bench = DeliveryBench(failing_for("poison", error=WRONG))
    bench.raise_alert("poison")
    bench.run()
    bench.store = bench.worker._outbox = open_monitor_db(None)
    bench.raise_alert("a")
    bench.run()
    assert [alert.account for alert in bench.channel.arrived] == ["a"]


def test_new_alerts_do_not_put_the_probe_of_what_was_refused_off() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    bench.raise_alert("a")
    bench.run(PROBE_EVERY - 10)
    bench.raise_alert("b")
    bench.run(11)
    assert [alert.account for alert in bench.channel.attempts] == ["a", "b", "a"]


def test_a_refused_message_holds_up_no_alert_of_another_subject() -> None:
    bench = DeliveryBench(failing_for("poison", error=WRONG))
    bench.raise_alert("poison")
    bench.run(10)
    urgent = bench.raise_alert("a")
    bench.run()
    assert bench.channel.arrived == [urgent]


def test_a_refused_message_holds_up_nothing_that_an_outage_left_behind() -> None:
    bench = DeliveryBench(lambda _message: DOWN)
    for account in ("poison", "a", "b", "c"):
        bench.raise_alert(account)
    bench.run(600)
    bench.channel.answer = failing_for("poison", error=WRONG)
    bench.run(1.2 * LONGEST_BACKOFF)
    assert {alert.account for alert in bench.channel.arrived} == {"a", "b", "c"}


def test_a_failure_of_another_message_is_backed_off_as_ever_while_one_is_refused() -> None:
    errors = {"poison": [WRONG] * 99, "a": [DOWN, DOWN]}

    def answer(message: Message) -> ChannelError | None:
        left = errors[message.alert.account]
        return left.pop() if left else None

    bench = DeliveryBench(answer)
    bench.raise_alert("poison")
    bench.run()
    bench.raise_alert("a")
    bench.run(1.2 + 2.4)
    assert [alert.account for alert in bench.channel.attempts] == ["poison", "a", "a", "a", "poison"]


def test_after_something_passed_what_was_refused_is_tried_again_at_once() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    bench.raise_alert("a")
    bench.run(10)
    bench.channel.answer = lambda _message: None
    bench.raise_alert("b")
    bench.run()
    assert [alert.account for alert in bench.channel.arrived] == ["b", "a"]


def test_what_a_wrong_channel_refused_is_held_up_by_none_that_is_still_refused_when_it_is_mended() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    for account in ("poison", "a"):
        bench.raise_alert(account)
        bench.run(1)
    bench.channel.answer = failing_for("poison", error=WRONG)
    bench.raise_alert("b")
    bench.run()
    assert [alert.account for alert in bench.channel.arrived] == ["b", "a"]


def test_what_failed_otherwise_since_it_was_refused_is_held_up_by_no_refusal_of_another() -> None:
    answers = [WRONG, DOWN, WRONG]
    bench = DeliveryBench(lambda _message: answers.pop(0) if answers else None)
    bench.raise_alert("a")
    bench.run(PROBE_EVERY)
    bench.raise_alert("poison")
    bench.run(2)
    assert [alert.account for alert in bench.channel.attempts] == ["a", "a", "poison", "a", "poison"]


def test_every_rest_lasts_five_minutes_however_soon_the_next_begins() -> None:
    bench = DeliveryBench(failing_for("poison", error=WRONG))
    bench.raise_alert("poison")
    bench.run(PROBE_EVERY - 1)
    bench.raise_alert("a")
    bench.run(PROBE_EVERY - 1)
    assert [alert.account for alert in bench.channel.attempts] == ["poison", "a", "poison"]


def test_a_message_that_is_refused_while_others_pass_is_given_up() -> None:
    bench = DeliveryBench(failing_for("poison", error=WRONG))
    bench.raise_alert("poison")
    for number in range(HOPELESS_AFTER + OTHERS_PASSED):
        assert bench.dead == 0, number
        bench.run(3599)
        bench.raise_alert(f"other {number}")
    bench.run(3599)
    assert (bench.pending, bench.dead) == (0, 1)
    assert len(bench.channel.arrived) == HOPELESS_AFTER + OTHERS_PASSED


def test_what_only_a_wrong_channel_refused_is_not_given_up_when_it_is_mended() -> None:
    bench = DeliveryBench(lambda _message: WRONG)
    for number in range(6):
        bench.raise_alert(f"a{number}")
    for _ in range(2 * HOPELESS_AFTER):
        bench.restart()
        bench.run(3600)
    answers = [None, None, None, None, WRONG]
    bench.channel.answer = lambda _message: answers.pop(0) if answers else None
    bench.run(3600)
    assert (bench.pending, bench.dead) == (0, 0)


def test_a_refusal_that_asks_for_a_pause_holds_every_alert_as_long() -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(Scope.CHANNEL, "HTTP 403", retry_after=600)))
    bench.raise_alert("a")
    bench.run(10)
    bench.raise_alert("b")
    bench.run(580)
    bench.restart()
    assert len(bench.channel.attempts) == 1
    bench.run(11)
    assert [alert.account for alert in bench.channel.arrived] == ["b"]


def test_what_is_older_than_a_week_is_dead_after_one_more_attempt() -> None:
    bench = DeliveryBench(failing_for("a"))
    bench.raise_alert("a")
    bench.clock.advance(EXPIRES_AFTER + 1)
    bench.restart()
    bench.run()
    assert len(bench.channel.attempts) == 1
    assert (bench.pending, bench.dead) == (0, 1)


def test_what_is_older_than_a_week_still_leaves_if_the_receiver_is_back() -> None:
    bench = DeliveryBench()
    bench.raise_alert("a")
    bench.clock.advance(EXPIRES_AFTER + 1)
    bench.run()
    assert bench.channel.arrived == bench.raised


def test_a_reminder_that_waits_is_superseded_by_what_comes_later() -> None:
    down = True
    bench = DeliveryBench(lambda _message: DOWN if down else None)
    first = bench.raise_alert("a")
    bench.run()
    bench.raise_alert("a", Reason.REMINDER)
    bench.raise_alert("a", Reason.REMINDER)
    last = bench.raise_alert("a", Reason.ESCALATED)
    down = False
    bench.run(60)
    assert bench.channel.arrived == [first, last]


def test_the_recovery_goes_only_where_the_episode_was_told() -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(Scope.MESSAGE, "HTTP 400")))
    bench.raise_alert("a")
    bench.run()
    bench.channel.answer = lambda _message: None
    bench.raise_alert("a", Reason.RECOVERED)
    bench.run(60)
    assert bench.channel.arrived == []


def test_the_recovery_follows_an_alert_that_may_have_arrived() -> None:
    lost_answer = ChannelError(Scope.MESSAGE, "the connection broke", ambiguous=True)
    bench = DeliveryBench(failing_for("a", error=lost_answer))
    bench.raise_alert("a")
    bench.run()
    bench.channel.answer = lambda _message: None
    recovered = bench.raise_alert("a", Reason.RECOVERED)
    bench.run(60)
    assert bench.channel.arrived[-1] == recovered


def test_a_crash_before_the_record_sends_the_same_alert_again() -> None:
    crashes = [Crash()]

    def answer(_message: Message) -> Crash | None:
        return crashes.pop() if crashes else None

    bench = DeliveryBench(answer)
    alert = bench.raise_alert("a")
    with pytest.raises(Crash):
        bench.run()
    bench.restart()
    bench.run()
    assert bench.channel.arrived == [alert, alert]
    assert bench.pending == 0


def test_a_fault_in_a_channel_loses_nothing_and_does_not_spin() -> None:
    bench = DeliveryBench()
    alert = bench.raise_alert("a")

    def surprise(_message: Message) -> str:
        raise ZeroDivisionError

    broken, bench.worker._channel = bench.worker._channel, type("Broken", (), {"send": staticmethod(surprise)})()
    assert (bench.worker.step() or 0) >= 0.8
    assert bench.pending == 1
    bench.worker._channel = broken
    bench.run(5)
    assert bench.channel.arrived == [alert]


def test_a_channel_that_is_gone_parks_its_alerts_and_resumes_if_it_returns_within_a_day() -> None:
    bench = DeliveryBench()
    kept = bench.raise_alert("a")
    bench.store.adopt([], bench.clock.steady)
    bench.clock.advance(23 * 3600)
    bench.store.prune(bench.clock.steady)
    bench.store.adopt([CHANNEL], bench.clock.steady)
    bench.run()
    assert bench.channel.arrived == [kept]


def test_a_channel_that_stays_away_for_a_day_loses_what_was_parked() -> None:
    bench = DeliveryBench()
    bench.raise_alert("a")
    bench.store.adopt([], bench.clock.steady)
    bench.clock.advance(25 * 3600)
    bench.store.prune(bench.clock.steady)
    bench.store.adopt([CHANNEL], bench.clock.steady)
    bench.run()
    assert bench.channel.arrived == []
    assert bench.dead == 1


@pytest.mark.usefixtures("no_other_secrets")
def test_the_id_of_an_alert_that_failed_is_readable_in_the_log() -> None:
    from support.messages import FixedClock, low
    from support.receiver import Receiver
    from token_monitor.channels.webhook import Webhook, WebhookChannel
    from token_monitor.core.secret import redact
    from token_monitor.core.url import Url
    from token_monitor.http import RequestsClient

    with Receiver() as receiver:
        receiver.answer(500)
        channel = WebhookChannel(Webhook(url=Url(receiver.url)), RequestsClient(), FixedClock())
        message = low()
        message = evolve(message, alert=evolve(message.alert, id="0123456789abcdef-1"))
        with pytest.raises(ChannelError) as caught:
            channel.send(message)
        assert caught.tb  # keeps the request and its headers alive, as a logged traceback does
        assert redact(message.alert.id) == message.alert.id


@pytest.mark.parametrize("scope", [Scope.RETRY, Scope.CHANNEL])
def test_a_short_retry_after_never_shortens_the_back_off(scope: Scope) -> None:
    bench = DeliveryBench(failing_for("a", error=ChannelError(scope, "HTTP 503", retry_after=0)))
    bench.raise_alert("a")
    bench.run(3600)
    assert len(bench.channel.attempts) <= (80 if scope is Scope.RETRY else 13)
