"""The tables of `monitor.db`. `PRAGMA user_version` counts the migrations that a database has had."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from token_monitor.stores.errors import StoreError

# Times are steady seconds (rule J1), except those inside JSON.
# meta: `steady`, the latest time known; `unread`, only in memory: there may be a file whose content is not here.
# subject.episode: the open episode; retention keeps what tells which channels know of it.
# outbox.subject: as messages call it. outbox.head: the oldest pending row of its (channel, subject).
# outbox.attempting: begun, and its outcome not recorded; ambiguous: an earlier attempt may have arrived.
_FIRST: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID",
    """CREATE TABLE subject (
        kind TEXT NOT NULL, account TEXT NOT NULL, label TEXT NOT NULL, quantity TEXT NOT NULL,
        state TEXT NOT NULL, episode TEXT, touched REAL NOT NULL,
        PRIMARY KEY (account, kind, label, quantity)
    ) WITHOUT ROWID""",
    "CREATE TABLE account (name TEXT PRIMARY KEY, failures INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE channel (
        name TEXT PRIMARY KEY, held_until REAL NOT NULL DEFAULT 0, parked_at REAL, last_error TEXT
    ) WITHOUT ROWID""",
    """CREATE TABLE outbox (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL, subject TEXT NOT NULL, episode TEXT NOT NULL, alert_id TEXT NOT NULL,
        reason TEXT NOT NULL, message TEXT NOT NULL, created REAL NOT NULL,
        fate TEXT NOT NULL DEFAULT 'pending', why TEXT, finished REAL,
        head INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, hopeless_since REAL,
        attempted_at REAL, attempting INTEGER NOT NULL DEFAULT 0, ambiguous INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE UNIQUE INDEX outbox_alert ON outbox (channel, episode, alert_id)",
    "CREATE INDEX outbox_pending ON outbox (channel, subject) WHERE fate = 'pending'",
    "CREATE INDEX outbox_head ON outbox (channel, attempted_at) WHERE head = 1",
    "CREATE INDEX outbox_done ON outbox (channel, fate, finished) WHERE fate <> 'pending'",
)

# level: of the alert. batch: the group it was attempted with. alone: never to be grouped again.
_GROUPS: Final = (
    "ALTER TABLE outbox ADD COLUMN level TEXT",
    "ALTER TABLE outbox ADD COLUMN batch TEXT",
    "ALTER TABLE outbox ADD COLUMN alone INTEGER NOT NULL DEFAULT 0",
)

# note.needed_at: when its episode was last known to be open, or its channel to owe something of it.
_NOTES: Final = (
    """CREATE TABLE note (
        channel TEXT NOT NULL, episode TEXT NOT NULL, text TEXT NOT NULL, needed_at REAL NOT NULL,
        PRIMARY KEY (channel, episode)
    ) WITHOUT ROWID""",
)

# switch.at: wall time, RFC 3339. Unique, so that a transaction done twice leaves one row.
_FAILOVER: Final = (
    "CREATE TABLE failover (account TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE switch (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL, account TEXT NOT NULL, from_label TEXT NOT NULL, to_label TEXT NOT NULL, why TEXT NOT NULL,
        dry_run INTEGER NOT NULL, UNIQUE (account, at, from_label, to_label, dry_run)
    )""",
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (
    _FIRST,
    _GROUPS,
    _NOTES,
    _FAILOVER,
)
VERSION: Final = len(MIGRATIONS)


def migrate(db: sqlite3.Connection) -> None:
    """Bring a database to this version, in one transaction. Raises StoreError: a newer version wrote it."""
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    if found == VERSION:
        return
    if found > VERSION:
        raise StoreError(
            f"monitor.db has version {found}, this token-monitor knows versions up to {VERSION}: "
            "a newer one wrote it. Upgrade token-monitor, or set TOKEN_MONITOR_DATA to another folder."
        )
    db.execute("BEGIN IMMEDIATE")
    for statements in MIGRATIONS[found:]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
