"""Every table that grows has an end."""

import sqlite3

from support.stored import BALANCE, DAY, drain, in_episode, message, owing
from token_monitor.core.ports import Change
from token_monitor.core.words import Reason
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db


def count(store: MonitorDb) -> int:
    def work(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    return store._database.read(work)


def test_an_episode_reminded_of_every_half_hour_for_two_months_keeps_one_week() -> None:
    store = open_monitor_db(None)
    store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 0, [(message("e1-0"), ["ops"])]), 1.0)
    drain(store, now=1.0)
    counts = []
    for half_hour in range(1, 60 * 48):
        now = half_hour * 1800.0
        store.commit(owing(message(f"e1-{half_hour}", Reason.REMINDER)), now)
        drain(store, now=now)
        if half_hour % 48 == 0:
            store.prune(now)
            counts.append(count(store))
    assert max(counts) <= 7 * 48 + 2


def test_reminders_to_a_channel_that_is_down_do_not_pile_up() -> None:
    store = open_monitor_db(None)
    store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 0, [(message("e1-0"), ["ops"])]), 1.0)
    for half_hour in range(1, 60 * 48):
        store.commit(owing(message(f"e1-{half_hour}", Reason.REMINDER)), half_hour * 1800.0)
        if half_hour % 48 == 0:
            store.prune(half_hour * 1800.0)
    assert store.backlogs()["ops"].pending == 2
    assert count(store) <= 7 * 48 + 50


def test_a_closed_subject_leaves_nothing_behind_in_the_outbox() -> None:
    store = open_monitor_db(None)
    store.commit(owing(message("e1-1"), message("e1-2", Reason.RECOVERED)), 1.0)
    drain(store, now=2.0)
    store.prune(8 * DAY)
    assert count(store) == 0
