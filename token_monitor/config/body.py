"""How templates are written in YAML. In a body every text is one; what stands without quotes may be another value."""

import re
from decimal import Decimal
from typing import Final

from attrs import evolve

from token_monitor.config.converter import scalar, text_of
from token_monitor.config.problems import Findings
from token_monitor.config.tree import Items, Table, Text
from token_monitor.core.number import parse_decimal
from token_monitor.core.secret import MIN_LENGTH, Secret
from token_monitor.core.template import Template

_WORDS: Final = {"": None, "null": None, "true": True, "false": False}
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)  # RFC 8259, 6
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)


def body(raw: object, _kind: object) -> object:
    """JSON data with a `Template` for every text. Raises ConfigError."""
    found = Findings()
    match raw:
        case Table():
            table = {}
            for key, value in raw.items():
                with found.caught():
                    table[str(key)] = body(value, _kind)
            found.conclude()
            return table
        case Items():
            items = []
            for value in raw:
                with found.caught():
                    items.append(body(value, _kind))
            found.conclude()
            return items
        case _:
            return _leaf(text_of(raw))


def _leaf(text: Text) -> object:
    """`true`, `null` and numbers as JSON writes them, without quotes; a template otherwise."""
    if text.plain and str(text) in _WORDS:
        return _WORDS[str(text)]
    if text.plain and _NUMBER.fullmatch(text):
        return scalar(_number)(text, Decimal)
    return scalar(lambda _: _template(text))(text, Template)


def header(raw: object, _kind: object) -> object:
    """A template that is not shown, for headers carry credentials; unless there is nothing in it but fields."""
    text = text_of(raw)

    def parse(_: str) -> Template:
        template = _template(text)
        return evolve(template, secret=Secret(text)) if len(template.literal) >= MIN_LENGTH else template

    return scalar(parse, secret=True)(text, Template)


def _template(text: Text) -> Template:
    return Template.parse(text.template, None if text.shown == text else Secret(text))


def _number(text: str) -> int | Decimal:
    try:
        return int(text) if _WHOLE.fullmatch(text) else parse_decimal(text)
    except ValueError:
        raise ValueError("a number of at most 40 digits, or text in quotes") from None
