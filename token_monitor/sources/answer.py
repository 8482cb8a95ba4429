"""An answer's body as a document, or an error: nothing in between."""

import json
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

from token_monitor.core.errors import Failure, SourceError

_OUT_OF_REACH: Final = Decimal("Infinity")


def parse(body: bytes) -> object:
    """The JSON document of `body`: UTF-8 (RFC 8259), no key twice, no NaN, fractions as Decimal.

    Raises SourceError NOT_JSON.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _not_json("the answer is not UTF-8") from None
    try:
        return json.loads(
            text, parse_float=_fraction, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_no_key_twice
        )
    except RecursionError:
        raise _not_json("the answer is nested too deeply") from None
    except ValueError as error:
        raise _not_json(_why(text, error)) from None


def _integer(text: str) -> int | Decimal:
    """JMESPath compares int; a number of a million digits stays cheap as Decimal, and is refused later."""
    return int(text) if len(text) <= 40 else Decimal(text)


def _fraction(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of 19 digits; whoever selects this number is told that it is none
        return _OUT_OF_REACH


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def _why(text: str, error: ValueError) -> str:
    if not text.strip():
        return "the answer is empty"
    if text.lstrip().startswith("<"):
        return "the answer is a page of HTML or XML, not JSON; check the endpoint"
    if isinstance(error, json.JSONDecodeError):
        return f"the answer is not JSON: {error.msg} at character {error.pos}"
    return f"the answer is not usable JSON: {error}"


def _not_json(message: str) -> SourceError:
    return SourceError(Failure.NOT_JSON, message)
