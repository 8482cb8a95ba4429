"""One connection for all threads: on a file for as long as the file works, and in memory while it does not."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from token_monitor.stores import files
from token_monitor.stores.errors import StoreError
from token_monitor.stores.folder import DataFolder
from token_monitor.stores.merge import begin_unread, merge_older

_T = TypeVar("_T")
Work = Callable[[sqlite3.Connection], _T]
Say = Callable[[str], None]

_TROUBLE: Final = (
    "Cannot use the data folder {folder} ({cause}): the alert state is in memory now, and a restart would lose it. "
    "Watching and alerting go on. Make the folder writable, with free space; it is tried again every 30 seconds."
)
_GONE: Final = "monitor.db was removed or replaced"


class Database:
    """Transactions on the database of a folder. Safe for threads; one transaction at a time.

    folder: None keeps everything in memory, for good.
    on_trouble: gets a line for people when the file fails, and when a damaged one was set aside.
    on_recovery: gets one when the file is used again. Both are called after the transaction, by its thread.
    """

    def __init__(self, folder: Path | None, on_trouble: Say, on_recovery: Say) -> None:
        self._said: deque[tuple[Say, str]] = deque()
        self._on_trouble = on_trouble
        self._on_recovery = on_recovery
        self._folder = None if folder is None else DataFolder(folder, lambda line: self._note(on_trouble, line))
        self._mutex = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self.durable = False

    def open(self, wait: float, pause: Callable[[float], object] = time.sleep) -> None:
        """Open the file, waiting at most `wait` seconds for the folder's lock; or begin in memory.

        Raises StoreError: the folder is another daemon's, or the file a newer version's.
        """
        try:
            if self._folder is None:
                self._connection = files.in_memory()
                return
            try:
                self._connection = self._folder.open(wait, pause)
                self.durable = True
            except (OSError, sqlite3.DatabaseError) as error:
                self._connection = self._read_folder(self._folder, amid=False)
                self._note_trouble(self._folder, error)
        except BaseException:
            self.close()
            raise
        self._report()

    def read(self, work: Work[_T]) -> _T:
        """What `work` reads. It must change nothing."""
        return self._run(work)

    def write(self, work: Work[_T]) -> _T:
        """Do `work` in one transaction: when this returns it is on the disk, or in memory if the disk failed.

        `work` may be done twice, first on the file and then in memory; only one of them counts.
        """
        return self._run(lambda db: _transaction(db, work))

    def heal(self) -> bool:
        """Try to bring the file back into use, and return whether it is. Cheap while all is well.

        What memory holds replaces the file's content in one transaction of the file: a crash leaves one or the other.
        """
        with self._mutex:
            if self._folder is not None and self._connection is not None:
                self._heal(self._folder, self._connection)
        self._report()
        return self.durable

    def close(self) -> None:
        """End the connection and drop the lock. Every later call raises StoreError."""
        with self._mutex:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._folder is not None:
                self._folder.close()

    def _run(self, work: Work[_T]) -> _T:
        try:
            with self._mutex:
                try:
                    return work(self._live())
                except sqlite3.DatabaseError as error:
                    if self._folder is None or not self.durable or not files.is_storage_failure(error):
                        raise
                    self._leave_file(self._folder, error)
                    return work(self._live())
        finally:
            self._report()

    def _live(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError("the store is closed")
        return self._connection

    def _leave_file(self, folder: DataFolder, error: Exception) -> None:
        """Go on in memory, with what the connection can still read, or else the file."""
        file, self._connection, self.durable = self._live(), None, False
        with suppress(sqlite3.DatabaseError):
            self._connection = files.copy_connected(file)
        with suppress(sqlite3.DatabaseError):
            file.close()
        if self._connection is None:
            self._connection = self._read_folder(folder, amid=True)
        self._note_trouble(folder, error)

    def _read_folder(self, folder: DataFolder, *, amid: bool) -> sqlite3.Connection:
        """A copy of what the folder holds; empty if that cannot be read, to be joined with it when it can be."""
        return folder.read() or begin_unread(amid=amid)

    def _heal(self, folder: DataFolder, memory: sqlite3.Connection) -> None:
        if self.durable:
            if folder.in_place():
                return
            self._leave_file(folder, FileNotFoundError(0, _GONE))
            memory = self._live()
        with suppress(OSError, StoreError, sqlite3.DatabaseError):
            file = folder.open(wait=0)
            try:
                self._move(memory, file)
            except BaseException:
                file.close()
                raise
            self._connection, self.durable = file, True
            memory.close()
            self._note(
                self._on_recovery, f"The data folder {folder.path} works again: the alert state is stored in it."
            )

    def _move(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        _transaction(memory, lambda db: merge_older(db, file))
        files.copy(memory, file)

    def _note_trouble(self, folder: DataFolder, error: Exception) -> None:
        cause = getattr(error, "strerror", None) or error
        self._note(self._on_trouble, _TROUBLE.format(folder=folder.path, cause=cause))

    def _note(self, say: Say, line: str) -> None:
        self._said.append((say, line))

    def _report(self) -> None:
        with suppress(IndexError):  # another thread may have taken the last
            while self._said:
                say, line = self._said.popleft()
                say(line)


def _transaction(db: sqlite3.Connection, work: Work[_T]) -> _T:
    db.execute("BEGIN IMMEDIATE")
    try:
        result = work(db)
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.DatabaseError):
            db.execute("ROLLBACK")
        raise
    return result
