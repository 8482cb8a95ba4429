"""How a log line is written: JSON for machines, columns for people at a terminal."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import PurePath
from traceback import walk_tb
from types import TracebackType
from typing import Final

from token_monitor.core.number import plain, to_json
from token_monitor.core.secret import redact

Fields = Mapping[str, object]
Render = Callable[[Fields], str]
"""Writes fields that JSON can hold, among them `timestamp`, `level` and `msg`."""

_FRAMES: Final = 20
_CAUSES: Final = 5
_COLORS: Final = {"debug": "\033[2m", "info": "\033[32m", "warning": "\033[33m", "error": "\033[31m"}
_LOUDEST: Final = "\033[1;31m"
_END: Final = "\033[0m"
_HEAD: Final = ("timestamp", "level", "msg", "exception")


def renderer(format: str, *, color: bool = False) -> Render:  # noqa: A002
    """`json` or `console`; color: for a terminal that shows it."""
    if format == "json":
        return lambda fields: to_json(dict(fields))
    return lambda fields: _console(fields, color)


def written(fields: Fields, render: Render) -> str:
    """The line, with every living secret masked.

    The masks go into the values, not the finished line: a secret of digits would there mask half of a number.
    """
    line = render({key: _jsonable(value, str) for key, value in fields.items()})
    if redact(line) == line:
        return line
    return render({key: _jsonable(value, redact) for key, value in fields.items()})


def _jsonable(value: object, clean: Callable[[str], str]) -> object:
    match value:
        case None | bool() | int():
            return value
        case Decimal() if value.is_finite():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return {clean(str(key)): _jsonable(item, clean) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_jsonable(item, clean) for item in value]
        case _:
            return clean(str(value))


def described(error: BaseException, causes: int = _CAUSES) -> dict[str, object]:
    """An exception as a log field: type, message, the innermost frames, its cause. No locals: they hold secrets."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    told: dict[str, object] = {"type": name, "message": str(error), "frames": _frames(error.__traceback__)}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and causes:
        told["cause"] = described(cause, causes - 1)
    return told


def _frames(traceback: TracebackType | None) -> list[str]:
    """`package/file.py:12 function`, outermost first."""
    frames = [(frame.f_code, line) for frame, line in walk_tb(traceback)][-_FRAMES:]
    return [f"{'/'.join(PurePath(code.co_filename).parts[-2:])}:{line} {code.co_qualname}" for code, line in frames]


def _console(fields: Fields, color: bool) -> str:
    level = str(fields["level"])
    local = datetime.fromisoformat(str(fields["timestamp"])).astimezone()
    rest = " ".join(f"{key}={_shown(value)}" for key, value in fields.items() if key not in _HEAD)
    tint, end = (_COLORS.get(level, _LOUDEST), _END) if color else ("", "")
    line = f"{local:%H:%M:%S} {tint}{level.upper():<8}{end} {_printable(str(fields['msg'])):<32} {rest}".rstrip()
    return "\n".join([line, *_trace(fields.get("exception"))])


def _shown(value: object) -> str:
    match value:
        case Decimal():
            return plain(value)
        case str() if value and not any(character.isspace() or character in '"=' for character in value):
            return _printable(value)
        case str():
            return _printable(json.dumps(value, ensure_ascii=False))
        case _:
            return _printable(to_json(value))


def _printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _trace(exception: object) -> list[str]:
    lines: list[str] = []
    while isinstance(exception, Mapping):
        lines.append(_printable(f"    {exception['type']}: {exception['message']}"))
        lines += [_printable(f"      at {frame}") for frame in exception["frames"]]
        exception = exception.get("cause")
    return lines
