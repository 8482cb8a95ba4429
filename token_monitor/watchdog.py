"""Ends what outlives its deadline: `requests` bounds each wait on the socket, not their sum."""

import heapq
import itertools
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self


class Guard:
    """One call under a deadline. The connection it uses reports itself through `watch`."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.fired = False
        self._done = False
        self._connection: Any = None
        self._lock = threading.Lock()

    def watch(self, connection: object) -> None:
        """This connection serves the call now; pooled connections pass from call to call."""
        with self._lock:
            self._connection = connection
            connection.guard = self  # type: ignore[attr-defined]

    def fire(self) -> None:
        """Break the connection: the thread that waits on it wakes with an error."""
        with self._lock:
            if self._done:
                return
            self.fired = True
            if getattr(self._connection, "guard", None) is self:
                _shut(getattr(self._connection, "sock", None))

    def __enter__(self) -> Self:
        _current.guard = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        with self._lock:
            self._done = True
        _current.guard = None


class Watchdog:
    """One thread for all guards; it sleeps until the earliest deadline."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Guard]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None

    def guard(self, timeout: float) -> Guard:
        """A guard that fires `timeout` seconds from now, unless its block has ended."""
        guard = Guard(time.monotonic() + timeout)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
            heapq.heappush(self._heap, (guard.deadline, next(self._order), guard))
            if self._heap[0][2] is guard:
                self._changed.notify()
        return guard

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap or self._heap[0][0] > time.monotonic():
                    self._changed.wait(self._heap[0][0] - time.monotonic() if self._heap else None)
                guard = heapq.heappop(self._heap)[2]
            guard.fire()


class _Current(threading.local):
    guard: Guard | None = None


_current = _Current()


def watched(connection: object) -> None:
    """Called by a connection about to work for this thread."""
    if _current.guard is not None:
        _current.guard.watch(connection)


def _shut(sock: socket.socket | None) -> None:
    if sock is None:
        return  # still connecting, which has a timeout of its own
    try:
        socket.socket.shutdown(
            sock, socket.SHUT_RDWR
        )  # of SSLSocket too: its own would drop state another thread reads
    except OSError:
        return  # already gone
