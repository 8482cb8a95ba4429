"""What every channel for a receiver of states must do, against a real receiver. A new one adds a line to CHANNELS."""

import socket
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.messages import FixedClock, low
from support.receiver import Receiver
from token_monitor.channels.alertmanager import Alertmanager, AlertmanagerChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpClient
from token_monitor.core.ports import LevelChannel
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Endpoint, Url
from token_monitor.http import RequestsClient

PATH = "/path-canary"
CANARIES = ("path-canary", "query-canary", "token-canary")
SOON, LONG = Seconds(0.4), Seconds(10.0)

Make = Callable[[Url, Seconds, HttpClient], tuple[object, LevelChannel]]


def alertmanager(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, LevelChannel]:
    more = Endpoint("https://grafana.example/d/1?key=query-canary")
    settings = Alertmanager(url, token=Secret("token-canary"), generator_url=more, timeout=timeout)
    return settings, AlertmanagerChannel(settings, http, FixedClock())


CHANNELS: dict[str, Make] = {"alertmanager": alertmanager}


@pytest.fixture(params=CHANNELS)
def make(request: pytest.FixtureRequest) -> Make:
    return CHANNELS[request.param]


@pytest.fixture(scope="module")
def http() -> RequestsClient:
    return RequestsClient()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def refusal(channel: LevelChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.sync([low()], [])
    error = caught.value
    assert error.reason.isprintable()
    told = "".join([error.reason, repr(error), repr(channel), *traceback.format_exception(error)])
    assert not [canary for canary in CANARIES if canary in told]
    return error


def test_what_was_told_is_acknowledged_in_one_line_with_what_was_told(
    make: Make, receiver: Receiver, http: RequestsClient
) -> None:
    _, channel = make(Url(receiver.url + PATH), LONG, http)
    for firing, resolved in ([low()], []), ([], [low()]), ([], []):
        answer = channel.sync(firing, resolved)
        assert answer.isprintable()
        assert f"{len(firing)} firing, {len(resolved)} resolved" in answer
        assert receiver.authority in answer
    assert len(receiver.requests) == 3


@pytest.mark.parametrize(
    ("status", "scope"),
    [
        (301, Scope.CHANNEL),
        (400, Scope.MESSAGE),
        (401, Scope.CHANNEL),
        (403, Scope.CHANNEL),
        (404, Scope.CHANNEL),
        (408, Scope.RETRY),
        (413, Scope.MESSAGE),
        (422, Scope.CHANNEL),
        (429, Scope.RETRY),
        (500, Scope.RETRY),
        (503, Scope.RETRY),
    ],
)
def test_a_refusal_says_what_it_means_for_the_next_attempt(
    make: Make, receiver: Receiver, http: RequestsClient, status: int, scope: Scope
) -> None:
    receiver.answer(status, headers={"Location": receiver.url + PATH}, body=b"Bearer token-canary " + PATH.encode())
    _, channel = make(Url(receiver.url + PATH), LONG, http)
    error = refusal(channel)
    assert (error.scope, error.ambiguous) == (scope, False)
    assert f"{receiver.authority} answered {status}: " in error.reason


def test_a_200_of_something_else_is_no_acknowledgement(make: Make, receiver: Receiver, http: RequestsClient) -> None:
    receiver.answer(200, headers={"Content-Type": "text/html"}, body=b"<html>Please log in</html>")
    _, channel = make(Url(receiver.url + PATH), LONG, http)
    assert refusal(channel).scope is Scope.CHANNEL


def test_the_pause_a_receiver_asks_for_is_passed_on(make: Make, receiver: Receiver, http: RequestsClient) -> None:
    receiver.answer(429, headers={"Retry-After": "7"})
    _, channel = make(Url(receiver.url + PATH), LONG, http)
    assert refusal(channel).retry_after == 7


def test_a_receiver_that_is_not_there_is_tried_again(make: Make, http: RequestsClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        _, channel = make(Url(f"http://127.0.0.1:{unused.getsockname()[1]}{PATH}"), LONG, http)
        error = refusal(channel)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)


@pytest.mark.parametrize("how", [{"close": True}, {"delay": 60.0}, {"drip": 0.1}], ids=["reset", "silent", "dripping"])
def test_an_answer_that_never_comes_whole_is_left_in_time_and_tried_again(
    make: Make, receiver: Receiver, http: RequestsClient, how: dict[str, Any]
) -> None:
    receiver.answer(**how)
    _, channel = make(Url(receiver.url + PATH), SOON, http)
    started = time.monotonic()
    error = refusal(channel)
    assert time.monotonic() - started < SOON + 3
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)


def test_settings_and_channel_print_no_secret(make: Make, http: RequestsClient) -> None:
    settings, channel = make(Url("https://alerts.example" + PATH), LONG, http)
    for shown in (repr(settings), str(settings), repr(channel), str(channel)):
        assert not [canary for canary in CANARIES if canary in shown]
