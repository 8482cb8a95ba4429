"""What there is to see: read models for the status API, metrics and `status`. They decide nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from attrs import field, frozen

from token_monitor.core.alert import Switch
from token_monitor.core.message import Backlog
from token_monitor.core.words import PRIMARY, State


@frozen
class QuantityView:
    """One quantity as last judged.

    error: why the latest poll gave no number for it; None if it did.
    episode: the id of the open episode.
    read_at: wall time of the reading shown.
    reset_at: when the provider fills it up, if it says so.
    runway: seconds until it is gone at the recent rate; None if that cannot be said.
    """

    account: str
    quantity: str
    state: State
    balance: Decimal | None
    limit: Decimal | None
    unit: str
    error: str | None
    episode: str | None
    read_at: datetime | None
    reset_at: datetime | None = None
    runway: int | None = None


@frozen
class AccountView:
    """One account.

    tried: a poll has finished since the start, whatever came of it.
    failures: failed polls in a row; `silent` when they reached the account's maximum.
    credential: OK, CRITICAL when rejected, EXHAUSTED when none of several can be used, UNKNOWN before the first answer.
    interval: seconds from poll to poll.
    credential_label: of the active one. shared: pairs that turned out to be paid from one balance.
    episodes: the ids of the open ones, by subject: quantities, credential and visibility.
    """

    name: str
    quantities: Sequence[QuantityView]
    tried: bool
    failures: int
    silent: bool
    credential: State
    last_success: datetime | None
    interval: float
    episodes: Mapping[str, str] = field(factory=dict)
    credential_label: str = PRIMARY
    shared: Sequence[tuple[str, str]] = ()


@frozen
class Snapshot:
    """Everything at one moment.

    problems: why the daemon is unhealthy, a line each; empty when it is well.
    switches: of credentials, the newest first.
    """

    accounts: Sequence[AccountView]
    backlogs: Mapping[str, Backlog]
    durable: bool
    problems: Sequence[str]
    switches: Sequence[Switch] = ()

    @property
    def ready(self) -> bool:
        """Whether every account was tried once."""
        return all(account.tried for account in self.accounts)


def entry(view: QuantityView) -> dict[str, object]:
    """The object that `check --json` prints and the status API extends. Decimals stay Decimals (`number.to_json`)."""
    return {
        "account": view.account,
        "quantity": view.quantity,
        "state": view.state.value,
        "balance": view.balance,
        "limit": view.limit,
        "unit": view.unit,
        "error": view.error,
    }
