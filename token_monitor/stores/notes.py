"""The statements of what channels remember of episodes. Each runs inside the caller's transaction."""

import sqlite3
from typing import Final

KEPT_FOR: Final = 7 * 24 * 3600.0


def read(db: sqlite3.Connection, channel: str, episode: str) -> str | None:
    """What was kept last; None if nothing was."""
    row = db.execute("SELECT text FROM note WHERE channel = ? AND episode = ?", (channel, episode)).fetchone()
    return None if row is None else str(row[0])


def keep(db: sqlite3.Connection, channel: str, episode: str, text: str, now: float) -> None:
    """Replace what was there."""
    db.execute(
        "INSERT OR REPLACE INTO note (channel, episode, text, needed_at) VALUES (?, ?, ?, ?)",
        (channel, episode, text, now),
    )


def prune(db: sqlite3.Connection, now: float) -> None:
    """Drop what nobody has needed for 7 days. Needed: its episode is open, or its channel owes something of it."""
    db.execute(
        "UPDATE note SET needed_at = ? WHERE episode IN (SELECT episode FROM subject WHERE episode IS NOT NULL)"
        " OR (channel, episode) IN (SELECT channel, episode FROM outbox WHERE fate = 'pending')",
        (now,),
    )
    db.execute("DELETE FROM note WHERE needed_at < ?", (now - KEPT_FOR,))
