"""`status.json`: how the accounts stand, for a program that decides whether to use them."""

from collections.abc import Mapping
from datetime import datetime

from token_monitor.core.time import rfc3339
from token_monitor.core.view import AccountView, QuantityView
from token_monitor.core.words import State


def document(accounts: Mapping[str, AccountView], now: datetime) -> dict[str, object]:
    """The whole file. Decimals stay Decimals (`number.to_json`)."""
    return {"updated": rfc3339(now), "accounts": {name: _account(view) for name, view in accounts.items()}}


def _account(view: AccountView) -> dict[str, object]:
    """`state` is the worst of the quantities, the numbers are of the first."""
    state = max((quantity.state for quantity in view.quantities), key=_gravity)
    return {
        "usable": _usable(state, view.credential),
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


def _usable(state: State, credential: State) -> bool | None:
    """None: nobody knows yet."""
    if credential.rank > 0 or state.rank >= State.EXHAUSTED.rank:
        return False
    return None if state is State.UNKNOWN else True


def _gravity(state: State) -> tuple[int, bool]:
    return state.rank, state is State.UNKNOWN
