"""The statements of the outbox (rules O1 to O6). Each runs inside the caller's transaction.

A delivery is addressed by its row and its alert, so that one handed out before the store had to begin anew in memory
can never settle another alert that came to have the same number.
"""

import sqlite3
from collections.abc import Collection
from typing import Final

from token_monitor.core.errors import ChannelError
from token_monitor.core.message import Delivery, Fate, Message
from token_monitor.core.words import Reason
from token_monitor.stores.codec import encode_message

Row = tuple[int, str, float, int, float | None, float | None, str | None]
"""row, message, created, failures, hopeless since, attempted at, group."""

_ROW: Final = "row, message, created, failures, hopeless_since, attempted_at, batch"

_CLOSING: Final = ", ".join(f"'{reason.value}'" for reason in Reason if reason.closes)

# In quiet hours a subject passes with all it has, if something of it is critical, or ends what was told in these hours.
_AWAKE: Final = f"""(:since IS NULL OR EXISTS (SELECT 1 FROM outbox AS its
    WHERE its.channel = mine.channel AND its.subject = mine.subject AND its.fate = 'pending'
    AND (its.level = 'critical' OR its.reason IN ({_CLOSING}) AND EXISTS (SELECT 1 FROM outbox AS told
        WHERE told.channel = its.channel AND told.episode = its.episode
        AND told.fate = 'sent' AND told.finished >= :since))))"""  # noqa: S608

_TOLD: Final = "(fate IN ('sent', 'pending') OR attempting OR ambiguous)"
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
        "INSERT INTO outbox (channel, subject, episode, alert_id, reason, message, created, level, head) VALUES"
        " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
        " NOT EXISTS (SELECT 1 FROM outbox WHERE channel = ?1 AND subject = ?2 AND fate = 'pending'))",
        (
            channel,
            alert.subject,
            alert.episode,
            alert.id,
            alert.reason.value,
            encode_message(message),
            now,
            alert.level.value,
        ),
    )


def _supersede(db: sqlite3.Connection, channel: str, message: Message, now: float) -> None:
    rows = db.execute(
        "SELECT row FROM outbox WHERE channel = ? AND subject = ? AND fate = 'pending'"
        " AND reason = 'reminder' AND attempted_at IS NULL",
        (channel, message.alert.subject),
    ).fetchall()
    for (row,) in rows:
        finish(db, row, Fate.SUPERSEDED, message.alert.id, now)


def told(db: sqlite3.Connection, episode: str) -> list[str]:
    """The channels, the parked too, with a row of the episode that is sent, pending or perhaps arrived."""
    told = f"SELECT 1 FROM outbox WHERE channel = name AND episode = ? AND {_TOLD}"  # noqa: S608
    return [name for (name,) in db.execute(f"SELECT name FROM channel WHERE EXISTS ({told})", (episode,))]  # noqa: S608


def _told(db: sqlite3.Connection, channel: str, episode: str) -> bool:
    """Whether a row of the episode is sent, pending or perhaps arrived.

    Taken for granted of an episode that began before the file failed and could not even be read: its rows are there.
    """
    row = db.execute(
        f"SELECT 1 FROM outbox WHERE channel = ?1 AND episode = ?2 AND {_TOLD}"  # noqa: S608
        " UNION SELECT 1 FROM meta WHERE key = 'unread' AND value = 1"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE episode = ?2 AND reason = 'first')",
        (channel, episode),
    )
    return row.fetchone() is not None


