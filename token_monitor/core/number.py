"""Numbers as people and providers write them: Decimal, exactly, never float."""

import json
import re
from decimal import Decimal

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
# Half a pair, which a provider's JSON may hold escaped, and which UTF-8 cannot write.
_SURROGATE = re.compile("[\ud800-\udfff]")
MAX_DIGITS = 40
MAX_EXPONENT = 30


def parse_decimal(text: str) -> Decimal:
    """The number that `text` writes, digit for digit.

    Stricter than `Decimal(text)`, which takes `NaN`, `1_000` and digits of other scripts.

    Raises ValueError: not a number, or beyond 40 digits or an exponent of ±30.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return bounded(Decimal(text))


def bounded(number: Decimal) -> Decimal:
    """`number`, if it is finite and of a size that money and tokens can have.

    Raises ValueError: NaN, infinite, over 40 digits, or an exponent beyond ±30. (`1E+999999` would write a megabyte.)
    """
    _sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("not a finite number")
    if len(digits) > MAX_DIGITS or abs(exponent) > MAX_EXPONENT or abs(number.adjusted()) > MAX_DIGITS:
        raise ValueError(f"a number beyond {MAX_DIGITS} digits or an exponent beyond ±{MAX_EXPONENT}")
    return number or abs(number)  # no zero is negative


def plain(number: Decimal) -> str:
    """Without an exponent, as people read it: `1E+3` → `1000`."""
    return f"{number:f}"


def to_json(value: object) -> str:
    """JSON text with Decimals as JSON numbers, digit for digit (`0.10` stays `0.10`), which `json.dumps` cannot do.

    Raises ValueError: NaN or infinite, which JSON cannot write.
    """
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError("not a finite number")
            return str(value)
        case dict():
            return "{" + ",".join(f"{to_json(str(key))}:{to_json(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(to_json, value)) + "]"
        case _:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=str)
            return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
