"""Opening, copying and setting aside the file of a database."""

import os
import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from token_monitor.stores.schema import migrate

_BUSY_SECONDS: Final = 2.0
_CACHE_KIB: Final = 1024
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FAILED: Final = (
    *_DAMAGED,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
)


class DamagedError(sqlite3.DatabaseError):
    """SQLite's own check found the file inconsistent."""


def is_damage(error: Exception) -> bool:
    """Whether the content of the file is at fault."""
    return isinstance(error, DamagedError) or _primary_code(error) in _DAMAGED


def is_storage_failure(error: Exception) -> bool:
    """Whether the file or the device under it is at fault, and not the statement."""
    return isinstance(error, DamagedError) or _primary_code(error) in _FAILED


def in_memory() -> sqlite3.Connection:
    """An empty database in memory."""
    db = _connect(":memory:")
    migrate(db)
    return db


def open_file(path: Path) -> sqlite3.Connection:
    """The database at `path`, checked and brought to this version; made, readable by its owner only, if it is missing.

    Locked exclusively: no other process can open it, and SQLite keeps its index of the log on the heap instead of in
    a mapped file, where a volume that vanishes would kill this process with SIGBUS.
    Raises OSError, sqlite3.DatabaseError: it cannot be used. StoreError: a newer version wrote it.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    with suppress(PermissionError):
        path.chmod(0o600)
    db = _connect(f"{path.absolute().as_uri()}?mode=rw")
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        check(db)
        migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def check(db: sqlite3.Connection) -> None:
    """Raises DamagedError: pages of the database are missing or contradict each other."""
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DamagedError(str(found).splitlines()[-1])


def copy_connected(source: sqlite3.Connection) -> sqlite3.Connection:
    """A copy in memory of what `source` has committed. Raises sqlite3.DatabaseError."""
    if source.in_transaction:  # the failed one could not be ended
        source.execute("ROLLBACK")
    return _copied(source)


def copy_read_only(path: Path) -> sqlite3.Connection:
    """A copy in memory of a file that perhaps can only be read, its log included.

    The caller holds the folder's lock, or nobody can write there: SQLite's own locks are off.
    Raises OSError, sqlite3.DatabaseError. StoreError: a newer version wrote it.
    """
    logged = path.with_name(path.name + "-wal").exists()
    source = _connect(f"{path.absolute().as_uri()}?mode=ro&" + ("vfs=unix-none" if logged else "immutable=1"))
    try:
        return _copied(source)
    finally:
        source.close()


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Replace the content of `target`, in one transaction of it. Raises sqlite3.DatabaseError."""

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # `backup` itself would try for ever
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=look)


def set_aside(path: Path, moment: datetime) -> Path:
    """Rename a damaged database, its log first: a log left beside a new database would be played into it.

    Raises OSError.
    """
    aside = path.with_name(f"{path.name}.corrupt-{moment:%Y%m%dT%H%M%SZ}")
    with suppress(FileNotFoundError):
        path.with_name(path.name + "-wal").rename(aside.with_name(aside.name + "-wal"))
    path.rename(aside)
    return aside


def _copied(source: sqlite3.Connection) -> sqlite3.Connection:
    target = _connect(":memory:")
    try:
        copy(source, target)
        check(target)
        migrate(target)
    except BaseException:
        target.close()
        raise
    return target


def _connect(name: str) -> sqlite3.Connection:
    """Without Python's hidden transactions; the caller keeps threads apart.

    The locking mode comes first: any other statement could already have mapped the index of the log.
    """
    uri = name.startswith("file:")
    db = sqlite3.connect(name, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=uri)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


def _primary_code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