def pick(
    db: sqlite3.Connection,
    channel: str,
    most: int,
    quiet_since: float | None,
    refused: Collection[tuple[int, str]] = (),
) -> list[Row]:
    """The rows of the next delivery: what was attempted together, else a head and, `most` in all, what may join it.

    refused: heads that are left out, by row and alert.
    """
    given = {"channel": channel, "since": quiet_since, "most": most, "heads": len(refused) + 1}
    heads = db.execute(
        f"SELECT {_ROW}, alone, alert_id FROM outbox AS mine WHERE channel = :channel AND head = 1 AND {_AWAKE}"  # noqa: S608
        " ORDER BY attempted_at, row LIMIT :heads",
        given,
    ).fetchall()
    head = next((head for head in heads if (head[0], head[-1]) not in refused), None)
    if head is None:
        return []
    *row, alone, _ = head
    attempted_at, group = row[5:]
    if group is not None:
        together = f"SELECT {_ROW} FROM outbox WHERE channel = ? AND fate = 'pending' AND batch = ? ORDER BY row"  # noqa: S608
        return db.execute(together, (channel, group)).fetchall()
    if most == 1 or attempted_at is not None or alone:
        return [tuple(row)]
    return db.execute(
        f"SELECT {_ROW} FROM outbox AS mine WHERE channel = :channel AND fate = 'pending'"  # noqa: S608
        f" AND attempted_at IS NULL AND {_AWAKE} AND EXISTS (SELECT 1 FROM outbox AS first"
        " WHERE first.channel = mine.channel AND first.subject = mine.subject AND first.fate = 'pending'"
        " AND first.head = 1 AND +first.attempted_at IS NULL) ORDER BY row LIMIT :most",  # +: else it walks all heads
        given,
    ).fetchall()


def begin(db: sqlite3.Connection, delivery: Delivery, now: float) -> bool:
    """Record that an attempt starts; False, and nothing, if part of it is owed no longer.

    An attempt whose outcome was never recorded may have arrived. What starts together stays together.
    """
    owed = f"SELECT 1 FROM outbox WHERE {_OWED}"  # noqa: S608
    if not all(db.execute(owed, _identity(part)).fetchone() for part in delivery.parts):
        return False
    group = delivery.message.group if delivery.members else None
    db.executemany(
        "UPDATE outbox SET attempted_at = ?, ambiguous = ambiguous OR attempting, attempting = 1, batch = ?"  # noqa: S608
        f" WHERE {_OWED}",
        [(now, group, *_identity(part)) for part in delivery.parts],
    )
    return True


def failed(db: sqlite3.Connection, delivery: Delivery, error: ChannelError) -> None:
    """Record what came of an attempt, and why, for the channel."""
    db.executemany(
        "UPDATE outbox SET failures = ?, hopeless_since = ?, ambiguous = ambiguous OR ?, attempting = 0"  # noqa: S608
        f" WHERE {_OWED}",
        [(delivery.failures, delivery.hopeless_since, error.ambiguous, *_identity(part)) for part in delivery.parts],
    )
    record_error(db, delivery.channel, error.reason)


def dissolve(db: sqlite3.Connection, delivery: Delivery) -> None:
    """Have the members of a group go one by one from now on, each with a clean slate: one of them may be the cause."""
    db.executemany(
        f"UPDATE outbox SET batch = NULL, alone = 1, failures = 0, hopeless_since = NULL WHERE {_OWED}",  # noqa: S608
        [_identity(part) for part in delivery.parts],
    )


def settle(db: sqlite3.Connection, delivery: Delivery, fate: Fate, why: str | None, now: float) -> None:
    """Give `delivery` its final fate, if it is still owed."""
    for part in delivery.parts:
        if db.execute(f"SELECT 1 FROM outbox WHERE {_OWED}", _identity(part)).fetchone():  # noqa: S608
            finish(db, part.row, fate, why, now)


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
    own = sorted({part.message.alert.subject for part in delivery.parts})
    (count,) = db.execute(
        "SELECT count(*) FROM outbox WHERE channel = ? AND fate = 'sent' AND fate <> 'pending'"  # noqa: S608
        f" AND finished > ? AND subject NOT IN ({', '.join('?' * len(own))})",
        (delivery.channel, since, *own),
    ).fetchone()
    return int(count)


def attempts(db: sqlite3.Connection, channel: str, since: float) -> list[float]:
    """When something was attempted after `since`; what was attempted together is one."""
    rows = db.execute(
        "SELECT attempted_at, coalesce(batch, row) FROM outbox"
        " WHERE channel = ?1 AND fate = 'pending' AND attempted_at > ?2"
        " UNION SELECT attempted_at, coalesce(batch, row) FROM outbox"
        " WHERE channel = ?1 AND fate IN ('sent', 'dead') AND fate <> 'pending' AND finished > ?2 AND attempted_at > ?2"
        " ORDER BY attempted_at",
        (channel, since),
    )
    return [at for at, _ in rows]


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
