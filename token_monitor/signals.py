"""Signals as bytes in a pipe: the main thread reads them, and no handler takes a lock another thread may hold."""

import os
import select
import signal
from collections import deque
from collections.abc import Iterator
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """From construction on SIGTERM, SIGINT and SIGHUP do nothing but wait to be read.

    Made in the main thread, before anything slow: PID 1 has no default that would end it.
    """

    def __init__(self) -> None:
        self._unread: deque[signal.Signals] = deque()
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGHUP):
            signal.signal(number, _ignore)

    def __iter__(self) -> Iterator[signal.Signals]:
        """The signals as they come; waits for the next."""
        while True:
            if not self._unread:
                self._take()
            yield self._unread.popleft()

    def stopping(self, seconds: float) -> bool:
        """Whether a signal has come that ends the process; waits that long for one. It is still there to be read."""
        if select.select([self._read], [], [], seconds)[0]:
            self._take()
        return any(number in STOPPING for number in self._unread)

    def _take(self) -> None:
        self._unread.extend(map(signal.Signals, os.read(self._read, 64)))


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number into the pipe; there is nothing else to do."""
