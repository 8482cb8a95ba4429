"""From the tree a user wrote to settings types, with every problem in one run."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
from cattrs import ClassValidationError, Converter
from cattrs.gen import make_dict_structure_fn, override

from token_monitor.config.problems import MISSING, ConfigError, Problem, choice
from token_monitor.config.tree import Items, Table, Text, described
from token_monitor.core.secret import MASK

Hook = Callable[[Any, Any], Any]
CONVERTER: Final = Converter(detailed_validation=True)


def scalar(parse: Callable[[str], object], *, secret: bool = False) -> Hook:
    """The hook for what is written as one value. `parse` raises ValueError with what is allowed."""

    def hook(raw: object, _kind: object) -> object:
        text = text_of(raw)
        try:
            return parse(str(text))
        except ValueError as error:
            # A parser may quote the value after the first part, and what is not shown must not leak that way.
            quotes = text.shown != text and not secret
            allowed = str(error).partition(";")[0] if quotes else str(error)
            raise wrong(text, MASK if secret else text.shown, allowed) from None

    return hook


def class_hook(kind: type, **hooks: Hook) -> Hook:
    """The hook for a settings type. `hooks` are for fields whose type alone does not say what is allowed."""
    overrides = {name: override(struct_hook=hook) for name, hook in hooks.items()}
    inner: Hook = make_dict_structure_fn(kind, CONVERTER, **overrides)  # type: ignore[arg-type]

    def hook(raw: object, _kind: object) -> object:
        if not isinstance(raw, Table):
            keys = ", ".join(attribute.name for attribute in attrs.fields(kind))
            raise wrong(raw, described(raw), f"a mapping with keys of {keys}")
        known = {attribute.name for attribute in attrs.fields(kind)}
        given = raw.given()
        unknown = [
            Problem(raw.at(key), "unknown key", choice(key, sorted(known))) for key in sorted(given.keys() - known)
        ]
        try:
            result = inner({key: value for key, value in given.items() if key in known}, kind)
        except ClassValidationError as group:
            found = [problem for error in group.exceptions for problem in _explain(error, raw)]
            raise ConfigError([*unknown, *found]) from None
        if unknown:
            raise ConfigError(unknown)
        return result

    return hook


def text_of(raw: object) -> Text:
    """`raw`, if it is one value. Raises ConfigError."""
    if not isinstance(raw, Text):
        raise wrong(raw, described(raw), "a single value")
    try:
        raw.encode()
    except UnicodeEncodeError:
        raise wrong(raw, "not UTF-8", "UTF-8 text") from None
    return raw


def wrong(raw: object, found: str, allowed: str) -> ConfigError:
    """One problem with a node of the tree."""
    assert isinstance(raw, Text | Items | Table)
    return ConfigError([Problem(raw.path, found, allowed)])


def _explain(error: Exception, table: Table) -> Iterator[Problem]:
    match error:
        case ConfigError():
            yield from error.problems
        case KeyError():
            yield Problem(table.at(error.args[0]), MISSING, "it has no default")
        case ValueError():
            yield Problem(table.path, str(error))
        case _:
            raise error
