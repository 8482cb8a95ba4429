"""A moment, in the two clocks that the rules need."""

from datetime import UTC, datetime

from attrs import frozen


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
