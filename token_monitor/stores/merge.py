"""Joins what a file holds to what memory gathered while the file could not be read."""

import sqlite3

from token_monitor.stores.files import in_memory
from token_monitor.stores.outbox import mark_heads


def begin_unread(*, amid: bool) -> sqlite3.Connection:
    """An empty database in memory that knows that there may be a file with more.

    amid: in mid-run, when episodes are open whose deliveries are in that file.
    """
    db = in_memory()
    db.execute("INSERT INTO meta (key, value) VALUES ('unread', ?)", (amid,))
    return db


def merge_older(db: sqlite3.Connection, older: sqlite3.Connection) -> None:
    """Add to `db` what `older` has and it lacks, if `begin_unread` made it. Within a transaction of `db`.

    The rows of `db` keep their numbers, which deliveries on their way refer to; older rows are numbered below them,
    as they go out first.
    """
    if not db.execute("DELETE FROM meta WHERE key = 'unread'").rowcount:
        return
    (steady,) = older.execute("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'steady'").fetchone()
    db.execute("UPDATE meta SET value = max(value, ?) WHERE key = 'steady'", (steady,))
    for table in ("meta", "subject", "account", "channel", "note", "failover"):
        _copy(db, older, table, 0)
    for table in ("outbox", "switch"):
        (lowest,) = db.execute(f"SELECT coalesce(min(row), 1) FROM {table}").fetchone()  # noqa: S608
        (highest,) = older.execute(f"SELECT coalesce(max(row), 0) FROM {table}").fetchone()  # noqa: S608
        _copy(db, older, table, lowest - 1 - highest)
    mark_heads(db)


def _copy(db: sqlite3.Connection, older: sqlite3.Connection, table: str, shift: int) -> None:
    """Copy the rows whose keys are free, adding `shift` to a number in the first column."""
    rows = older.execute(f"SELECT * FROM {table}")  # noqa: S608
    marks = ",".join("?" * len(rows.description))
    shifted = ((row[0] + shift, *row[1:]) for row in rows) if shift else rows
    db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", shifted)  # noqa: S608
