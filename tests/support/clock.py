"""A clock that stands still until it is told to go."""

from datetime import UTC, datetime, timedelta

from token_monitor.core.time import Now

START = datetime(2026, 4, 5, 10, 0, tzinfo=UTC)


class FakeClock:
    """Implements `core.ports.Clock`. `steady` and `wall` may be moved apart."""

    def __init__(self) -> None:
        self.wall = START
        self.steady = START.timestamp()

    def now(self) -> Now:
        return Now(self.wall, self.steady)

    def time(self) -> float:
        return self.steady

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds
