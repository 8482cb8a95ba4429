"""The data folder: its lock, and the file of the database in it."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from token_monitor.stores import files
from token_monitor.stores.lock import FolderLock


class DataFolder:
    """Opens `monitor.db` in a folder that this process holds the lock of. Not safe for threads.

    say: gets a line for people about a damaged file.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self._database = path / "monitor.db"
        self._lock = FolderLock(path)
        self._say = say
        self._opened: tuple[int, int] | None = None

    def open(self, wait: float, pause: Callable[[float], object] = time.sleep) -> sqlite3.Connection:
        """The database, with the folder and the lock made if need be; a damaged one is set aside for a new one.

        wait, pause: of `FolderLock.acquire`.
        Raises StoreError: the folder is another daemon's, or the file a newer version's. OSError,
        sqlite3.DatabaseError: it cannot be used.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire(wait, pause)
        try:
            connection = files.open_file(self._database)
        except sqlite3.DatabaseError as error:
            if not files.is_damage(error):
                raise
            self._set_aside(error)
            connection = files.open_file(self._database)
        self._opened = self._identity()
        return connection

    def read(self) -> sqlite3.Connection | None:
        """A copy in memory of a database that perhaps can only be read; None if it cannot, or there is none.

        Raises StoreError: it is a newer version's.
        """
        with suppress(OSError, sqlite3.DatabaseError):
            return files.copy_read_only(self._database)
        return None

    def in_place(self) -> bool:
        """Whether the path still names the file that was opened: it may be removed, or a volume mounted over it."""
        return self._opened is not None and self._identity() == self._opened

    def close(self) -> None:
        """Drop the lock."""
        self._lock.release()

    def _identity(self) -> tuple[int, int] | None:
        try:
            stat = self._database.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino

    def _set_aside(self, cause: sqlite3.DatabaseError) -> None:
        aside = files.set_aside(self._database, datetime.now(UTC))
        self._say(
            f"{self._database} was damaged ({cause}): it is kept as {aside.name}, and a new one is begun. "
            "What is low may be announced again; alerts not delivered yet are only in the file set aside."
        )
