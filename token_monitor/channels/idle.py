"""Connections that nobody uses are closed: the next alert may be days away."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class IdleTimer:
    """Calls `retire`, in a thread of its own and never during a use, once nothing was used for `seconds`."""

    def __init__(self, seconds: float, retire: Callable[[], None]) -> None:
        self._seconds = seconds
        self._retire = retire
        self._lock = threading.Lock()
        self._used = 0.0
        self._armed = False

    @contextmanager
    def use(self) -> Iterator[None]:
        """What is inside has the connection to itself."""
        with self._lock:
            try:
                yield
            finally:
                self._used = time.monotonic()
                if not self._armed:
                    self._arm(self._seconds)

    def _arm(self, seconds: float) -> None:
        self._armed = True
        timer = threading.Timer(seconds, self._fire)
        timer.name, timer.daemon = "idle connection", True
        timer.start()

    def _fire(self) -> None:
        with self._lock:
            left = self._used + self._seconds - time.monotonic()
            if left > 0:
                self._arm(left)
                return
            self._armed = False
            self._retire()
