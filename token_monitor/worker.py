"""What the workers of channels share: a loop in a thread, and one call of the receiver at a time."""

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import structlog

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.ports import Clock
from token_monitor.core.secret import redact

FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0
OVERDUE: Final = 600.0  # the settings allow no timeout near it
_LONGEST_WAIT: Final = 30.0  # as in the scheduler: the wait stands still during a suspend

log = structlog.get_logger()


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures in a row and one more (rule O2)."""
    wait = min(FIRST_BACKOFF * 2.0 ** min(failures, 10), LONGEST_BACKOFF)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311


class Worker(ABC):
    """Does one step after another. `run` is the loop of its thread; `wake` and `stop` come from others."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self._clock = clock
        self._changed = threading.Condition()
        self._woken = True
        self._stopping = False
        self.busy_since: float | None = None

    @abstractmethod
    def step(self) -> float | None:
        """Do what is due. Returns the seconds to wait before the next; None: nothing is owed."""

    def wake(self) -> None:
        """There may be something to do."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        """End `run` after the attempt under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Step until `stop`."""
        while True:
            wait = self._safe_step()
            with self._changed:
                if not self._stopping and not self._woken:
                    self._changed.wait(_LONGEST_WAIT if wait is None else min(wait, _LONGEST_WAIT))
                self._woken = False
                if self._stopping:
                    return

    def overdue(self) -> bool:
        """Whether the attempt under way has outlived any deadline."""
        since = self.busy_since
        return since is not None and self._time() - since > OVERDUE

    def _time(self) -> float:
        return self._clock.now().steady

    def _safe_step(self) -> float | None:
        """A fault of ours must not end the thread, nor spin it."""
        try:
            return self.step()
        except Exception:
            log.exception("Internal error", channel=self.name)
            return LONGEST_BACKOFF

    def _answer(self, call: Callable[[], str]) -> str:
        """What the receiver answers. Raises ChannelError: it did not acknowledge, or the fault is ours."""
        self.busy_since = self._time()
        try:
            return call()
        except ChannelError:
            raise
        except Exception as error:
            log.exception("Internal error", channel=self.name)
            raise ChannelError(Scope.RETRY, f"internal error: {redact(repr(error))}", ambiguous=True) from None
        finally:
            self.busy_since = None
