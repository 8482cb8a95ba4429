"""Slack's incoming webhooks, by what Slack documents."""

import json
from collections.abc import Iterator

import pytest

from support.messages import low
from support.receiver import Receiver
from token_monitor.channels.slack import Slack, SlackChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def channel(receiver: Receiver) -> SlackChannel:
    return SlackChannel(Slack(Url(f"{receiver.url}/services/T/B/x")), RequestsClient())


def refusal(channel: SlackChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(low())
    return caught.value


def test_the_text_is_escaped_as_slack_wants_it(receiver: Receiver, channel: SlackChannel) -> None:
    receiver.answer(body=b"ok")
    assert channel.send(low("a < b & c > d &lt;")) == f"{receiver.authority} answered 200: ok"
    assert json.loads(receiver.requests[0].body) == {"text": "a &lt; b &amp; c &gt; d &amp;lt;"}


@pytest.mark.parametrize(("status", "body"), [(200, b""), (200, b"<html>ok</html>"), (204, b""), (202, b"ok")])
def test_an_answer_that_is_not_200_ok_is_no_acknowledgement(
    receiver: Receiver, channel: SlackChannel, status: int, body: bytes
) -> None:
    receiver.answer(status, body=body)
    error = refusal(channel)
    assert error.scope is Scope.CHANNEL
    assert "check that the URL is Slack's" in error.reason


@pytest.mark.parametrize(
    ("status", "body", "scope", "hint"),
    [
        (400, b"invalid_payload", Scope.MESSAGE, "does not accept the message"),
        (400, b"user_not_found", Scope.CHANNEL, "make a new webhook"),
        (403, b"action_prohibited", Scope.CHANNEL, "ask its administrator"),
        (403, b"invalid_token", Scope.CHANNEL, "copy it again"),
        (404, b"channel_not_found", Scope.CHANNEL, "make a new webhook"),
        (404, b"no_service", Scope.CHANNEL, "make a new one"),
        (410, b"channel_is_archived", Scope.CHANNEL, "archived"),
        (404, b"something_new", Scope.CHANNEL, "nothing takes alerts at this URL"),
        (429, b"rate_limited", Scope.RETRY, "asks for a pause"),
        (500, b"rollup_error", Scope.RETRY, "trouble"),
        (200, b"no_service", Scope.CHANNEL, "make a new one"),
    ],
)
def test_a_documented_error_says_what_to_mend(
    receiver: Receiver, channel: SlackChannel, status: int, body: bytes, scope: Scope, hint: str
) -> None:
    receiver.answer(status, body=body)
    error = refusal(channel)
    assert error.scope is scope
    assert hint in error.reason
    assert "/services" not in error.reason
