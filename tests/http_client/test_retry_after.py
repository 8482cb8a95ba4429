"""Retry-After in both its forms, and in none."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from support import answers as told
from support.asking import ask
from support.provider import Provider
from token_monitor.http import RequestsClient


def in_a_minute(**shift: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60, **shift), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 400, 999_999_999),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("5, 10", None),
        ("٣", None),
        ("Wed, 99 Oct 99999 07:28:00 GMT", None),
        ("0 0 0 0 0", None),
        ("Mon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    client: RequestsClient, provider: Provider, value: str, seconds: float | None
) -> None:
    provider.answer(told.raw(told.head(429, Content_Length=0)[:-2] + f"Retry-After: {value}\r\n\r\n".encode()))
    assert ask(client, provider.url).retry_after == seconds


def test_a_retry_after_date_is_counted_from_now(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.status(503, Retry_After=in_a_minute()))
    assert ask(client, provider.url).retry_after == pytest.approx(60, abs=2)
    provider.answer(told.status(503, Retry_After=in_a_minute().replace("GMT", "-0000")))
    assert ask(client, provider.url).retry_after == pytest.approx(60, abs=2)


def test_a_retry_after_date_is_counted_from_the_answers_own_date_where_ours_is_wrong(
    client: RequestsClient, provider: Provider
) -> None:
    provider.answer(told.status(503, Date="Sun, 05 Apr 2026 10:00:00 GMT", Retry_After="Sun, 05 Apr 2026 10:00:45 GMT"))
    assert ask(client, provider.url).retry_after == 45
