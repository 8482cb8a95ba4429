"""Writes one file, again and again, in a thread of its own: the volume that it lies on may hang."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

PATIENCE: Final = 2.0

Write = Callable[[], None]
"""Writes the file. Raises OSError or ValueError: it cannot be, and why."""

log = structlog.get_logger()


class FileWriter:
    """Keeps one file as it is wanted. What hangs holds up nothing but this file.

    The thread lives while there is something to write: a file at rest costs none, one that hangs costs one.
    every: seconds from one write to the next, at least.
    """

    def __init__(self, path: Path, every: float = 0.0) -> None:
        self._path = path
        self._every = every
        self._changed = threading.Condition()
        self._wanted: Write | None = None
        self._asked = self._done = 0
        self._begun = float("-inf")
        self._complaint = ""
        self._thread: threading.Thread | None = None
        self._stopping = False

    def want(self, write: Write) -> int:
        """Have the file written soon, and no longer as it was wanted before. Returns the number of the wish."""
        with self._changed:
            self._wanted = write
            self._asked += 1
            if not self._stopping and (self._thread is None or not self._thread.is_alive()):
                self._start()
            return self._asked

    def wait(self, wish: int) -> str | None:
        """What keeps the file from being as it was wanted by then, for people; None: nothing. Takes 2 s at most."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._done >= wish or self._stopping, PATIENCE):
                return f"{self._path} could not be written within {PATIENCE:g} s"
            cause = "token-monitor is stopping" if self._done < wish else self._complaint
        return f"{self._path} cannot be written: {cause}" if cause else None

    def stop(self) -> None:
        """Begin no write any more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"publisher {self._path}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread, self._wanted, self._done = None, None, self._asked
            self._complain("the system has no thread to spare")

    def _run(self) -> None:
        while (next_one := self._next()) is not None:
            wish, write = next_one
            self._attempt(write)
            with self._changed:
                self._done = wish
                self._changed.notify_all()

    def _next(self) -> tuple[int, Write] | None:
        """The latest wish, as soon as it may be fulfilled; None: there is none, and the thread ends."""
        with self._changed:
            while self._wanted and not self._stopping and (rest := self._until_next()) > 0:
                self._changed.wait(rest)
            if self._wanted is None or self._stopping:
                self._thread = None
                return None
            write, self._wanted, self._begun = self._wanted, None, time.monotonic()
            return self._asked, write

    def _until_next(self) -> float:
        return self._begun + self._every - time.monotonic()

    def _attempt(self, write: Write) -> None:
        """A file that cannot be written is said once for each cause; the next wish tries again."""
        try:
            write()
        except (OSError, ValueError) as error:
            self._complain(getattr(error, "strerror", None) or str(error))
        except Exception:
            self._complaint = "internal error; see the log"
            log.exception("Internal error", thread="publisher")
        else:
            if self._complaint:
                self._complaint = ""
                log.info("File published again", path=str(self._path))

    def _complain(self, cause: str) -> None:
        if self._complaint != cause:
            self._complaint = cause
            log.error("File not published, trying again", path=str(self._path), error=cause)
