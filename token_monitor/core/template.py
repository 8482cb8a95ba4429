"""Texts with fields in braces, and JSON made of them: `{balance}`; `{{` and `}}` are braces themselves."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NewType, Self
from urllib.parse import quote

from attrs import frozen

from token_monitor.core.fields import NAMES, Value, written
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url

ANSWER: Final = "answer."
_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_SHOWN: Final = re.compile(r"[a-z_.]{0,30}")
_PATH: Final = re.compile(r"[\w-]+(\.[\w-]+)*")


class MissingError(Exception):
    """A value of an earlier answer that a text needs is not known. name: of the field."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@frozen
class Field:
    """A value's place. name: one of `core.fields.NAMES`, or `answer.` and a path into an answer."""

    name: str

    def of(self, values: Mapping[str, Value]) -> Value:
        """Raises MissingError."""
        if self.name.startswith(ANSWER) and values.get(self.name) is None:
            raise MissingError(self.name)
        return values[self.name]


@frozen
class Template:
    """secret: the text it was read from, if that came from elsewhere and must not be shown."""

    parts: tuple[str | Field, ...]
    secret: Secret | None = None

    @classmethod
    def parse(cls, text: str, secret: Secret | None = None) -> Self:
        """Raises ValueError: what is allowed."""
        return cls(tuple(_parts(text)), secret)

    @property
    def fields(self) -> frozenset[str]:
        """The names of those it uses."""
        return frozenset(part.name for part in self.parts if isinstance(part, Field))

    @property
    def literal(self) -> str:
        """What it holds beside the fields."""
        return "".join(part for part in self.parts if isinstance(part, str))

    def fill(self, values: Mapping[str, Value], encode: Callable[[str], str] = str) -> str:
        """The text. encode: how a value, and nothing else, is written there. Raises MissingError."""
        return "".join(part if isinstance(part, str) else encode(written(part.of(values))) for part in self.parts)

    def json(self, values: Mapping[str, Value]) -> Value:
        """As `fill`, but a field that stands alone keeps its type; None if it has no value. Raises MissingError."""
        match self.parts:
            case (Field() as alone,):
                return alone.of(values)
            case _:
                return self.fill(values)

    def __str__(self) -> str:
        if self.secret is not None:
            return str(self.secret)
        return "".join(
            f"{{{part.name}}}" if isinstance(part, Field) else part.replace("{", "{{").replace("}", "}}")
            for part in self.parts
        )

    def __repr__(self) -> str:
        return str(self)


def _parts(text: str) -> Iterator[str | Field]:
    plain = ""
    for token in _TOKEN.finditer(text):
        if token[0] in ("{{", "}}"):
            plain += token[0][0]
        elif token[1] is not None:
            if plain:
                yield plain
            plain = ""
            yield Field(_known(token[1]))
        elif token[0] in ("{", "}"):
            raise ValueError("text with {fields}, and {{ or }} for a brace itself; one brace stands alone")
        else:
            plain += token[0]
    if plain:
        yield plain


def _known(name: str) -> str:
    if name in NAMES or (name.startswith(ANSWER) and _PATH.fullmatch(name)):
        return name
    allowed = ", ".join(f"{{{each}}}" for each in NAMES)
    which = f"{{{name}}}" if _SHOWN.fullmatch(name) else "what stands in braces"  # it may be part of a secret
    raise ValueError(f"fields among {allowed}, and in close {{answer.PATH}}: {which} is none of them")


HiddenTemplate = NewType("HiddenTemplate", Template)
"""The type of a setting that is a template with a credential in it."""


class UrlTemplate(Url):
    """A URL with fields in its path and query; they are percent-encoded when they are filled in."""

    __slots__ = ("template",)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        if set(self.authority) & set("{}"):
            raise ValueError("a URL such as https://host/path, with fields in its path and query only")
        self.template = Template.parse(text, self.secret)

    def filled(self, values: Mapping[str, Value]) -> Secret:
        """Raises MissingError."""
        return Secret(self.template.fill(values, lambda text: quote(text, safe="", errors="replace")))


Body = NewType("Body", object)
"""The type of a setting that is JSON data with a `Template` for every text."""

NOTHING: Final = Body(None)


def filled(structure: object, values: Mapping[str, Value]) -> object:
    """JSON data: `structure` with every template filled. Raises MissingError."""
    match structure:
        case Template():
            return structure.json(values)
        case Mapping():
            return {key: filled(item, values) for key, item in structure.items()}
        case list() | tuple():
            return [filled(item, values) for item in structure]
        case _:
            return structure


def templates(structure: object) -> Iterator[Template]:
    """Every one in it."""
    match structure:
        case Template():
            yield structure
        case Mapping():
            for item in structure.values():
                yield from templates(item)
        case list() | tuple():
            for item in structure:
                yield from templates(item)
