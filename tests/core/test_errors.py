"""What follows from a failure (rules J12, O3)."""

from collections.abc import Callable

import pytest

from token_monitor.core.errors import ChannelError, Failure, Scope, SourceError

TRANSIENT = {Failure.CONNECTION, Failure.DNS, Failure.TIMEOUT, Failure.SERVER}


@pytest.mark.parametrize("kind", Failure)
def test_a_poll_is_repeated_at_once_only_after_what_may_pass_and_not_when_asked_to_wait(kind: Failure) -> None:
    assert SourceError(kind, "it failed").transient == (kind in TRANSIENT)
    assert not SourceError(kind, "it failed", retry_after=1).transient
    assert not SourceError(kind, "it failed", retry_after=0).transient


@pytest.mark.parametrize(
    ("statuses", "scope"),
    [
        ((408, 425, 429, 500, 502, 503, 504, 599), Scope.RETRY),
        ((400, 413), Scope.MESSAGE),
        ((301, 302, 304, 307, 308, 401, 403, 404, 405, 410, 414, 415, 422, 451), Scope.CHANNEL),
    ],
)
def test_a_status_says_whether_this_message_or_the_channel_is_wrong_or_later_will_do(
    statuses: tuple[int, ...], scope: Scope
) -> None:
    assert {Scope.of_status(status) for status in statuses} == {scope}


@pytest.mark.parametrize(
    "make",
    [
        lambda wait: SourceError(Failure.RATE_LIMITED, "slow down", wait),
        lambda wait: ChannelError(Scope.RETRY, "slow down", retry_after=wait),
    ],
)
@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, None), (0.0, 0.0), (-5.0, 0.0), (1.5, 1.5), (3600.0, 3600.0), (3601.0, 3600.0), (float("inf"), 3600.0)],
)
def test_a_wait_asked_for_is_between_nothing_and_an_hour(
    make: Callable[[float | None], SourceError | ChannelError], asked: float | None, granted: float | None
) -> None:
    assert make(asked).retry_after == granted


def test_a_failed_poll_says_how_long_it_was_asked_to_wait() -> None:
    assert str(SourceError(Failure.RATE_LIMITED, "HTTP 429", 90)) == "HTTP 429 (asked to wait 1m30s)"
    assert str(SourceError(Failure.SERVER, "HTTP 500")) == "HTTP 500"


def test_a_failed_delivery_says_why_in_one_line() -> None:
    error = ChannelError(Scope.CHANNEL, "HTTP 404 from hooks.example.com", ambiguous=True)

    assert (str(error), error.scope, error.ambiguous) == ("HTTP 404 from hooks.example.com", "channel", True)
