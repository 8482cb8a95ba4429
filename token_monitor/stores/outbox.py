"""The statements of the outbox (rules O1 to O6). Each runs inside the caller's transaction.

A delivery is addressed by its row and its alert, so that one handed out before the store had to begin anew in memory
can never settle another alert that came to have the same number.
"""

import sqlite3
from typing import Final

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Delivery, Fate, Message
from token_monitor.stores.codec import encode_message

Row = tuple[int, str, float, int, float | None]

_OWED: Final = "row = ? AND channel = ? AND alert_id = ? AND fate = 'pending'"


def owe(db: sqlite3.Connection, channel: str, message: Message, now: float) -> None:
    """Add a delivery. A reminder of the subject that never was attempted makes way for it (rule O5).

    A closing message is only for channels that were told of the episode or may have been (rule O6); judged after the
    reminder has made way, so that nobody hears the end of what they never heard of, nor a reminder of what has ended.
    Does nothing if it is there already: the transaction may be a repetition of one that failed in its last moment.
    """
    alert = message.alert
    same = (channel, alert.episode, alert.id)
    if db.execute("SELECT 1 FROM outbox WHERE channel = ? AND episode = ? AND alert_id = ?", same).fetchone():
        return
    _supersede(db, channel, message, now)
    if alert.reason.closes and not _told(db, channel, alert.episode):
        return
    db.execute(
        "INSERT INTO outbox (channel, subject, episode, alert_id, reason, message, created, head) VALUES"
        " (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " NOT EXISTS (SELECT 1 FROM outbox WHERE channel = ?1 AND subject = ?2 AND fate = 'pending'))",
        (channel, alert.subject, alert.episode, alert.id, alert.reason.value, encode_message(message), now),
    )


def _supersede(db: sqlite3.Connection, channel: str, message: Message, now: float) -> None:
    rows = db.execute(
        "SELECT row FROM outbox WHERE channel = ? AND subject = ? AND fate = 'pending'"
        " AND reason = 'reminder' AND attempted_at IS NULL",
        (channel, message.alert.subject),
    ).fetchall()
    for (row,) in rows:
        finish(db, row, Fate.SUPERSEDED, message.alert.id, now)


def _told(db: sqlite3.Connection, channel: str, episode: str) -> bool:
    """Whether a row of the episode is sent, pending or perhaps arrived.

    Taken for granted of an episode that began before the file failed and could not even be read: its rows are there.
    """
    row = db.execute(
        "SELECT 1 FROM outbox WHERE channel = ?1 AND episode = ?2"
        " AND (fate IN ('sent', 'pending') OR attempting OR ambiguous)"
        " UNION SELECT 1 FROM meta WHERE key = 'unread' AND value = 1"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE episode = ?2 AND reason = 'first')",
        (channel, episode),
    )
    return row.fetchone() is not None


def oldest_head(db: sqlite3.Connection, channel: str) -> Row | None:
    """Of the heads of `channel`, the least recently attempted: row, message, created, failures, hopeless since."""
    found: Row | None = db.execute(
        "SELECT row, message, created, failures, hopeless_since FROM outbox"
        " WHERE channel = ? AND head = 1 ORDER BY attempted_at, row LIMIT 1",
        (channel,),
    ).fetchone()
    return found


def begin(db: sqlite3.Connection, delivery: Delivery, now: float) -> None:
    """Record that an attempt starts. One whose outcome was never recorded may have arrived."""
    db.execute(
        "UPDATE outbox SET attempted_at = ?, ambiguous = ambiguous OR attempting, attempting = 1"  # noqa: S608
        f" WHERE {_OWED}",
        (now, *_identity(delivery)),
    )


def failed(db: sqlite3.Connection, delivery: Delivery, error: ChannelError, hopeless_since: float | None) -> None:
    """Record what came of an attempt, and why, for the channel. Only a `retry` counts against it (rule O2)."""
    db.execute(
        "UPDATE outbox SET failures = failures + ?, hopeless_since = ?, ambiguous = ambiguous OR ?, attempting = 0"  # noqa: S608
        f" WHERE {_OWED}",
        (error.scope is Scope.RETRY, hopeless_since, error.ambiguous, *_identity(delivery)),
    )
    record_error(db, delivery.channel, error.reason)


def settle(db: sqlite3.Connection, delivery: Delivery, fate: Fate, why: str | None, now: float) -> None:
    """Give `delivery` its final fate, if it is still owed."""
    if db.execute(f"SELECT 1 FROM outbox WHERE {_OWED}", _identity(delivery)).fetchone():  # noqa: S608
        finish(db, delivery.row, fate, why, now)


def finish(db: sqlite3.Connection, row: int, fate: Fate, why: str | None, now: float) -> None:
    """Give a pending row its final fate; the next of its subject becomes the head."""
    db.execute(
        "UPDATE outbox SET fate = ?, why = ?, finished = ?, head = 0,"
        " ambiguous = ambiguous OR attempting, attempting = 0 WHERE row = ?",
        (fate.value, why, now, row),
    )
    db.execute(
        "UPDATE outbox SET head = 1 WHERE row = (SELECT min(next.row) FROM outbox AS done JOIN outbox AS next"
        " ON next.channel = done.channel AND next.subject = done.subject AND next.fate = 'pending' WHERE done.row = ?)",
        (row,),
    )


def passed_since(db: sqlite3.Connection, delivery: Delivery, since: float) -> int:
    """How many deliveries of other subjects the channel has sent since."""
    (count,) = db.execute(
        "SELECT count(*) FROM outbox WHERE channel = ? AND fate = 'sent' AND fate <> 'pending'"
        " AND finished > ? AND subject <> ?",
        (delivery.channel, since, delivery.message.alert.subject),
    ).fetchone()
    return int(count)


def record_error(db: sqlite3.Connection, channel: str, reason: str | None) -> None:
    """What the latest attempt of `channel` said; None if it succeeded."""
    db.execute(
        "INSERT INTO channel (name, last_error) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET last_error = excluded.last_error",
        (channel, reason),
    )


def mark_heads(db: sqlite3.Connection) -> None:
    """Find all heads anew."""
    db.execute("UPDATE outbox SET head = 0 WHERE head = 1")
    db.execute(
        "UPDATE outbox SET head = 1 WHERE row IN"
        " (SELECT min(row) FROM outbox WHERE fate = 'pending' GROUP BY channel, subject)"
    )


def _identity(delivery: Delivery) -> tuple[int, str, str]:
    return delivery.row, delivery.channel, delivery.message.alert.id
