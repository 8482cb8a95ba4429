"""The closed vocabularies: one word for one thing, in code, logs, metrics and messages."""

from enum import StrEnum
from typing import Final

PRIMARY: Final = "primary"
"""The label of the credential that an account is given first."""

EVERY: Final = ""
"""In place of a label: all credentials of the account together."""


class State(StrEnum):
    """Where a subject stands. `rank` orders the severities (rule J2)."""

    OK = "ok"
    LOW = "low"
    CRITICAL = "critical"
    EXHAUSTED = "exhausted"
    ARREARS = "arrears"
    UNLIMITED = "unlimited"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {
    State.OK: 0, State.UNLIMITED: 0, State.UNKNOWN: 0,
    State.LOW: 1, State.CRITICAL: 2, State.EXHAUSTED: 3, State.ARREARS: 4,
}  # fmt: skip


class Level(StrEnum):
    """How loud a message is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Reason(StrEnum):
    """Why an alert was raised."""

    FIRST = "first"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RECOVERED = "recovered"
    RULE_CHANGED = "rule_changed"
    ACCOUNT_REMOVED = "account_removed"
    CREDENTIAL_SWITCHED = "credential_switched"

    @property
    def closes(self) -> bool:
        """Whether it ends its episode."""
        return self not in (Reason.FIRST, Reason.ESCALATED, Reason.REMINDER)


class Why(StrEnum):
    """Why an account changes to another credential."""

    EXHAUSTED = "exhausted"
    ARREARS = "arrears"
    REJECTED = "rejected"
    BELOW = "below"
    RUNWAY = "runway"
    TOPPED_UP = "topped_up"
    REMOVED = "removed"


class Trigger(StrEnum):
    """Which part of a reading decided the state."""

    THRESHOLD = "threshold"
    FLAG = "flag"
    STATUS = "status"


class Kind(StrEnum):
    """What an alert is about."""

    ACCOUNT = "account"
    VISIBILITY = "visibility"
    CREDENTIAL = "credential"
    TEST = "test"


class Language(StrEnum):
    """The language of the texts people read."""

    EN = "en"
    ZH = "zh"
