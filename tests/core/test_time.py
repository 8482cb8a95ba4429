"""Moments as people and machines read them. Durations as settings write them: tests/config/test_durations.py."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from token_monitor.core.time import human_duration, rfc3339


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 4, 5, 10, tzinfo=UTC), "2026-04-05T10:00:00.000Z"),
        (datetime(2026, 4, 5, 18, tzinfo=timezone(timedelta(hours=8))), "2026-04-05T10:00:00.000Z"),
        (datetime(2026, 1, 1, 0, 15, tzinfo=timezone(timedelta(minutes=30))), "2025-12-31T23:45:00.000Z"),
        (datetime(2026, 4, 5, 10, 0, 59, 999_999, tzinfo=UTC), "2026-04-05T10:00:59.999Z"),
        (datetime(2026, 4, 5, 10, 0, 0, 1_000, tzinfo=UTC), "2026-04-05T10:00:00.001Z"),
    ],
)
def test_a_moment_is_utc_with_milliseconds_never_rounded_into_the_next_second(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text
    assert datetime.fromisoformat(text) <= moment


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (1, "1s"),
        (60, "1m"),
        (90, "1m30s"),
        (3600, "1h"),
        (86399, "23h59m59s"),
        (86400, "1d"),
        (90061, "1d1h1m1s"),
        (172800.0, "2d"),
        (3540.25, "3540.25s"),
    ],
)
def test_a_duration_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text
