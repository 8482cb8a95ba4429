"""What each status and each failure means."""

import itertools
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from support import answers as told
from support.fetching import KEY, failure, fetch
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.reading import Reading
from token_monitor.sources.dialect import Auth, AuthScheme, Expression, Extract


def test_402_is_the_first_quantity_without_a_number(provider: Provider) -> None:
    provider.answer({"error": {"balance": 12}}, 402)
    quantities = {"usd": Extract(Expression("u"), unit="USD"), "cny": Extract(Expression("c"), unit="CNY")}
    assert fetch(provider, quantities=quantities) == [Reading("usd", None, "USD")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Failure.REJECTED),
        (403, Failure.REJECTED),
        (429, Failure.RATE_LIMITED),
        *[(code, Failure.SERVER) for code in (500, 501, 502, 503, 504, 520, 599)],
        *[(code, Failure.STATUS) for code in (300, 304, 305, 400, 404, 405, 408, 410, 418, 451, 499)],
    ],
)
def test_another_status_is_never_a_reading_even_with_a_balance_in_it(
    provider: Provider, code: int, kind: Failure
) -> None:
    provider.answer(told.whole(b"" if code == 304 else b'{"balance": 0}', code))
    error = failure(provider)
    assert (error.kind, error.retry_after) == (kind, None)
    assert str(code) in error.message


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_retry_after_is_taken_from_both_forms_and_ends_quick_retries(provider: Provider, code: int) -> None:
    provider.answer(told.status(code, Retry_After="7"))
    assert failure(provider).retry_after == 7
    provider.answer(told.status(code, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=90), True)))
    error = failure(provider)
    assert error.retry_after == pytest.approx(90, abs=2)
    assert not error.transient
    provider.answer(told.status(code, Retry_After="86400"))
    assert failure(provider).retry_after == 3600


def test_a_status_of_success_is_a_success_whatever_its_number(provider: Provider) -> None:
    provider.answer({"balance": 3}, 203)
    assert fetch(provider)[0].value == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (told.closed, Failure.CONNECTION),
        (told.reset, Failure.CONNECTION),
        (told.truncated(b'{"balance": 5}'), Failure.CONNECTION),
        (told.silence, Failure.TIMEOUT),
        (told.drip(b'{"balance": 5}' + b" " * 500, 0.01, after=told.head()), Failure.TIMEOUT),
        (told.stream(itertools.repeat(b" " * 4096), told.head()), Failure.TOO_LARGE),
        (told.stream(itertools.repeat(b" " * 4096), told.head(302, Location="/")), Failure.TOO_LARGE),
        (told.stream(itertools.repeat(b" " * 4096), told.head(401)), Failure.TOO_LARGE),
    ],
)
def test_no_whole_answer_is_a_failed_poll(provider: Provider, answer: told.Answer, kind: Failure) -> None:
    provider.answer(answer)
    begun = time.monotonic()
    assert failure(provider, timeout=0.5).kind is kind
    assert time.monotonic() - begun < 0.8


def test_no_failure_says_the_credential_or_the_query(provider: Provider) -> None:
    odd = [told.status(code) for code in (401, 404, 429, 500)]
    odd += [told.closed, told.redirect("http://elsewhere.test/?key=" + KEY), told.whole(b"<html>" + KEY.encode())]
    odd += [told.document({"balance": KEY}), told.document({KEY: 1})]
    for answer in odd:
        for auth in (Auth(), Auth(AuthScheme.QUERY, "key")):
            provider.answer(answer)
            error = failure(provider, provider.url + "?team=hidden", auth=auth)
            if answer is not odd[-1]:  # the names at the top are shown, and a provider that puts a credential there…
                assert "canary" not in f"{error!r} {error}"
            assert "hidden" not in f"{error!r} {error}"
