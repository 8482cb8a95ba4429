"""How one value is written. Each function takes the text and raises ValueError with what is allowed."""

import os
import re
from decimal import Decimal
from ipaddress import IPv6Address
from pathlib import Path

from token_monitor.core.number import parse_decimal
from token_monitor.core.rules import Bound
from token_monitor.core.time import human_duration, parse_duration
from token_monitor.core.words import PRIMARY

MAX_DURATION = 366 * 86400
MAX_TIMEOUT = 300
MAX_NAME = 100
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LISTEN = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]\s]+)):(\d{1,5})", re.ASCII)


def boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def whole(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,15}", text, re.ASCII):
        raise ValueError("a whole number")
    return int(text)


def count(text: str) -> int:
    """From 1."""
    try:
        number = whole(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError("a whole number from 1")
    return number


def number(text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError:
        raise ValueError("a number such as 10 or 0.01, of at most 40 digits") from None


def duration(text: str) -> float:
    """Seconds, above 0."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0
    if not seconds:
        raise ValueError("a duration above 0 such as 300, 30s, 5m or 1h30m")
    return _bounded(seconds)


def timeout(text: str) -> float:
    """Of a channel, in seconds, above 0; not so long that a delivery which is right looks like one that hangs."""
    seconds = duration(text)
    if seconds > MAX_TIMEOUT:
        raise ValueError(f"a duration of at most {human_duration(MAX_TIMEOUT)}")
    return seconds


def pause(text: str) -> float:
    """Seconds; 0 is allowed."""
    return _bounded(parse_duration(text))


def _bounded(seconds: float) -> float:
    if seconds > MAX_DURATION:
        raise ValueError("a duration of at most 366d")
    return seconds


def bound(text: str) -> Bound:
    """Units, or a percentage."""
    allowed = "a number from 0 such as 10 or 0.5, or a percentage from 0% to 100%"
    percent = text.endswith("%")
    try:
        value = parse_decimal(text.removesuffix("%"))
    except ValueError:
        raise ValueError(allowed) from None
    if value < 0 or (percent and value > 100):
        raise ValueError(allowed)
    return Bound(value, percent)


def name(text: str) -> str:
    """Of an account, a channel or a quantity: it becomes part of a subject (`NAME/balance`) and of metric labels."""
    if not text or len(text) > MAX_NAME or "/" in text or not text.isprintable() or text != text.strip():
        raise ValueError(f"a name of 1 to {MAX_NAME} printable characters, without / and without outer white space")
    return text


def quantity(text: str) -> str:
    """`NAME/visibility` and `NAME/credential` are subjects of their own."""
    if text in ("visibility", "credential"):
        raise ValueError("another name, for visibility and credential are reserved")
    return name(text)


def label(text: str) -> str:
    """Of a spare credential."""
    if text == PRIMARY:
        raise ValueError(f"another name, for {PRIMARY} is what the account's own credential is called")
    return name(text)


def file(text: str) -> Path:
    """An absolute path that is no folder: the working directory of a daemon is nothing to rely on."""
    path = Path(text)
    named = text.rpartition("/")[2] not in ("", ".", "..") and "\0" not in text
    if not path.is_absolute() or not named or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises
        raise ValueError("an absolute path of a file such as /shared/credential")
    return path


def file_mode(text: str) -> str:
    """Permissions in octal, always with four digits."""
    if not re.fullmatch("0?[0-7]{3}", text, re.ASCII):
        raise ValueError("permissions in octal such as 0640")
    return text.zfill(4)


def listen(text: str) -> tuple[str, int] | None:
    """Host and port; None for `off`. Port 0 is any free one."""
    if text.lower() == "off":
        return None
    match = _LISTEN.fullmatch(text)
    allowed = "host:port such as 127.0.0.1:9775 or [::1]:9775, or off"
    if match is None or int(match[3]) > 65535:
        raise ValueError(allowed)
    if match[1] is not None:
        try:
            IPv6Address(match[1])
        except ValueError:
            raise ValueError(allowed) from None
    return match[1] or match[2], int(match[3])
