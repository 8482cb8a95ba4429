"""`status.json`: how the accounts stand, for a program that decides whether to use them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from token_monitor.core.time import rfc3339
from token_monitor.core.view import AccountView, QuantityView
from token_monitor.core.words import State

OLDEST: Final = 5
"""How many intervals ago every quantity was read at most, for that to be a promise: silent mode's default."""
AT_LEAST: Final = timedelta(minutes=1)
"""Never less than this: where the interval is short, a few slow answers mean nothing."""


def document(accounts: Mapping[str, AccountView], now: datetime) -> dict[str, object]:
    """The whole file. Decimals stay Decimals (`number.to_json`)."""
    return {"updated": rfc3339(now), "accounts": {name: _account(view, now) for name, view in accounts.items()}}


def _account(view: AccountView, now: datetime) -> dict[str, object]:
    """`state` is the worst of the quantities, the numbers are of the first."""
    state = max((quantity.state for quantity in view.quantities), key=_gravity)
    return {
        "usable": _usable(state, view, now),
        "state": state.value,
        **_numbers(view.quantities[0]),
        "credential": view.credential.value,
        "credential_label": view.credential_label,
        "silent": view.silent,
        "last_success": None if view.last_success is None else rfc3339(view.last_success),
        "quantities": {
            quantity.quantity: {"state": quantity.state.value, **_numbers(quantity)} for quantity in view.quantities
        },
    }


def _numbers(view: QuantityView) -> dict[str, object]:
    return {"balance": view.balance, "limit": view.limit, "unit": view.unit, "runway_seconds": view.runway}


def _usable(state: State, view: AccountView, now: datetime) -> bool | None:
    """None: nobody knows, yet or any more; what could not pay when it was read last is taken to be unable still."""
    if view.credential.rank > 0 or state.rank >= State.EXHAUSTED.rank:
        return False
    oldest = max(AT_LEAST, OLDEST * timedelta(seconds=view.interval))
    fresh = all(read.read_at is not None and abs(now - read.read_at) <= oldest for read in view.quantities)
    return True if fresh and not view.silent and state is not State.UNKNOWN else None


def _gravity(state: State) -> tuple[int, bool]:
    return state.rank, state is State.UNKNOWN
