"""Alerts, changes and stores, for tests of what remembers them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import Popen
from typing import Protocol

from attrs import field, frozen

from token_monitor.core.alert import Alert, Measured
from token_monitor.core.episode import Episode, Standing
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Delivery, Message
from token_monitor.core.ports import Change
from token_monitor.core.words import Kind, Reason, State, Trigger
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

AT = datetime(2026, 4, 5, 10, tzinfo=UTC)
BALANCE = Subject(Kind.ACCOUNT, "facefusion", "balance")
DAY = 86400.0


@frozen
class Lines:
    """What a store said to people."""

    trouble: list[str] = field(factory=list)
    recovery: list[str] = field(factory=list)

    def open(self, folder: Path | None) -> MonitorDb:
        return open_monitor_db(folder, self.trouble.append, self.recovery.append, wait=0)


class Start(Protocol):
    """Starts a Python process with `code` and arguments, its standard streams piped."""

    def __call__(self, code: str, *arguments: object) -> "Popen[str]": ...


class Mount(Protocol):
    """Calls mount(8)."""

    def __call__(self, *arguments: str) -> None: ...


def answer(process: "Popen[str]") -> str:
    """The next line a process writes."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: "Popen[str]") -> None:
    """Send a process a line."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def message(name: str, reason: Reason = Reason.FIRST, subject: str = "facefusion/balance") -> Message:
    """The alert `EPISODE-NUMBER`."""
    measured = Measured("balance", Trigger.THRESHOLD, Decimal("0.10"), Decimal(10), None, "calls")
    account = subject.partition("/")[0]
    episode = name.partition("-")[0]
    return Message(
        Alert(name, Kind.ACCOUNT, subject, account, State.LOW, reason, episode, AT, measured), f"text {name}"
    )


def owing(*messages: Message, to: Sequence[str] = ("ops",)) -> Change:
    """A change that only raises messages."""
    return Change("facefusion", messages=[(each, to) for each in messages])


def in_episode(name: str) -> SubjectState:
    return SubjectState(Standing(State.LOW, Episode(name, State.LOW, 1.0, 1), {State.LOW: 1.0}))


def names(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.message.alert.id for delivery in deliveries]


def owed(store: MonitorDb, channel: str = "ops") -> Delivery:
    delivery = store.next_delivery(channel)
    assert delivery is not None
    return delivery


def drain(store: MonitorDb, channel: str = "ops", now: float = 1000.0) -> list[str]:
    """Deliver everything; the ids in the order they left."""
    sent = []
    while delivery := store.next_delivery(channel):
        store.begin(delivery, now)
        store.sent(delivery, now)
        sent.append(delivery.message.alert.id)
    return sent


def block(folder: Path) -> None:
    """Put a file where the folder should be: even root cannot use it then. A folder that was there is kept aside."""
    if folder.exists():
        folder.rename(folder.with_suffix(".away"))
    folder.touch()


def unblock(folder: Path) -> None:
    """Undo `block`."""
    folder.unlink()
    if folder.with_suffix(".away").exists():
        folder.with_suffix(".away").rename(folder)


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    """What the closed database in `folder` answers, after a check of its integrity."""
    with closing(sqlite3.connect(folder / "monitor.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return db.execute(query).fetchall()
