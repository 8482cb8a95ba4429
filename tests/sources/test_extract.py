"""Numbers, moments and functions out of a document, exactly."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.time import rfc3339
from token_monitor.sources.answer import parse
from token_monitor.sources.dialect import Expression, Extract, JsonEndpoint
from token_monitor.sources.extract import extract


def value(body: str, **how: Any) -> Decimal | None:
    how = {name: Expression(text) if isinstance(text, str) else text for name, text in how.items()}
    [reading] = extract(JsonEndpoint(quantities={"q": Extract(**how)}), parse(body.encode()))
    return reading.value


def kind(body: str, **how: Any) -> Failure:
    with pytest.raises(SourceError) as caught:
        value(body, **how)
    return caught.value.kind


FORTY = "1234567890" * 4


@pytest.mark.parametrize(
    ("written", "exactly"),
    [
        ("5", "5"),
        ("0", "0"),
        ("-3", "-3"),
        ("0.1", "0.1"),
        ("0.10", "0.10"),
        ("1e3", "1E+3"),
        ("2.5E-3", "0.0025"),
        ('"5"', "5"),
        ('"-0.10"', "-0.10"),
        ('"+7"', "7"),
        ('".5"', "0.5"),
        ('"1e-7"', "1E-7"),
        (FORTY, FORTY),
        (f"-{FORTY}", f"-{FORTY}"),
        (f'"{FORTY[:20]}.{FORTY[20:]}"', f"{FORTY[:20]}.{FORTY[20:]}"),
        (f"{FORTY[:20]}.{FORTY[20:]}", f"{FORTY[:20]}.{FORTY[20:]}"),
        ("9007199254740993", "9007199254740993"),
        ("1e30", "1E+30"),
        ("1e-30", "1E-30"),
    ],
)
def test_a_number_is_read_digit_for_digit(written: str, exactly: str) -> None:
    assert str(value(f'{{"balance": {written}}}')) == exactly


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10, min_value=-(10**25), max_value=10**25))
def test_no_digit_is_ever_lost(number: Decimal) -> None:
    for written in (f"{number:f}", f'"{number:f}"'):
        assert str(value(f'{{"balance": {written}}}')) == str(number)


@pytest.mark.parametrize(
    ("written", "scale", "exactly"),
    [
        ("1999", "0.01", "19.99"),
        ("5", "-1", "-5"),
        ("-12.5", "-0.1", "1.25"),
        (FORTY, "0.01", f"{FORTY[:38]}.{FORTY[38:]}"),
        ("0.1", "1000", "100.0"),
        ("3", "0.333", "0.999"),
    ],
)
def test_scale_multiplies_exactly(written: str, scale: str, exactly: str) -> None:
    assert str(value(f'{{"balance": {written}}}', scale=Decimal(scale))) == exactly


def test_scale_that_leaves_more_digits_than_money_has_is_no_number() -> None:
    assert kind(f'{{"balance": {FORTY}}}', scale=Decimal("1.5")) is Failure.NOT_A_NUMBER


def test_limit_and_used_are_scaled_too_and_their_difference_is_bounded() -> None:
    how = {"limit": "l", "used": "u"}
    assert str(value('{"l": 1000, "u": 1}', scale=Decimal("0.001"), **how)) == "0.999"
    assert kind(f'{{"l": {FORTY}, "u": 1e-30}}', **how) is Failure.NOT_A_NUMBER
    assert kind('{"u": 1}', **how) is Failure.MISSING
    assert kind('{"l": 1}', **how) is Failure.MISSING
    assert kind('{"l": 1, "u": false}', **how) is Failure.NOT_A_NUMBER


@pytest.mark.parametrize("exponent", ["1e31", "1e-31", "1e9999999999999999999999", "1e-9999999999999999999999"])
def test_an_exponent_beyond_30_is_no_number_and_harms_no_other_key(exponent: str) -> None:
    assert kind(f'{{"balance": {exponent}}}') is Failure.NOT_A_NUMBER
    assert value(f'{{"balance": 5, "other": {exponent}}}') == 5


@pytest.mark.parametrize(
    ("text", "body", "exactly"),
    [
        ("to_number(a)", '{"a": "0.50"}', "0.50"),
        ("to_number(a)", '{"a": 0.50}', "0.50"),
        ("to_number(a)", '{"a": 12.99}', "12.99"),
        ("to_number(a)", '{"a": 3}', "3"),
        ("sum(a[].n)", '{"a": [{"n": 0.1}, {"n": 0.2}, {"n": 3}]}', "3.3"),
        ("sum(a[].to_number(n))", '{"a": [{"n": "0.1"}, {"n": "0.2"}]}', "0.3"),
        ("length(a)", '{"a": [1, 2]}', "2"),
        ("a[?n > `0.5`] | [0].n", '{"a": [{"n": 0.4}, {"n": 0.6}]}', "0.6"),
    ],
)
def test_functions_keep_decimals(text: str, body: str, exactly: str) -> None:
    assert str(value(body, value=text)) == exactly


@pytest.mark.parametrize(
    ("text", "body", "why"),
    [
        ("to_number(a)", '{"a": "soon"}', Failure.MISSING),
        ("to_number(a)", '{"a": ""}', Failure.MISSING),
        ("to_number(a)", '{"a": true}', Failure.MISSING),
        ("to_number(a)", "{}", Failure.MISSING),
        ("sum(a[].n)", '{"a": []}', Failure.MISSING),
        ("sum(a[].n)", '{"a": [{"renamed": 5}]}', Failure.MISSING),
        ("sum(a[].n)", '{"a": [{"n": "5"}]}', Failure.MISSING),
        ("sum(a[].n)", "{}", Failure.INVALID),
        ("avg(a)", '{"a": [1, 2]}', Failure.NOT_A_NUMBER),
        ("a > `5`", '{"a": "x"}', Failure.INVALID),
        ("a > `5`", '{"a": 6}', Failure.NOT_A_NUMBER),
        ("abs(a)", '{"a": 0.5}', Failure.INVALID),
        ("merge(a, b)", "{}", Failure.INVALID),
        ("contains(a, b)", '{"a": "x", "b": 0.5}', Failure.INVALID),
        ("a[::0]", '{"a": [1]}', Failure.INVALID),
        ("`0.5`", "{}", Failure.NOT_A_NUMBER),
        ("to_string(a)", '{"a": 0.5}', Failure.NOT_A_NUMBER),
    ],
)
def test_an_expression_that_does_not_fit_is_a_failed_poll_never_a_number(text: str, body: str, why: Failure) -> None:
    assert kind(body, value=text) is why


@pytest.mark.parametrize("text", ["", "a[", "a.", "'x", "(" * 3000, "nonsense(a)", "a[?nonsense(b)]", "[sum(x), y(z)]"])
def test_an_expression_that_is_none_is_a_mistake_of_the_settings(text: str) -> None:
    with pytest.raises(ValueError, match="JMESPath expression"):
        Expression.parse(text)


def test_an_expression_may_be_used_again_and_equals_its_like() -> None:
    assert Expression.parse("a.b") == Expression("a.b") != Expression("a")
    assert len({Expression("a"), Expression("a")}) == 1
    assert str(Expression("a")) == "a"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1775383200", datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ('"1775383200"', datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ("1775383200.5", datetime(2026, 4, 5, 10, 0, 0, 500_000, UTC)),
        ("1775383200000", datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ('"1775383200123"', datetime(2026, 4, 5, 10, 0, 0, 123_000, UTC)),
        ('"2026-04-05T10:00:00Z"', datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ('"2026-04-05T18:00:00+08:00"', datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ('"2026-04-05T10:00:00"', datetime(2026, 4, 5, 10, tzinfo=UTC)),
        ('"2026-04-05 10:00:00.250Z"', datetime(2026, 4, 5, 10, 0, 0, 250_000, UTC)),
        ('"2026-04-05"', datetime(2026, 4, 5, tzinfo=UTC)),
        ("null", None),
    ],
)
def test_reset_at_takes_seconds_milliseconds_and_rfc_3339(written: str, moment: datetime | None) -> None:
    settings = JsonEndpoint(quantities={"q": Extract(reset_at=Expression("at"))})
    [reading] = extract(settings, parse(f'{{"balance": 1, "at": {written}}}'.encode()))
    assert reading.reset_at == moment


@pytest.mark.parametrize(
    "written",
    [
        '"soon"',
        '""',
        "true",
        "[]",
        "{}",
        "1e30",
        '"2026-13-01"',
        '"٣"',
        '"--5"',
        '"1.2.3"',
        "-1e20",
        '"9999-12-31T23:59:59-14:00"',
    ],
)
def test_a_reset_at_that_is_no_moment_is_an_error(written: str) -> None:
    assert kind(f'{{"balance": 1, "at": {written}}}', reset_at="at") is Failure.INVALID


@given(st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Decimal(repr(x))))
def test_whatever_reset_at_is_it_can_be_shown_or_is_an_error(selected: object) -> None:
    settings = JsonEndpoint(quantities={"q": Extract(reset_at=Expression("at"))})
    try:
        [reading] = extract(settings, {"balance": 1, "at": selected})
    except SourceError as error:
        assert error.kind is Failure.INVALID  # noqa: PT017
    else:
        assert reading.reset_at is None or rfc3339(reading.reset_at).endswith("Z")


def test_an_answer_that_lacks_the_number_shows_the_names_it_has() -> None:
    with pytest.raises(SourceError) as caught:
        value('{"credits": 5, "bad\\nname": 1, "\\ud800": 2, "user": {}}')
    assert caught.value.message == "the answer has no balance; it has: credits, user"
    for body, says in {"[1]": "a list", '"x"': "a text", "{}": "an object", "5": "a number", "null": "null"}.items():
        with pytest.raises(SourceError, match=f"^the answer has no balance; it is {says}$"):
            value(body)
