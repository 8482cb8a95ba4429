"""The two clocks (rule J1)."""

import time
from datetime import UTC, datetime

from token_monitor.core.time import Now


class SteadyClock:
    """Wall time for people, and a steady one for durations: a base plus CLOCK_BOOTTIME, which counts suspended time
    too and which nobody can set.

    persisted: the last steady second on record; the clock resumes there if the wall was set back meanwhile, so that
    no stamp lies in the future.
    """

    def __init__(self, persisted: float | None = None) -> None:
        self._base = max(time.time(), persisted or 0.0) - time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> Now:
        return Now(datetime.now(UTC), self._base + time.clock_gettime(time.CLOCK_BOOTTIME))
