"""Standard output, owned by one thread: a blocked or closed pipe stops that thread and nothing else."""

import os
import select
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from attrs import define

MAX_WAITING: Final = 1000


def _say_dropped(count: int) -> str:
    return f"{count} log lines dropped"


@define
class _Line:
    """A line on its way. `written` is set for an alert: somebody waits for it, and for `error`."""

    data: bytes
    written: threading.Event | None = None
    error: OSError | None = None


class Output:
    """Lines to one file descriptor, written whole and in order.

    render_dropped: the line that says how many ordinary lines were lost; set by whoever knows the format.
    """

    def __init__(self, fd: int) -> None:
        self.fd: Final = fd
        self.render_dropped: Callable[[int], str] = _say_dropped
        self._queue: SimpleQueue[_Line | None] = SimpleQueue()
        self._lock = threading.RLock()  # a signal handler may log while its thread is logging
        self._dropped = 0
        self._closed = False
        self._torn = False
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def line(self, text: str) -> None:
        """Write an ordinary line some time soon. Never blocks: dropped, and counted, when 1,000 lines wait."""
        with self._lock:
            if self._closed or self._queue.qsize() >= MAX_WAITING:
                self._dropped += 1
            else:
                self._queue.put(_Line(_encoded(text)))

    def alert(self, text: str) -> None:
        """Write a line that must not be lost, and return when all of it was accepted. Blocks as long as a pipe does.

        Raises OSError: it was not written whole (the pipe is closed, the disk is full).
        """
        line = _Line(_encoded(text), threading.Event())
        with self._lock:
            if self._closed:
                raise OSError("the output is closed")
            self._queue.put(line)
        assert line.written is not None
        line.written.wait()
        if line.error is not None:
            raise line.error

    def close(self, timeout: float) -> bool:
        """Take no more lines and write those that wait; False if they were not all tried within `timeout` seconds."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                self._write(line.data)
            except OSError as error:
                self._failed(line, error)
            else:
                if line.written is not None:
                    line.written.set()
                self._confess()

    def _failed(self, line: _Line, error: OSError) -> None:
        if line.written is None:
            self._lost(1)
        else:
            line.error = error
            line.written.set()

    def _confess(self) -> None:
        """Say how many lines were dropped, now that the output takes lines again."""
        with self._lock:
            count, self._dropped = self._dropped, 0
        if not count:
            return
        try:
            self._write(_encoded(self.render_dropped(count)))
        except OSError:
            self._lost(count)

    def _lost(self, count: int) -> None:
        with self._lock:
            self._dropped += count

    def _write(self, data: bytes) -> None:
        """All of `data`, after a line break if an earlier line was cut short."""
        rest = memoryview(b"\n" + data if self._torn else data)
        while rest:
            try:
                count = os.write(self.fd, rest)
            except BlockingIOError:
                self._wait()
                continue
            self._torn = rest[count - 1] != ord("\n")
            rest = rest[count:]

    def _wait(self) -> None:
        """Until a non-blocking descriptor takes data; errors show in the next write."""
        poller = select.poll()
        poller.register(self.fd, select.POLLOUT)
        poller.poll()


def _encoded(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes `\\ud800`, which JSON reads as what it was."""
    return text.encode("utf-8", "backslashreplace") + b"\n"
