"""How each type is written: one line a type."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_origin

import attrs

from token_monitor.config import scalars
from token_monitor.config.body import body, header
from token_monitor.config.converter import CONVERTER, Hook, class_hook, scalar
from token_monitor.config.credential import Credential
from token_monitor.config.hooks import (
    account_hook,
    argument,
    by_kind,
    credential_of,
    enum,
    mapping,
    parsed,
    rule_hook,
    sequence,
    string,
)
from token_monitor.config.settings import AccountSettings, ChannelSettings, DaemonSettings, FailoverSettings, FileMode
from token_monitor.core.argument import Argument
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.template import Body, HiddenTemplate
from token_monitor.core.time import Seconds

T = TypeVar("T")


def structure(raw: object, kind: type[T]) -> T:
    """`raw`, a node of the tree, as a `kind`. Raises ConfigError."""
    return CONVERTER.structure(raw, kind)


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    JSON = "json"
    CONSOLE = "console"


def _settings_type(kind: type) -> Hook:
    timeout = attrs.fields_dict(kind).get("timeout")
    hooks = {"timeout": scalar(scalars.timeout)} if timeout and timeout.type is Seconds else {}
    return class_hook(kind, **hooks)


def _field(kind: Any) -> Hook:
    return lambda raw, _: CONVERTER.structure(raw, kind)


def _is(*origins: object) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) in origins


# A later line is asked first.
CONVERTER.register_structure_hook_factory(attrs.has, _settings_type)
CONVERTER.register_structure_hook_func(_is(Mapping, dict), mapping)
CONVERTER.register_structure_hook_func(_is(Sequence, list, tuple), sequence)
CONVERTER.register_structure_hook_func(_is(frozenset), lambda raw, kind: frozenset(sequence(raw, kind)))
CONVERTER.register_structure_hook_factory(lambda kind: isinstance(kind, type) and issubclass(kind, Enum), enum)
CONVERTER.register_structure_hook_factory(lambda kind: callable(getattr(kind, "parse", None)), parsed)
CONVERTER.register_structure_hook_func(lambda kind: kind is object, by_kind)
CONVERTER.register_structure_hook(str, string)
CONVERTER.register_structure_hook(bool, scalar(scalars.boolean))
CONVERTER.register_structure_hook(int, scalar(scalars.whole))
CONVERTER.register_structure_hook(Decimal, scalar(scalars.number))
CONVERTER.register_structure_hook(Seconds, scalar(scalars.duration))
CONVERTER.register_structure_hook(Secret, scalar(Secret, secret=True))
CONVERTER.register_structure_hook(Bound, scalar(scalars.bound))
CONVERTER.register_structure_hook(Rule, rule_hook())
CONVERTER.register_structure_hook(Credential, credential_of)
CONVERTER.register_structure_hook(Argument, argument)
CONVERTER.register_structure_hook(Body, body)
CONVERTER.register_structure_hook(HiddenTemplate, header)
CONVERTER.register_structure_hook(
    AccountSettings,
    account_hook(
        name=scalar(scalars.name),
        interval=scalar(scalars.duration),
        timeout=scalar(scalars.duration),
        cooldown=scalar(scalars.pause),
        max_failures=scalar(scalars.count),
    ),
)
CONVERTER.register_structure_hook(Path, scalar(scalars.file))
CONVERTER.register_structure_hook(FileMode, scalar(scalars.file_mode))
CONVERTER.register_structure_hook(FailoverSettings, class_hook(FailoverSettings, dwell=scalar(scalars.pause)))
CONVERTER.register_structure_hook(ChannelSettings, class_hook(ChannelSettings))
CONVERTER.register_structure_hook(
    DaemonSettings,
    class_hook(
        DaemonSettings,
        data=scalar(lambda text: None if text == ":memory:" else Path(text)),
        listen=scalar(scalars.listen),
        log_level=_field(LogLevel),
        log_format=_field(LogFormat),
    ),
)
