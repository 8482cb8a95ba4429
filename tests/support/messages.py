"""A message to send."""

from datetime import UTC, datetime
from decimal import Decimal

from attrs import frozen

from token_monitor.core.alert import Alert, Measured
from token_monitor.core.message import Message
from token_monitor.core.time import Now
from token_monitor.core.words import Kind, Reason, State, Trigger

AT = datetime(2026, 4, 5, 10, tzinfo=UTC)
TEXT = "[WARNING] facefusion: 5 calls left, below the warning threshold of 10."


def low(text: str = TEXT, number: int = 1) -> Message:
    """facefusion has 5 calls left of a threshold of 10."""
    measured = Measured("balance", Trigger.THRESHOLD, Decimal(5), Decimal(10), None, "calls")
    alert = Alert(
        f"e-{number}", Kind.ACCOUNT, "facefusion/balance", "facefusion", State.LOW, Reason.FIRST, "e", AT, measured
    )
    return Message(alert, text)


@frozen
class FixedClock:
    """A clock that stands still."""

    wall: datetime = AT

    def now(self) -> Now:
        return Now(self.wall, 0.0)
