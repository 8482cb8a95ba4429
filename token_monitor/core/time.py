"""A moment, in the two clocks that the rules need."""

import re
from datetime import UTC, datetime
from typing import Final, NewType

from attrs import frozen

Seconds = NewType("Seconds", float)
"""The type of a setting that is a duration above 0."""

_PLAIN: Final = re.compile(r"\d{1,15}(?:\.\d{1,15})?", re.ASCII)
_PARTS: Final = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,15}(?:\.\d{1,15})?)s)?", re.ASCII)


@frozen
class Now:
    """One moment.

    wall: what people read, and what decides calendars; may jump.
    steady: seconds on a clock that never steps back or jumps, across restarts too (rule J1); measures durations.
    """

    wall: datetime
    steady: float


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and `Z` (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def human_duration(seconds: float) -> str:
    """`90` → `1m30s`: the notation that settings use."""
    whole = int(seconds)
    if seconds != whole:
        return f"{seconds:g}s"
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "m"), (whole % 60, "s")]
    return "".join(f"{count}{unit}" for count, unit in parts if count) or "0s"


def parse_duration(text: str) -> float:
    """Seconds, from plain seconds (`300`, `0.5`) or `30s`, `5m`, `1h30m`, `2d`. Raises ValueError: what is allowed."""
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _PARTS.fullmatch(text)
    if not text or parts is None:
        raise ValueError("a duration such as 300, 30s, 5m or 1h30m")
    return sum(float(count or 0) * size for count, size in zip(parts.groups(), (86400, 3600, 60, 1), strict=True))
