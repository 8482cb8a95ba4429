"""How often a receiver lets itself be called."""

from collections import deque

from attrs import define, field, frozen


@frozen
class Pace:
    """At most `count` calls in any `seconds`."""

    count: int
    seconds: float


@define
class Pacer:
    """Remembers the latest calls. Times are steady seconds."""

    pace: Pace
    _calls: deque[float] = field(factory=deque)

    def wait(self, now: float) -> float:
        """Seconds until the next call is allowed; 0: now."""
        if len(self._calls) < self.pace.count:
            return 0.0
        return max(0.0, self._calls[0] + self.pace.seconds - now)

    def called(self, now: float) -> None:
        """Count a call."""
        self._calls.append(now)
        while len(self._calls) > self.pace.count:
            self._calls.popleft()
