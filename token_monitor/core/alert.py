"""What leaves: a frozen record of one transition."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from attrs import frozen

from token_monitor.core.time import rfc3339
from token_monitor.core.words import EVERY, PRIMARY, Kind, Level, Reason, State, Trigger, Why

_LEVELS: Final = {State.LOW: Level.WARNING} | dict.fromkeys(
    (State.CRITICAL, State.EXHAUSTED, State.ARREARS), Level.CRITICAL
)

_HEADLINES: Final = {
    (Kind.ACCOUNT, State.LOW): "Token balance low",
    (Kind.ACCOUNT, State.CRITICAL): "Token balance critical",
    (Kind.ACCOUNT, State.EXHAUSTED): "Token balance exhausted",
    (Kind.ACCOUNT, State.ARREARS): "Token balance in arrears",
    (Kind.ACCOUNT, State.OK): "Token balance recovered",
    (Kind.ACCOUNT, State.UNLIMITED): "Token balance recovered",
    (Kind.VISIBILITY, State.CRITICAL): "Balance check failing, silent mode",
    (Kind.VISIBILITY, State.OK): "Balance check recovered",
    (Kind.CREDENTIAL, State.LOW): "Credential switched",
    (Kind.CREDENTIAL, State.CRITICAL): "Credential rejected",
    (Kind.CREDENTIAL, State.EXHAUSTED): "No healthy credential",
    (Kind.CREDENTIAL, State.OK): "Credential accepted",
    (Kind.TEST, State.OK): "Test alert",
}

ANNOUNCED: Final = tuple((kind, state) for kind, state in _HEADLINES if state.rank)
"""What alerts that do not close an episode are about."""


@frozen
class Measured:
    """What an alert of kind `account` adds: the number and the bound that judged it.

    runway_seconds: time until exhaustion at the recent rate; None while there is no forecast.
    """

    quantity: str
    trigger: Trigger
    balance: Decimal | None
    threshold: Decimal
    limit: Decimal | None
    unit: str
    runway_seconds: int | None = None


@frozen
class Switch:
    """A change from one credential of an account to another, by their labels. at: wall time."""

    account: str
    origin: str
    target: str
    why: Why
    at: datetime
    dry_run: bool = False


@frozen
class Alert:
    """One announced transition of one subject.

    id: stable over retries and restarts; receivers tell duplicates by it.
    at: wall time of the transition.
    label: of the credential it is about; EVERY where it is about all of them.
    switch: of an alert `Credential switched`.
    """

    id: str
    kind: Kind
    subject: str
    account: str
    state: State
    reason: Reason
    episode: str
    at: datetime
    measured: Measured | None = None
    label: str = PRIMARY
    switch: Switch | None = None

    @property
    def level(self) -> Level:
        if self.reason.closes or self.kind is Kind.TEST:
            return Level.INFO
        return level(self.kind, self.state)

    @property
    def headline(self) -> str:
        """The `msg` of the log line."""
        if self.reason.closes and self.reason is not Reason.RECOVERED:
            return "Token alert closed"
        return headline(self.kind, self.state)

    def fields(self) -> dict[str, object]:
        """The alert as receivers see it. Decimals stay Decimals (`number.to_json` writes them exactly)."""
        fields: dict[str, object] = {
            "id": self.id,
            "kind": self.kind.value,
            "subject": self.subject,
            "account": self.account,
        }
        if self.measured is not None:
            fields["quantity"] = self.measured.quantity
        if self.label not in (PRIMARY, EVERY):
            fields["credential_label"] = self.label
        if self.switch is not None:
            fields |= {"credential_from": self.switch.origin, "credential_to": self.switch.target}
            fields["credential_why"] = self.switch.why.value
        fields |= {"state": self.state.value, "level": self.level.value, "reason": self.reason.value}
        if self.measured is not None:
            fields |= {
                "trigger": self.measured.trigger.value,
                "balance": self.measured.balance,
                "threshold": self.measured.threshold,
                "limit": self.measured.limit,
                "unit": self.measured.unit,
                "runway_seconds": self.measured.runway_seconds,
            }
        return fields | {"episode": self.episode, "at": rfc3339(self.at)}


def level(kind: Kind, state: State) -> Level:
    """How loud an alert about a subject of `kind` is that came to `state`, one outside `ok`."""
    return Level.ERROR if kind is Kind.VISIBILITY else _LEVELS[state]


def headline(kind: Kind, state: State) -> str:
    """What log lines call a subject of `kind` that came to `state`."""
    return _HEADLINES[kind, state]
