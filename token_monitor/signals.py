"""Signals as bytes in a pipe: the main thread reads them, and no handler takes a lock another thread may hold."""

import os
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Final

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """From construction on SIGTERM, SIGINT and SIGHUP do nothing but wait to be read.

    Made in the main thread, before anything slow: PID 1 has no default that would end it.
    """

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (*STOPPING, signal.SIGHUP):
            signal.signal(number, _ignore)

    def __iter__(self) -> Iterator[signal.Signals]:
        """The signals as they come; waits for the next."""
        while True:
            for number in os.read(self._read, 64):
                yield signal.Signals(number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number into the pipe; there is nothing else to do."""
