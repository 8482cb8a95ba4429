"""Numbers in and out, digit for digit."""

import json
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_monitor.core.number import bounded, parse_decimal, plain, to_json
from token_monitor.core.secret import Secret


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("5", "5"),
        ("0", "0"),
        ("-0", "0"),
        ("+5", "5"),
        ("-5", "-5"),
        ("007", "7"),
        ("0.1", "0.1"),
        ("0.10", "0.10"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-.5E3", "-5E+2"),
        ("1e3", "1E+3"),
        ("1E+3", "1E+3"),
        ("1.50e-2", "0.0150"),
        ("0E+5", "0E+5"),
        ("0e-30", "0E-30"),
        ("1e30", "1E+30"),
        ("1e-30", "1E-30"),
        ("0.0000001", "1E-7"),
        ("9" * 40, "9" * 40),
        ("-" + "9" * 40, "-" + "9" * 40),
        ("0" * 50 + "1", "1"),
    ],
)
def test_a_number_keeps_its_digits_and_is_json(text: str, written: str) -> None:
    assert to_json(parse_decimal(text)) == written
    assert exactly(json_number(written)) == exactly(parse_decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", " 1", "1 ", "1\n", "\ufeff1", "1,000", "1 000", "1_000", "0x10", "0b1", "1e", "e3", ".", "-", "+",
        "--1", "1.2.3", "1e1.5", "NaN", "nan", "sNaN", "inf", "Infinity", "-inf", "None", "null", "true", "five",
        "\uff15", "\u0665", "5\u0660", "\u00bd", "\u2212" + "5", "5%", "$5", "5\x00", "1e" + "1" * 10,
    ],
)  # fmt: skip
def test_what_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        parse_decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "1" * 41, "-" + "1" * 41, "0." + "1" * 31, "1e31", "1e-31", "0e31", "0e-31", "1e999999999", "1e-999999999",
        "9" * 39 + "e30", "0." + "0" * 41 + "1", pytest.param("1" * 100_000, id="100,000 digits"),
    ],
)  # fmt: skip
def test_a_number_beyond_forty_digits_or_an_exponent_beyond_thirty_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="40 digits or an exponent beyond ±30"):
        parse_decimal(text)


@pytest.mark.parametrize("text", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_neither_taken_nor_written(text: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        bounded(Decimal(text))
    with pytest.raises(ValueError, match="finite"):
        to_json([Decimal(text)])
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(float(text.removeprefix("-").removeprefix("s")))


@pytest.mark.parametrize(
    ("text", "people_read"),
    [("1E+3", "1000"), ("0E+5", "0"), ("0.10", "0.10"), ("1E-7", "0.0000001"), ("-5E+2", "-500"), ("9" * 40, "9" * 40)],
)
def test_people_read_numbers_without_an_exponent(text: str, people_read: str) -> None:
    assert plain(Decimal(text)) == people_read


NUMBERS = st.from_regex(r"[+-]?([0-9]{1,45}(\.[0-9]{0,35})?|\.[0-9]{1,35})([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS)
def test_every_number_that_is_taken_is_written_as_json_and_read_back_the_same(text: str) -> None:
    try:
        number = parse_decimal(text)
    except ValueError:
        return
    assert number == Decimal(text)
    assert exactly(json_number(to_json(number))) == exactly(number)
    assert Decimal(plain(number)) == number
    assert parse_decimal(to_json(number)) == number


@given(st.text(max_size=12) | st.text("0123456789.eE+-_ \n", max_size=12) | NUMBERS)
def test_any_text_is_a_bounded_number_or_a_value_error(text: str) -> None:
    try:
        number = parse_decimal(text)
    except ValueError:
        return
    assert text.isascii()
    assert number == Decimal(text)
    assert len(number.as_tuple().digits) <= 40
    assert len(plain(number)) <= 80


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS | DECIMALS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_structure_is_written_as_json_that_reads_back_the_same(value: object) -> None:
    written = to_json(value).encode()

    assert comparable(json.loads(written, parse_float=Decimal, parse_int=Decimal)) == comparable(value)


def test_text_is_written_for_people_and_what_utf8_cannot_write_is_escaped() -> None:
    assert to_json({"单位": "次 \ud800"}) == '{"单位":"次 \\ud800"}'


def test_what_json_does_not_know_is_written_as_its_text() -> None:
    class Word(StrEnum):
        ONE = "one"

    assert to_json({Word.ONE: Word.ONE, "secret": Secret("hunter2"), "pair": (1, None)}) == (
        '{"one":"one","secret":"***","pair":[1,null]}'
    )


def json_number(text: str) -> Decimal:
    number = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    assert isinstance(number, Decimal)
    return number


def exactly(number: Decimal) -> tuple[object, ...]:
    return number.as_tuple()


def comparable(value: Any) -> object:
    """Exact, and with `1`, `True` and `Decimal(1)` told apart as JSON does."""
    match value:
        case bool() | None:
            return value, "constant"
        case str():
            return paired(value)
        case int():
            return exactly(Decimal(value))
        case Decimal():
            return exactly(value)
        case dict():
            return {paired(key): comparable(item) for key, item in value.items()}
        case _:
            return [comparable(item) for item in value]


def paired(text: str) -> str:
    """As JSON reads it: two halves of a pair in a row are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
