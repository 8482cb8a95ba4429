"""State and messages as JSON text, exactly: a Decimal keeps its digits, a moment is UTC.

Fields that a newer version added are ignored, and states it added are left out: going back a version must not stop
the daemon. Everything is ASCII, since a provider's text may hold half a surrogate pair, which UTF-8 cannot.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from cattrs import Converter

from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import SubjectState
from token_monitor.core.message import Message
from token_monitor.core.words import State

_T = TypeVar("_T")


class UnreadableError(ValueError):
    """Stored text that does not hold what it should."""


def encode_state(state: SubjectState) -> str:
    """The JSON text of `state`."""
    return _dump(_CONVERTER.unstructure(state))


def decode_state(text: str) -> SubjectState:
    """The inverse of `encode_state`. Raises UnreadableError."""
    return _load(text, SubjectState)


def encode_message(message: Message) -> str:
    """The JSON text of `message`."""
    return _dump(_CONVERTER.unstructure(message))


def decode_message(text: str) -> Message:
    """The inverse of `encode_message`. Raises UnreadableError."""
    return _load(text, Message)


def encode_failover(state: FailoverState) -> str:
    """The JSON text of `state`."""
    return _dump(_CONVERTER.unstructure(state))


def decode_failover(text: str) -> FailoverState:
    """The inverse of `encode_failover`. Raises UnreadableError."""
    return _load(text, FailoverState)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _load(text: str, kind: type[_T]) -> _T:
    try:
        stored = json.loads(text)
        if not isinstance(stored, dict):
            raise TypeError("not an object")
        return _CONVERTER.structure(stored, kind)
    except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def _state(value: str, _kind: object = State) -> State:
    return State(value) if value in _STATES else State.UNKNOWN


def _states(values: list[str], _kind: object) -> frozenset[State]:
    return frozenset(State(value) for value in values if value in _STATES)


def _stamps(values: Mapping[str, float], _kind: object) -> dict[State, float]:
    return {State(value): float(stamp) for value, stamp in values.items() if value in _STATES}


def _decimal(value: object, _kind: object) -> Decimal:
    if not isinstance(value, str):
        raise TypeError("a number that is not text has lost digits")
    return Decimal(value)


def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_unstructure_hook(datetime, lambda moment: moment.astimezone(UTC).isoformat())
    converter.register_structure_hook(datetime, lambda text, _kind: datetime.fromisoformat(text))
    converter.register_unstructure_hook_func(lambda kind: kind == frozenset[State], sorted)
    converter.register_structure_hook_func(lambda kind: kind == frozenset[State], _states)
    converter.register_structure_hook_func(lambda kind: kind == Mapping[State, float], _stamps)
    converter.register_structure_hook(State, _state)
    return converter


_STATES = frozenset(State)
_CONVERTER = _converter()
