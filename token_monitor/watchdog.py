"""Ends what outlives its deadline: `requests` bounds each wait on the socket, not their sum."""

import heapq
import itertools
import os
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

_MANY: Final = 1000


class Guard:
    """One call under a deadline. The connection that serves it reports its socket by `watch`.

    fired: the deadline passed while the call was going on.
    connected: the other side may have seen the request.
    ended: the block is left; nothing fires any more.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.fired = False
        self.connected = False
        self.ended = False
        self._duplicate: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def left(self) -> float:
        """Seconds until the deadline; at least a millisecond, for 0 means something else to sockets."""
        return max(self.deadline - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """The call goes on over this socket.

        A duplicate of its descriptor is kept: `sock` itself loses its own to the TLS layer, and a closed one's number
        soon belongs to another connection.
        """
        duplicate = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._forget()
            self._duplicate = duplicate
            if self.fired:
                _shut(duplicate)

    def release(self) -> None:
        """The socket goes back to the pool, and may soon serve another call."""
        with self._lock:
            self._forget()

    def fire(self) -> None:
        """Break the connection: the thread that waits on it wakes with an error."""
        with self._lock:
            if self.ended:
                return
            self.fired = True
            if self._duplicate is not None:
                _shut(self._duplicate)

    def _forget(self) -> None:
        if self._duplicate is not None:
            self._duplicate.close()
            self._duplicate = None

    def __enter__(self) -> Self:
        _current.guard = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        _current.guard = None
        with self._lock:
            self.ended = True
            self._forget()


class Watchdog:
    """One thread for all guards; it sleeps until the earliest deadline."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Guard]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether its thread runs; it starts with the first guard."""
        return self._thread is not None and self._thread.is_alive()

    def guard(self, timeout: float) -> Guard:
        """A guard that fires `timeout` seconds from now, unless its block has ended."""
        guard = Guard(time.monotonic() + timeout)
        with self._changed:
            if not self.alive:
                thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                thread.start()  # raises where the system has no thread to spare; the next call tries again
                self._thread = thread
            if len(self._heap) > _MANY:
                self._heap = [entry for entry in self._heap if not entry[2].ended]
                heapq.heapify(self._heap)
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


def current_guard() -> Guard:
    """The guard whose block this thread is in."""
    assert _current.guard is not None
    return _current.guard


def _shut(duplicate: socket.socket) -> None:
    try:
        duplicate.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already gone
