"""The statements about credentials: which is active, and every switch. Each runs inside the caller's transaction."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from token_monitor.core.alert import Switch
from token_monitor.core.failover import FailoverState
from token_monitor.core.time import rfc3339
from token_monitor.stores.codec import encode_failover

SWITCHES_KEPT: Final = 100_000  # all, as far as people are concerned: 15 MB, after years


def load(db: sqlite3.Connection) -> Mapping[str, str]:
    """The encoded state of every account that has one."""
    return dict(db.execute("SELECT account, state FROM failover"))


def save(db: sqlite3.Connection, account: str, state: FailoverState) -> None:
    """Replace the state of `account`."""
    db.execute("INSERT OR REPLACE INTO failover (account, state) VALUES (?, ?)", (account, encode_failover(state)))


def record(db: sqlite3.Connection, switch: Switch) -> None:
    """Add to the audit, of which the newest `SWITCHES_KEPT` rows stay.

    Does nothing if it is there already: the transaction may be a repetition of one that failed in its last moment.
    """
    values = (rfc3339(switch.at), switch.account, switch.origin, switch.target, switch.why.value, switch.dry_run)
    db.execute(
        "INSERT OR IGNORE INTO switch (at, account, from_label, to_label, why, dry_run) VALUES (?, ?, ?, ?, ?, ?)",
        values,
    )
    # By number, for counting the rows would take 50 ms. A repetition uses up a number: then it is one row less.
    db.execute("DELETE FROM switch WHERE row <= (SELECT max(row) FROM switch) - ?", (SWITCHES_KEPT,))


def newest(db: sqlite3.Connection, most: int) -> Sequence[tuple[str, str, str, str, str, int]]:
    """at, account, from, to, why and whether it was a dry run; the newest first."""
    return db.execute(
        "SELECT at, account, from_label, to_label, why, dry_run FROM switch ORDER BY row DESC LIMIT ?", (most,)
    ).fetchall()


def forget(db: sqlite3.Connection) -> None:
    """Drop the states of accounts of which nothing else is remembered."""
    db.execute("DELETE FROM failover WHERE NOT EXISTS (SELECT 1 FROM subject WHERE account = failover.account)")
