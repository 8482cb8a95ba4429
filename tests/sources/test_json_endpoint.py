"""What is selected from an answer, over real HTTP."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from support import answers as told
from support.fetching import failure, fetch
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.reading import Reading
from token_monitor.sources.dialect import Expression, Extract


def test_everything_is_selected_by_expressions_and_scaled(provider: Provider) -> None:
    provider.answer(
        {
            "data": [
                {"kind": "free", "left": 1},
                {"kind": "paid", "left": 1250, "max": "5000", "cur": "USD", "ok": True, "reset": 1775383200},
            ]
        }
    )
    paid = "data[?kind=='paid'] | [0]"
    selected = {"value": "left", "limit": "max", "unit_from": "cur", "available": "ok", "reset_at": "reset"}
    extract = Extract(scale=Decimal("0.01"), **{name: Expression(f"{paid}.{path}") for name, path in selected.items()})
    assert fetch(provider, quantities={"credit": extract}) == [
        Reading("credit", Decimal("12.50"), "USD", Decimal("50.00"), datetime(2026, 4, 5, 10, tzinfo=UTC))
    ]


def test_what_is_left_may_be_limit_less_used(provider: Provider) -> None:
    provider.answer(told.whole(b'{"limit": 10, "used": 9.9}'))
    extract = Extract(limit=Expression("limit"), used=Expression("used"), unit="GB")
    assert fetch(provider, quantities={"disk": extract}) == [Reading("disk", Decimal("0.1"), "GB", Decimal(10))]


def test_quantities_come_in_order_and_one_that_is_missing_is_left_out(provider: Provider) -> None:
    quantities = {name: Extract(Expression(name)) for name in ("b", "a", "c")}
    provider.answer({"a": 1, "c": 3, "b": 2})
    assert [reading.quantity for reading in fetch(provider, quantities=quantities)] == ["b", "a", "c"]
    provider.answer({"c": 3, "b": None})
    assert fetch(provider, quantities=quantities) == [Reading("c", Decimal(3), "")]
    provider.answer({"a": 1, "b": "soon", "c": 3})
    assert failure(provider, quantities=quantities).kind is Failure.NOT_A_NUMBER
    provider.answer({"x": 0})
    error = failure(provider, quantities=quantities)
    assert (error.kind, error.message) == (Failure.MISSING, "the answer has no b; it has: x")


@pytest.mark.parametrize("held", [True, 0, 1, 200, "ok", [0], {"a": 1}])
def test_ok_when_holds_for_what_jmespath_calls_true(provider: Provider, held: object) -> None:
    provider.answer({"ok": held, "balance": 5})
    assert fetch(provider, ok_when=Expression("ok"))[0].value == 5


@pytest.mark.parametrize("held", [False, None, "", [], {}])
def test_ok_when_fails_for_what_jmespath_calls_false(provider: Provider, held: object) -> None:
    provider.answer({"ok": held, "balance": 5})
    assert failure(provider, ok_when=Expression("ok")).kind is Failure.NOT_OK


def test_ok_when_compares(provider: Provider) -> None:
    provider.answer({"code": 0, "balance": 5})
    assert fetch(provider, ok_when=Expression("code == `0`"))[0].value == 5
    provider.answer({"code": 7, "balance": 0})
    error = failure(provider, ok_when=Expression("code == `0`"))
    assert error.message == "the answer says it is no success: ok_when code == `0` does not hold"


@pytest.mark.parametrize(
    ("flags", "available", "unlimited"),
    [
        ({"up": True}, True, False),
        ({"up": False}, False, False),
        ({"up": True, "all": True}, True, True),
        ({"up": True, "all": False}, True, False),
        ({"up": True, "all": None}, True, False),
    ],
)
def test_flags(provider: Provider, flags: dict[str, object], available: bool, unlimited: bool) -> None:
    provider.answer({"balance": 5, **flags})
    extract = Extract(available=Expression("up"), unlimited=Expression("all"))
    [reading] = fetch(provider, quantities={"balance": extract})
    assert (reading.value, reading.available, reading.unlimited) == (5, available, unlimited)


@pytest.mark.parametrize(
    ("up", "kind"), [(None, Failure.MISSING), (1, Failure.INVALID), ("true", Failure.INVALID), ([], Failure.INVALID)]
)
def test_a_flag_that_is_neither_true_nor_false_is_an_error(provider: Provider, up: object, kind: Failure) -> None:
    provider.answer({"balance": 5, "up": up})
    assert failure(provider, quantities={"balance": Extract(available=Expression("up"))}).kind is kind


def test_an_unlimited_quantity_needs_no_number(provider: Provider) -> None:
    provider.answer({"all": True})
    extract = Extract(value=Expression("left"), unlimited=Expression("all"))
    assert fetch(provider, quantities={"q": extract}) == [Reading("q", None, "", unlimited=True)]


@pytest.mark.parametrize("unit", [5, None, True, "a\nb", "x" * 41, "\ud800", ["USD"]])
def test_a_unit_that_is_no_name_is_an_error(provider: Provider, unit: object) -> None:
    provider.answer(told.whole(json.dumps({"balance": 5, "unit": unit}).encode()))
    assert failure(provider, quantities={"q": Extract(unit_from=Expression("unit"))}).kind is Failure.INVALID
