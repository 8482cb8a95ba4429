"""`status.json`, key by key."""

from datetime import timedelta
from decimal import Decimal

import pytest
from attrs import evolve

from support.web import NOON, account, quantity
from token_monitor.core.number import to_json
from token_monitor.core.published import document
from token_monitor.core.view import AccountView
from token_monitor.core.words import State


def only(view: AccountView) -> dict[str, object]:
    accounts = document({"a": view}, NOON)["accounts"]
    assert isinstance(accounts, dict)
    found: dict[str, object] = accounts["a"]
    return found


def test_it_has_the_documented_keys_in_their_order() -> None:
    view = account(
        "a", quantity("a", state=State.LOW, balance="0.10", limit=Decimal(20), runway=3600), credential=State.OK
    )
    assert to_json(document({"a": evolve(view, credential_label="spare1")}, NOON)) == (
        '{"updated":"2026-04-05T12:00:00.000Z","accounts":{"a":{"usable":true,"state":"low","balance":0.10,"limit":20,'
        '"unit":"calls","runway_seconds":3600,"credential":"ok","credential_label":"spare1","silent":false,'
        '"last_success":"2026-04-05T12:00:00.000Z","quantities":{"balance":{"state":"low","balance":0.10,"limit":20,'
        '"unit":"calls","runway_seconds":3600}}}}}'
    )


def test_the_state_is_the_worst_of_the_quantities_and_the_numbers_are_of_the_first() -> None:
    found = only(account("a", quantity("a", "cny", balance="50"), quantity("a", "usd", state=State.LOW, balance="1")))
    assert (found["state"], found["balance"]) == ("low", 50)


@pytest.mark.parametrize(
    ("state", "credential", "usable"),
    [
        (State.OK, State.OK, True),
        (State.CRITICAL, State.OK, True),
        (State.UNLIMITED, State.OK, True),
        (State.EXHAUSTED, State.OK, False),
        (State.ARREARS, State.OK, False),
        (State.OK, State.CRITICAL, False),
        (State.OK, State.EXHAUSTED, False),
        (State.UNKNOWN, State.UNKNOWN, None),
        (State.UNKNOWN, State.CRITICAL, False),
    ],
)
def test_usable_is_what_a_job_needs_to_know(state: State, credential: State, usable: bool | None) -> None:
    assert only(account("a", quantity("a", state=state), credential=credential))["usable"] is usable


@pytest.mark.parametrize(
    ("interval", "age", "usable"),
    [(300.0, 1500, True), (300.0, 1501, None), (0.2, 60, True), (0.2, 61, None), (0.2, -61, None)],
)
def test_numbers_that_became_old_are_no_promise(interval: float, age: int, usable: bool | None) -> None:
    before = NOON - timedelta(seconds=age)  # as at a start after a long rest, before anybody was asked
    old, current = quantity("a", read_at=before), quantity("a", "other")
    assert only(account("a", old, interval=interval, last_success=before))["usable"] is usable
    assert only(account("a", current, old, interval=interval))["usable"] is usable  # it is gone from the answer


@pytest.mark.parametrize(
    ("changes", "usable"),
    [
        ({}, None),
        ({"credential": State.CRITICAL}, False),
        ({"credential": State.EXHAUSTED}, False),
        ({"quantities": [quantity("a", state=State.EXHAUSTED)]}, False),
    ],
)
def test_an_account_that_cannot_be_read_is_not_usable_and_one_that_could_not_pay_before_still_cannot(
    changes: dict[str, object], usable: bool | None
) -> None:
    assert only(evolve(account("a", silent=True, failures=5), **changes))["usable"] is usable


def test_a_quantity_that_was_never_read_makes_an_account_unknown_rather_than_ok() -> None:
    view = account("a", quantity("a", "cny"), quantity("a", "usd", state=State.UNKNOWN, balance=None, read_at=None))
    assert (only(view)["state"], only(view)["usable"]) == ("unknown", None)
