"""What the statements of the worker of a channel cost is bounded by what they ask for, however much is owed."""

import sqlite3
from collections.abc import Sequence

from support.stored import AT, message, owing
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.grouping import fitting
from token_monitor.core.message import Delivery
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

EACH_ROW = ("SEARCH first ", "SEARCH its ", "SEARCH told ")
"""The steps that are done once for every row of another step."""


def test_no_statement_of_a_worker_walks_the_table_nor_all_that_is_owed_for_each_row() -> None:
    store = open_monitor_db(None)
    store.commit(owing(*(message(f"{n}-1", subject=f"{n}/balance") for n in range(9))), 1.0)
    statements: list[str] = []
    store._database.read(lambda db: db.set_trace_callback(statements.append))
    work_through(store)
    store._database.read(lambda db: db.set_trace_callback(None))
    plans = {text: plan(store, text) for text in statements if text.startswith(("SELECT", "UPDATE"))}
    steps = [step for steps in plans.values() for step in steps]
    assert {each for each in EACH_ROW if any(step.startswith(each) for step in steps)} == set(EACH_ROW)
    for text, steps in plans.items():
        assert not [step for step in steps if step.startswith("SCAN")], text
        for step in steps:
            if step.startswith(EACH_ROW):
                assert "subject=?" in step or "episode=?" in step, (step, text)


def work_through(store: MonitorDb) -> None:
    """All that a worker asks of the store: in quiet hours too, of what fails together, falls apart and arrives."""
    assert store.next_delivery("ops", None, AT.timestamp()) is None
    group = store.next_delivery("ops", all_together)
    assert group is not None
    assert len(group.members) == 9
    store.begin(group, 2.0)
    store.failed(group, ChannelError(Scope.RETRY, "HTTP 503"), 2.0)
    store.passed_since(group, 1.0)
    again = store.next_delivery("ops", all_together)
    assert again is not None
    store.dissolve(again)
    store.attempts("ops", 1.0)
    while (delivery := store.next_delivery("ops")) is not None:
        store.begin(delivery, 3.0)
        store.sent(delivery, 3.0)


def all_together(parts: Sequence[Delivery]) -> Delivery:
    """One message of them."""
    return fitting(parts, lambda _message: True)


def plan(store: MonitorDb, statement: str) -> list[str]:
    """What SQLite does for it, step by step."""

    def work(db: sqlite3.Connection) -> list[str]:
        return [detail for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {statement}")]

    return store._database.read(work)
