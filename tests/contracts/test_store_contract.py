"""What every store of the daemon does, whatever it stores to and whatever happened to that before."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from threading import Thread

import pytest
from attrs import evolve

from support.stored import AT, BALANCE, DAY, block, drain, in_episode, message, names, owed, owing, unblock
from token_monitor.core.alert import Switch
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Backlog, Delivery
from token_monitor.core.ports import Change
from token_monitor.core.words import Kind, Reason, Why
from token_monitor.stores import failovers
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db


def a_file(folder: Path) -> MonitorDb:
    return open_monitor_db(folder)


def memory(_folder: Path) -> MonitorDb:
    return open_monitor_db(None)


def memory_as_the_folder_cannot_be_made(folder: Path) -> MonitorDb:
    block(folder)
    return open_monitor_db(folder)


def memory_as_the_file_failed_later(folder: Path) -> MonitorDb:
    store = open_monitor_db(folder)
    block(folder)
    store.heal()
    assert not store.durable
    return store


def a_file_after_memory(folder: Path) -> MonitorDb:
    store = memory_as_the_file_failed_later(folder)
    unblock(folder)
    assert store.heal()
    return store


STORES = [
    a_file,
    memory,
    memory_as_the_folder_cannot_be_made,
    memory_as_the_file_failed_later,
    a_file_after_memory,
]


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MonitorDb]:
    make: Callable[[Path], MonitorDb] = request.param
    with closing(make(tmp_path / "data")) as made:
        yield made


BUSY = ChannelError(Scope.RETRY, "HTTP 503")
REFUSED = ChannelError(Scope.MESSAGE, "HTTP 400")
BAD_TOKEN = ChannelError(Scope.CHANNEL, "HTTP 401")
BROKEN = ChannelError(Scope.RETRY, "connection reset", ambiguous=True)


# State


def test_a_state_comes_back_as_it_was_committed(store: MonitorDb) -> None:
    state = in_episode("e1")
    other = Subject(Kind.ACCOUNT, "facefusion", "balance", "spare")
    store.commit(Change("facefusion", {BALANCE: state, other: SubjectState()}, failures=3), 5.0)
    store.commit(Change("facefusion", {other: in_episode("e2")}), 6.0)
    assert store.subjects() == {BALANCE: state, other: in_episode("e2")}
    assert store.failures() == {"facefusion": 3}


def test_a_change_without_a_failure_count_keeps_the_count(store: MonitorDb) -> None:
    store.commit(Change("facefusion", failures=4), 1.0)
    store.commit(Change("facefusion"), 2.0)
    assert store.failures() == {"facefusion": 4}
    store.commit(Change("facefusion", failures=0), 3.0)
    assert store.failures() == {"facefusion": 0}


def test_a_change_that_cannot_be_stored_whole_is_not_stored_at_all(store: MonitorDb) -> None:
    unwritable = evolve(message("e1-2"), text=object())  # type: ignore[arg-type]
    change = Change("facefusion", {BALANCE: in_episode("e1")}, 1, [(message("e1-1"), ["ops"]), (unwritable, ["ops"])])
    with pytest.raises(TypeError):
        store.commit(change, 5.0)
    assert (store.subjects(), store.failures(), store.next_delivery("ops")) == ({}, {}, None)
    assert store.steady() is None
    store.commit(owing(message("e1-1")), 6.0)
    assert drain(store) == ["e1-1"]


def test_the_steady_time_is_remembered_and_never_steps_back(store: MonitorDb) -> None:
    assert store.steady() is None
    store.commit(Change("facefusion"), 1000.5)
    store.commit(Change("facefusion"), 900.0)
    assert store.steady() == 1000.5


def test_an_account_is_forgotten_when_it_is_gone_and_untouched_for_long(store: MonitorDb) -> None:
    for name, touched in (("kept", 1.0), ("gone", 1.0), ("gone lately", 9.0)):
        store.commit(Change(name, {Subject(Kind.ACCOUNT, name, "balance"): SubjectState()}, 1), touched)
    store.forget(["kept"], before=5.0)
    assert {subject.account for subject in store.subjects()} == {"kept", "gone lately"}
    assert set(store.failures()) == {"kept", "gone lately"}


# Deliveries


def test_a_message_is_owed_to_each_of_its_channels_as_it_was_raised(store: MonitorDb) -> None:
    raised = message("e1-1")
    store.commit(owing(raised, to=["ops", "bus", "ops"]), 7.0)
    for channel in ("ops", "bus"):
        delivery = owed(store, channel)
        assert (delivery.channel, delivery.message, delivery.created) == (channel, raised, 7.0)
        assert (delivery.failures, delivery.hopeless_since) == (0, None)
    assert store.next_delivery("other") is None
    assert drain(store, "ops") == ["e1-1"]
    assert drain(store, "bus") == ["e1-1"]


def test_a_repeated_change_owes_nothing_twice(store: MonitorDb) -> None:
    change = owing(message("e1-1"), message("e1-2", Reason.REMINDER))
    store.commit(change, 1.0)
    store.commit(change, 2.0)
    assert drain(store) == ["e1-1", "e1-2"]
    store.commit(change, 3.0)
    assert drain(store) == []


def test_a_delivery_is_owed_until_it_is_acknowledged(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    delivery = owed(store)
    store.begin(delivery, 2.0)
    assert names([owed(store)]) == ["e1-1"]
    store.failed(delivery, BUSY, 3.0)
    assert names([owed(store)]) == ["e1-1"]
    store.begin(delivery, 4.0)
    store.sent(delivery, 5.0)
    assert store.next_delivery("ops") is None


def test_attempts_are_remembered_by_channel_whatever_came_of_them(store: MonitorDb) -> None:
    store.commit(owing(*(message(f"e{number}-1", subject=f"s{number}/balance") for number in range(4))), 1.0)
    store.commit(owing(message("e9-1"), to=["bus"]), 1.0)
    outcomes: list[Callable[[Delivery, float], None]] = [
        store.sent,
        lambda delivery, now: store.bury(delivery, BUSY, "given up", now),
        lambda delivery, now: store.failed(delivery, BUSY, now),
        lambda _delivery, _now: None,
    ]
    for number, outcome in enumerate(outcomes):
        at = 10.0 * (number + 1)
        delivery = owed(store)
        store.begin(delivery, at)
        outcome(delivery, at + 1)
    assert store.attempts("ops", 0.0) == [10.0, 20.0, 30.0, 40.0]
    assert store.attempts("ops", 20.0) == [30.0, 40.0]
    assert store.attempts("bus", 0.0) == []


def test_messages_of_one_subject_leave_in_order_even_after_a_failure(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), message("e1-2", Reason.ESCALATED), message("e1-3", Reason.RECOVERED)), 1.0)
    first = owed(store)
    store.begin(first, 2.0)
    store.failed(first, BUSY, 2.0)
    assert drain(store) == ["e1-1", "e1-2", "e1-3"]


def test_the_head_attempted_least_recently_is_next(store: MonitorDb) -> None:
    store.commit(owing(*(message(f"{name}-1", subject=f"{name}/balance") for name in "abc")), 1.0)
    store.commit(owing(message("a-2", Reason.ESCALATED, "a/balance")), 1.5)
    order = []
    for second in range(2, 8):
        delivery = owed(store)
        order.append(delivery.message.alert.id)
        store.begin(delivery, second)
        store.failed(delivery, BUSY, second)
    assert order == ["a-1", "b-1", "c-1"] * 2
    store.sent(owed(store), 9.0)
    assert names([owed(store)]) == ["a-2"], "never attempted, so before b and c"


def test_a_buried_delivery_lets_the_next_of_its_subject_through(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), message("e1-2", Reason.ESCALATED)), 1.0)
    poison = owed(store)
    store.begin(poison, 2.0)
    store.bury(poison, REFUSED, "refused", 3.0)
    assert drain(store) == ["e1-2"]
    assert store.backlogs()["ops"].dead == 1


def test_what_counts_against_a_delivery_is_remembered_with_its_failure(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    delivery = owed(store)
    assert (delivery.failures, delivery.hopeless_since, delivery.attempted_at) == (0, None, None)
    store.begin(delivery, 2.0)
    store.failed(evolve(delivery, failures=2, hopeless_since=42.0), BUSY, 3.0)
    assert (owed(store).failures, owed(store).hopeless_since, owed(store).attempted_at) == (2, 42.0, 2.0)


def test_refused_heads_are_left_out_with_all_that_waits_behind_them(store: MonitorDb) -> None:
    store.commit(owing(*(message(f"{name}-1", subject=f"{name}/balance") for name in "abc")), 1.0)
    store.commit(owing(message("a-2", Reason.ESCALATED, "a/balance")), 1.5)
    first = owed(store)
    store.begin(first, 2.0)
    store.failed(first, BAD_TOKEN, 2.0)
    found = store.next_delivery("ops", refused={(first.row, "a-1")})
    assert found is not None
    assert names([found]) == ["b-1"]
    others = {(first.row + 1, "b-1"), (first.row + 2, "c-1")}
    assert store.next_delivery("ops", refused={(first.row, "a-1"), *others}) is None
    found = store.next_delivery("ops", refused={(first.row, "d-1"), *others})
    assert found is not None
    assert names([found]) == ["a-1"]


def test_what_passed_since_counts_other_subjects_of_the_channel_only(store: MonitorDb) -> None:
    store.commit(owing(message("a-1", subject="a/balance"), to=["ops", "bus"]), 1.0)
    stuck = owed(store)
    store.begin(stuck, 2.0)
    store.failed(stuck, BUSY, 2.0)
    for second, name in ((9.0, "b"), (11.0, "c"), (12.0, "d")):
        store.commit(owing(message(f"{name}-1", subject=f"{name}/balance")), second)
        delivery = owed(store)
        store.begin(delivery, second)
        store.sent(delivery, second)
    assert drain(store, "bus", 12.0) == ["a-1"]
    assert store.passed_since(stuck, 10.0) == 2


# Rule O5


def test_a_reminder_never_attempted_makes_way_for_a_later_message(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), message("e1-2", Reason.REMINDER)), 1.0)
    store.commit(owing(message("x-1", subject="other/balance")), 2.0)
    store.commit(owing(message("e1-3", Reason.REMINDER)), 3.0)
    store.commit(owing(message("e1-4", Reason.ESCALATED)), 4.0)
    assert drain(store) == ["e1-1", "x-1", "e1-4"]


def test_a_reminder_that_was_attempted_stays(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    drain(store)
    store.commit(owing(message("e1-2", Reason.REMINDER)), 2.0)
    store.begin(owed(store), 3.0)
    store.commit(owing(message("e1-3", Reason.REMINDER)), 4.0)
    assert drain(store) == ["e1-2", "e1-3"]


def test_a_reminder_that_is_the_head_hands_over_when_it_makes_way(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    drain(store)
    store.commit(owing(message("e1-2", Reason.REMINDER)), 2.0)
    store.commit(owing(message("e1-3", Reason.RECOVERED)), 3.0)
    assert drain(store) == ["e1-3"]


def test_a_reminder_makes_way_on_its_own_channel_only(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), message("e1-2", Reason.REMINDER), to=["ops", "bus"]), 1.0)
    store.commit(owing(message("e1-3", Reason.ESCALATED), to=["ops"]), 2.0)
    assert drain(store, "bus") == ["e1-1", "e1-2"]


# Rule O6


CLOSINGS = [Reason.RECOVERED, Reason.RULE_CHANGED, Reason.ACCOUNT_REMOVED]


@pytest.mark.parametrize("closing_reason", CLOSINGS)
def test_a_closing_message_goes_only_to_channels_that_have_a_message_of_its_episode(
    store: MonitorDb, closing_reason: Reason
) -> None:
    store.commit(owing(message("e1-1"), to=["sent", "pending"]), 1.0)
    store.commit(owing(message("e0-1"), to=["of another episode"]), 1.0)
    drain(store, "sent")
    drain(store, "of another episode")
    store.commit(owing(message("e1-2", closing_reason), to=["sent", "pending", "of another episode", "new"]), 2.0)
    assert drain(store, "sent") == ["e1-2"]
    assert drain(store, "pending") == ["e1-1", "e1-2"]
    assert drain(store, "of another episode") == []
    assert drain(store, "new") == []


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        pytest.param([REFUSED], False, id="refused"),
        pytest.param([BROKEN, REFUSED], True, id="perhaps arrived, then refused"),
        pytest.param([BUSY, BROKEN], True, id="perhaps arrived at last"),
        pytest.param([BUSY, BUSY], False, id="never arrived"),
        pytest.param([None, REFUSED], True, id="outcome unknown after a crash, then refused"),
        pytest.param([None, BUSY, REFUSED], True, id="outcome unknown, then refused twice"),
    ],
)
def test_the_end_of_an_episode_that_was_given_up_is_told_only_if_it_may_have_arrived(
    store: MonitorDb, errors: list[ChannelError | None], told: bool
) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    *earlier, last = errors
    for error in earlier:
        store.begin(owed(store), 2.0)
        if error is not None:
            store.failed(owed(store), error, 2.0)
    store.begin(owed(store), 2.0)
    assert last is not None
    store.bury(owed(store), last, "poison", 2.0)
    store.commit(owing(message("e1-2", Reason.RECOVERED)), 3.0)
    assert drain(store) == ["e1-2"] * told


def test_neither_the_end_nor_a_waiting_reminder_is_told_where_the_beginning_never_arrived(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    first = owed(store)
    store.begin(first, 2.0)
    store.bury(first, REFUSED, "refused", 2.0)
    store.commit(owing(message("e1-2", Reason.REMINDER)), 3.0)
    store.commit(owing(message("e1-3", Reason.RECOVERED)), 4.0)
    assert drain(store) == []


# Channels


def test_the_backlog_counts_what_is_pending_and_dead_and_names_the_last_error(store: MonitorDb) -> None:
    store.adopt(["ops", "bus"], 0.0)
    assert store.backlogs() == {"ops": Backlog(), "bus": Backlog()}
    store.commit(owing(*(message(f"{name}-1", subject=f"{name}/balance") for name in "abc")), 1.0)
    first = owed(store)
    store.begin(first, 2.0)
    store.bury(first, REFUSED, "refused", 2.0)
    second = owed(store)
    store.begin(second, 3.0)
    store.failed(second, BUSY, 3.0)
    assert store.backlogs()["ops"] == Backlog(pending=2, dead=1, last_error="HTTP 503")
    drain(store)
    assert store.backlogs()["ops"] == Backlog(pending=0, dead=1, last_error=None)


def test_a_receiver_that_asked_to_be_left_alone_is_remembered(store: MonitorDb) -> None:
    assert store.held_until("ops") == 0.0
    store.hold("ops", 99.5)
    store.adopt(["ops"], 1.0)
    assert store.held_until("ops") == 99.5
    store.hold("ops", 0.0)
    assert store.held_until("ops") == 0.0


def test_deliveries_of_a_removed_channel_resume_if_it_returns_within_a_day(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    store.adopt([], 10.0)
    store.adopt([], 10.0 + 0.9 * DAY)
    store.prune(10.0 + 0.9 * DAY)
    store.adopt(["ops"], 10.0 + 0.9 * DAY)
    store.prune(10.0 + 2 * DAY)
    assert drain(store) == ["e1-1"]


def test_deliveries_of_a_channel_removed_a_day_ago_are_given_up(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    store.adopt([], 10.0)
    store.adopt([], 10.0 + 0.9 * DAY)
    store.prune(10.0 + 1.1 * DAY)
    store.adopt(["ops"], 10.0 + 1.2 * DAY)
    assert drain(store) == []
    assert store.backlogs()["ops"] == Backlog(dead=1)


# Retention


def test_what_was_finished_a_week_ago_is_dropped(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), message("e1-2", Reason.ESCALATED)), 1.0)
    first = owed(store)
    store.begin(first, 2.0)
    store.bury(first, REFUSED, "refused", 2.0)
    store.prune(2.0 + 6.9 * DAY)
    assert store.backlogs()["ops"].dead == 1
    store.prune(2.0 + 7.1 * DAY)
    assert store.backlogs()["ops"] == Backlog(pending=1, last_error="HTTP 400")
    assert drain(store) == ["e1-2"]


def test_the_end_of_an_episode_is_told_even_if_its_last_message_was_sent_long_ago(store: MonitorDb) -> None:
    store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 0, [(message("e1-1"), ["ops"])]), 1.0)
    drain(store, now=2.0)
    store.commit(owing(message("e1-2", Reason.ESCALATED)), 3.0)
    refused = owed(store)
    store.begin(refused, 4.0)
    store.bury(refused, REFUSED, "refused", 4.0)
    store.prune(30 * DAY)
    store.prune(60 * DAY)
    store.commit(owing(message("e1-3", Reason.RECOVERED)), 60 * DAY)
    assert drain(store) == ["e1-3"]


def test_of_a_closed_episode_nothing_is_kept(store: MonitorDb) -> None:
    store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 0, [(message("e1-1"), ["ops"])]), 1.0)
    drain(store, now=2.0)
    store.commit(Change("facefusion", {BALANCE: SubjectState()}), 3.0)
    store.prune(30 * DAY)
    store.commit(owing(message("e1-2", Reason.RECOVERED)), 30 * DAY)
    assert drain(store) == []


# Threads


def test_threads_that_raise_and_deliver_at_once_lose_and_repeat_nothing(store: MonitorDb) -> None:
    raised = [[f"{worker}x{number}-1" for number in range(20)] for worker in range(4)]
    received: list[str] = []

    def raise_all(ids: list[str]) -> None:
        for each in ids:
            store.commit(owing(message(each, subject=f"{each}/balance")), 1.0)

    raisers = [Thread(target=raise_all, args=(ids,)) for ids in raised]
    for thread in raisers:
        thread.start()
    while any(thread.is_alive() for thread in raisers):
        received += drain(store)
    received += drain(store)
    assert sorted(received) == sorted(chain.from_iterable(raised))


# Notes


def test_a_note_belongs_to_one_channel_and_one_episode(store: MonitorDb) -> None:
    store.keep_note("tickets", "e1", "ticket 1", 1.0)
    store.keep_note("tickets", "e2", "ticket 2", 1.0)
    store.keep_note("others", "e1", "余额", 1.0)
    store.keep_note("tickets", "e1", "ticket 3", 2.0)
    kept = [store.note(channel, episode) for channel in ("tickets", "others") for episode in ("e1", "e2")]
    assert kept == ["ticket 3", "ticket 2", "余额", None]


def test_a_note_stays_for_as_long_as_its_episode_is_open_and_seven_days_more(store: MonitorDb) -> None:
    store.commit(Change("facefusion", {BALANCE: in_episode("e1")}), 1.0)
    store.keep_note("tickets", "e1", "ticket 1", 1.0)
    store.prune(30 * DAY)
    store.commit(Change("facefusion", {BALANCE: SubjectState()}), 30.1 * DAY)
    store.prune(36.9 * DAY)
    assert store.note("tickets", "e1") == "ticket 1"
    store.prune(37.1 * DAY)
    assert store.note("tickets", "e1") is None


def test_a_note_stays_while_its_channel_owes_something_of_the_episode(store: MonitorDb) -> None:
    store.commit(owing(message("e1-1"), to=["tickets"]), 1.0)
    for channel in ("tickets", "others"):
        store.keep_note(channel, "e1", "ticket 1", 1.0)
    store.prune(30 * DAY)
    assert (store.note("tickets", "e1"), store.note("others", "e1")) == ("ticket 1", None)


# Credentials


def a_switch(number: int = 0, *, dry_run: bool = False) -> Switch:
    return Switch("facefusion", "primary", "spare1", Why.EXHAUSTED, AT + timedelta(seconds=number), dry_run)


def test_the_active_credential_and_what_was_seen_of_all_are_remembered(store: MonitorDb) -> None:
    assert store.failovers() == {}
    state = FailoverState("spare1", 12.5, {"spare1": Decimal("0.10"), "primary": Decimal(0)}, (("primary", "spare1"),))
    state = evolve(state, would=("primary", "spare1", "exhausted"), left="spare2")
    store.commit(Change("facefusion", {BALANCE: SubjectState()}, failover=state), 1.0)
    store.commit(Change("facefusion", {BALANCE: SubjectState()}, 1), 2.0)
    assert store.failovers() == {"facefusion": state}
    assert str(store.failovers()["facefusion"].seen["spare1"]) == "0.10"


def test_every_switch_is_in_the_audit_the_newest_first_and_once(store: MonitorDb) -> None:
    for switch in (a_switch(0), a_switch(1, dry_run=True), a_switch(1, dry_run=True), a_switch(2)):
        store.commit(Change("facefusion", switch=switch), 1.0)
    assert list(store.switches(2)) == [a_switch(2), a_switch(1, dry_run=True)]
    assert len(store.switches(10)) == 3


def test_the_audit_keeps_thousands_and_never_grows_without_end(
    store: MonitorDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1010):
        store.commit(Change("facefusion", switch=a_switch(number)), 1.0)
    assert len(store.switches(2000)) == 1010
    monkeypatch.setattr(failovers, "SWITCHES_KEPT", 10)
    for number in (1010, 1011):
        store.commit(Change("facefusion", switch=a_switch(number)), 1.0)
    kept = store.switches(2000)
    assert (len(kept), kept[-1]) == (10, a_switch(1002))


def test_the_credentials_of_an_account_are_forgotten_with_it(store: MonitorDb) -> None:
    store.commit(Change("facefusion", {BALANCE: SubjectState()}, failover=FailoverState("spare1")), 1.0)
    store.forget(["facefusion"], 10.0)
    assert "facefusion" in store.failovers()
    store.forget([], 10.0)
    assert store.failovers() == {}
