"""One daemon per data folder: an advisory lock that the kernel drops when its process ends, however it ends."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from token_monitor.core.time import human_duration
from token_monitor.stores.errors import StoreLockedError

_LOOK_AGAIN: Final = 0.05


class FolderLock:
    """`monitor.lock` in a folder, locked with flock(2). Not safe for threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "monitor.lock"
        self._descriptor: int | None = None

    def acquire(self, wait: float, pause: Callable[[float], object] = time.sleep) -> None:
        """Take the lock, if it is not held already, waiting at most `wait` seconds for another process to drop it.

        pause: waits the seconds it is given; a true answer ends the waiting early (an `Event.wait` fits).
        Raises StoreLockedError: another process holds it. OSError: the folder cannot be used.
        """
        if self._in_place():
            return
        self.release()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait
        try:
            while not _locked(descriptor):
                if time.monotonic() >= deadline or pause(_LOOK_AGAIN):
                    raise StoreLockedError(self._refusal(wait))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Drop the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _in_place(self) -> bool:
        """Whether what is locked is still what the path names; a volume may have been mounted over it."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _refusal(self, wait: float) -> str:
        waited = f" (waited {human_duration(wait)})" if wait else ""
        return (
            f"Another token-monitor uses the data folder {self._path.parent}{waited}: "
            "stop it, or give this one a folder of its own with TOKEN_MONITOR_DATA."
        )


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
