"""The statements about channels: what each owes, who may not be called yet, who is gone (rules O4, O8), retention."""

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from token_monitor.core.message import Backlog

PARKED_FOR: Final = 24 * 3600.0
KEPT_FOR: Final = 7 * 24 * 3600.0


def hold(db: sqlite3.Connection, channel: str, until: float) -> None:
    """Remember that the receiver asked not to be called before `until`."""
    db.execute(
        "INSERT INTO channel (name, held_until) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET held_until = excluded.held_until",
        (channel, until),
    )


def held_until(db: sqlite3.Connection, channel: str) -> float:
    """0 if the receiver asked for nothing."""
    row = db.execute("SELECT held_until FROM channel WHERE name = ?", (channel,)).fetchone()
    return 0.0 if row is None else float(row[0])


def backlogs(db: sqlite3.Connection) -> Mapping[str, Backlog]:
    """Of the channels there are, and of others that owe something or gave something up."""
    pending = dict(db.execute("SELECT channel, count(*) FROM outbox WHERE fate = 'pending' GROUP BY channel"))
    dead = dict(
        db.execute("SELECT channel, count(*) FROM outbox WHERE fate = 'dead' AND fate <> 'pending' GROUP BY channel")
    )
    errors = dict(db.execute("SELECT name, last_error FROM channel WHERE parked_at IS NULL"))
    return {
        name: Backlog(pending.get(name, 0), dead.get(name, 0), errors.get(name))
        for name in sorted({*errors, *pending, *dead})
    }


def adopt(db: sqlite3.Connection, channels: Iterable[str], now: float) -> None:
    """Take up the deliveries of `channels`; those of others are parked from now on, if they were not."""
    names = set(channels)
    owing = "SELECT name FROM channel UNION SELECT channel FROM outbox WHERE fate = 'pending'"
    known = {name for (name,) in db.execute(owing)}
    db.executemany("INSERT OR IGNORE INTO channel (name) VALUES (?)", [(name,) for name in names | known])
    db.executemany("UPDATE channel SET parked_at = NULL WHERE name = ?", [(name,) for name in names])
    db.executemany(
        "UPDATE channel SET parked_at = coalesce(parked_at, ?) WHERE name = ?", [(now, name) for name in known - names]
    )


def prune(db: sqlite3.Connection, now: float) -> None:
    """Bury what was parked a day ago; drop what was finished a week ago.

    Of each episode that is still open, the last row that told a channel of it stays: rule O6 asks for it.
    """
    gone = [(now, name) for (name,) in db.execute("SELECT name FROM channel WHERE parked_at < ?", (now - PARKED_FOR,))]
    db.executemany(
        "UPDATE outbox SET fate = 'dead', why = 'channel_removed', finished = ?, head = 0,"
        " ambiguous = ambiguous OR attempting, attempting = 0 WHERE channel = ? AND fate = 'pending'",
        gone,
    )
    db.executemany("DELETE FROM channel WHERE name = ?", [(name,) for _, name in gone])
    db.execute(
        "DELETE FROM outbox WHERE fate <> 'pending' AND finished < ? AND row NOT IN (SELECT max(row) FROM outbox"
        " WHERE (fate = 'sent' OR ambiguous) AND episode IN (SELECT episode FROM subject WHERE episode IS NOT NULL)"
        " GROUP BY channel, episode)",
        (now - KEPT_FOR,),
    )
