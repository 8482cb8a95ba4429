"""What the outbox holds: an alert on its way to one channel."""

from collections.abc import Sequence
from enum import StrEnum

from attrs import frozen

from token_monitor.core.alert import Alert


@frozen
class Message:
    """What one call of a channel delivers: an alert and what it says to people, rendered when it was raised.

    A grouped message has the gravest of its alerts, the texts of all of them, and an id of its own. alerts: how many.
    """

    alert: Alert
    text: str
    group: str | None = None
    alerts: int = 1

    @property
    def id(self) -> str:
        """Stable over retries and restarts: the alert's, or the group's."""
        return self.group or self.alert.id


@frozen
class Delivery:
    """One message owed to one channel. Times are steady seconds.

    failures: refused or unanswered attempts that count against it (rule O2).
    hopeless_since: when it had failed so often that it may be given up; None before.
    attempted_at: when it was last tried; what it holds is fixed then. None: never.
    members: of a group, each by itself; the rest then speaks of the group.
    """

    row: int
    channel: str
    message: Message
    created: float
    failures: int = 0
    hopeless_since: float | None = None
    attempted_at: float | None = None
    members: "Sequence[Delivery]" = ()

    @property
    def parts(self) -> "Sequence[Delivery]":
        """The rows it stands for."""
        return self.members or (self,)


class Fate(StrEnum):
    """How a delivery stands. Every one but PENDING is final."""

    PENDING = "pending"
    SENT = "sent"
    SUPERSEDED = "superseded"
    DEAD = "dead"


@frozen
class Backlog:
    """What a channel owes.

    last_error: of the latest attempt, None if it succeeded.
    """

    pending: int = 0
    dead: int = 0
    last_error: str | None = None
