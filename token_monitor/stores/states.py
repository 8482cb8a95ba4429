"""The statements of the judge's memory. Each runs inside the caller's transaction."""

import sqlite3
from collections.abc import Iterable, Mapping

from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.words import Kind
from token_monitor.stores.codec import encode_state


def load(db: sqlite3.Connection) -> Mapping[Subject, str]:
    """The encoded state of every subject. Subjects of a kind that this version does not know are left out."""
    rows = db.execute("SELECT kind, account, quantity, label, state FROM subject")
    kinds = set(Kind)
    return {Subject(Kind(kind), *key): state for kind, *key, state in rows if kind in kinds}


def save(db: sqlite3.Connection, subjects: Mapping[Subject, SubjectState], now: float) -> None:
    """Replace the states of `subjects`."""
    db.executemany(
        "INSERT OR REPLACE INTO subject (kind, account, quantity, label, state, episode, touched)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (*_key(subject), encode_state(state), state.standing.episode and state.standing.episode.id, now)
            for subject, state in subjects.items()
        ],
    )


def _key(subject: Subject) -> tuple[str, str, str, str]:
    return subject.kind.value, subject.account, subject.quantity, subject.label


def load_failures(db: sqlite3.Connection) -> Mapping[str, int]:
    """Failed polls in a row, by account."""
    return dict(db.execute("SELECT name, failures FROM account"))


def save_failures(db: sqlite3.Connection, account: str, failures: int) -> None:
    """Replace the failure count of `account`."""
    db.execute("INSERT OR REPLACE INTO account (name, failures) VALUES (?, ?)", (account, failures))


def forget(db: sqlite3.Connection, kept: Iterable[str], before: float) -> None:
    """Drop the states, untouched since `before`, of accounts not in `kept`; and counts of those without a state."""
    names = {name for (name,) in db.execute("SELECT account FROM subject UNION SELECT name FROM account")}
    for name in names.difference(kept):
        db.execute("DELETE FROM subject WHERE account = ? AND touched < ?", (name, before))
        db.execute(
            "DELETE FROM account WHERE name = ? AND NOT EXISTS (SELECT 1 FROM subject WHERE account = account.name)",
            (name,),
        )


def steady(db: sqlite3.Connection) -> float | None:
    """The latest steady time that a transaction recorded; None in a new database."""
    row = db.execute("SELECT value FROM meta WHERE key = 'steady'").fetchone()
    return None if row is None else float(row[0])


def record_steady(db: sqlite3.Connection, now: float) -> None:
    """Keep the latest steady time, for the clock of the next start (rule J1)."""
    db.execute(
        "INSERT INTO meta (key, value) VALUES ('steady', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
        (now,),
    )
