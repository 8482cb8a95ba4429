"""What every channel must do, against a real receiver. A new channel adds one line to HTTP_CHANNELS."""

import json
import operator
import os
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import trustme
from attrs import frozen

from support.messages import FixedClock, low
from support.receiver import Receiver
from support.robots import people_read
from support.tools import make_tools
from token_monitor.channels.dingtalk import DingTalk, DingTalkChannel
from token_monitor.channels.feishu import Feishu, FeishuChannel
from token_monitor.channels.slack import Slack, SlackChannel
from token_monitor.channels.stdout import StdoutChannel
from token_monitor.channels.template import Templated, TemplatedChannel
from token_monitor.channels.webhook import Webhook, WebhookChannel
from token_monitor.channels.wecom import WeCom, WeComChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpClient
from token_monitor.core.ports import Channel
from token_monitor.core.secret import Secret
from token_monitor.core.template import Body, Template, UrlTemplate
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient
from token_monitor.logs import alert_line
from token_monitor.output import Output

PATH = "/services/T000/path-canary?key=query-canary"
CANARIES = ("path-canary", "query-canary", "secret-canary", "header-canary")
SOON = Seconds(0.4)
LONG = Seconds(10.0)


@frozen
class Kind:
    """One kind of HTTP channel.

    make: settings and channel for a URL. accepts: the answer that acknowledges. reads: what people see of a body.
    """

    make: Callable[[Url, Seconds, HttpClient], tuple[object, Channel]]
    accepts: dict[str, Any]
    reads: Callable[[Any], str] = operator.itemgetter("text")


def webhook(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    settings = Webhook(url, Secret("secret-canary"), timeout, {"Authorization": Secret("Bearer header-canary")})
    return settings, WebhookChannel(settings, http, FixedClock())


def slack(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    settings = Slack(url, timeout)
    return settings, SlackChannel(settings, http)


def dingtalk(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    settings = DingTalk(url, Secret("secret-canary"), timeout=timeout)
    return settings, DingTalkChannel(settings, http, FixedClock())


def wecom(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    settings = WeCom(url, timeout=timeout)
    return settings, WeComChannel(settings, http)


def feishu(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    settings = Feishu(url, Secret("secret-canary"), timeout=timeout)
    return settings, FeishuChannel(settings, http, FixedClock())


def template(url: Url, timeout: Seconds, http: HttpClient) -> tuple[object, Channel]:
    header = Template.parse("Bearer header-canary", Secret("Bearer header-canary"))
    place, body = UrlTemplate(url.secret.reveal()), Body({"text": Template.parse("{text}")})
    settings = Templated(place, headers={"Authorization": header}, body=body, timeout=timeout)  # type: ignore[dict-item]
    return settings, TemplatedChannel(settings, make_tools(http=http))


HTTP_CHANNELS = {
    "webhook": Kind(webhook, {"status": 204}),
    "template": Kind(template, {"status": 201, "body": b'{"ticket": 1}'}),
    "slack": Kind(slack, {"status": 200, "body": b"ok"}),
    "dingtalk": Kind(dingtalk, {"status": 200, "body": b'{"errcode":0,"errmsg":"ok"}'}, people_read),
    "wecom": Kind(wecom, {"status": 200, "body": b'{"errcode":0,"errmsg":"ok"}'}, people_read),
    "feishu": Kind(feishu, {"status": 200, "body": b'{"code":0,"data":{},"msg":"success"}'}, people_read),
}


@pytest.fixture(params=HTTP_CHANNELS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return HTTP_CHANNELS[request.param]


@pytest.fixture(scope="module")
def http() -> RequestsClient:
    return RequestsClient()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def refusal(channel: Channel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(low())
    error = caught.value
    assert error.reason
    assert error.reason.isprintable()
    told = "".join([error.reason, str(error), repr(error), repr(channel), *traceback.format_exception(error)])
    assert not [canary for canary in CANARIES if canary in told]
    return error


def test_an_acknowledged_message_is_delivered(kind: Kind, receiver: Receiver, http: RequestsClient) -> None:
    receiver.answer(**kind.accepts)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    answer = channel.send(low())
    assert answer == answer.strip()
    assert answer.isprintable()
    assert receiver.authority in answer
    [request] = receiver.requests
    assert (request.method, request.path.partition("&timestamp=")[0]) == ("POST", PATH)
    assert request.headers["content-type"].startswith("application/json")
    read = kind.reads(json.loads(request.body))
    pieces = low().text.split(": ") if kind.reads is people_read else [low().text]
    assert [piece for piece in pieces if piece not in read] == []


def test_the_acknowledgement_is_waited_for(kind: Kind, receiver: Receiver, http: RequestsClient) -> None:
    receiver.answer(**kind.accepts, delay=0.3)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    started = time.monotonic()
    channel.send(low())
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("status", "scope"),
    [
        (301, Scope.CHANNEL),
        (302, Scope.CHANNEL),
        (307, Scope.CHANNEL),
        (400, Scope.MESSAGE),
        (401, Scope.CHANNEL),
        (403, Scope.CHANNEL),
        (404, Scope.CHANNEL),
        (405, Scope.CHANNEL),
        (408, Scope.RETRY),
        (410, Scope.CHANNEL),
        (413, Scope.MESSAGE),
        (422, Scope.CHANNEL),
        (425, Scope.RETRY),
        (429, Scope.RETRY),
        (500, Scope.RETRY),
        (502, Scope.RETRY),
        (503, Scope.RETRY),
        (504, Scope.RETRY),
    ],
)
def test_a_refusal_says_what_it_means_for_the_next_message(
    kind: Kind, receiver: Receiver, http: RequestsClient, status: int, scope: Scope
) -> None:
    echo = f"Cannot POST {PATH} with Bearer header-canary".encode()
    receiver.answer(status, headers={"Location": receiver.url + PATH}, body=echo)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    error = refusal(channel)
    assert (error.scope, error.retry_after, error.ambiguous) == (scope, None, False)
    assert f"{receiver.authority} answered {status}: " in error.reason
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_a_receiver_asks_for_is_passed_on(
    kind: Kind, receiver: Receiver, http: RequestsClient, status: int
) -> None:
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    for written, least, most in (("7", 7.0, 7.0), (date, 60.0, 90.0), ("99999", 3600.0, 3600.0)):
        receiver.answer(status, headers={"Retry-After": written})
        pause = refusal(channel).retry_after
        assert pause is not None
        assert least <= pause <= most


@pytest.mark.parametrize("status", [302, 400, 403, 404])
def test_what_is_no_matter_of_time_asks_for_no_pause(
    kind: Kind, receiver: Receiver, http: RequestsClient, status: int
) -> None:
    """The pause would outlive the mistake: it holds after a restart with a URL that is right."""
    receiver.answer(status, headers={"Retry-After": "3600"})
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    error = refusal(channel)
    assert error.scope is not Scope.RETRY
    assert error.retry_after is None


def test_a_receiver_that_is_not_there_is_tried_again(kind: Kind, http: RequestsClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{unused.getsockname()[1]}"
        _, channel = kind.make(Url(f"http://{authority}{PATH}"), LONG, http)
        error = refusal(channel)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert authority in error.reason


def test_a_connection_that_breaks_is_tried_again_and_may_have_delivered(
    kind: Kind, receiver: Receiver, http: RequestsClient
) -> None:
    receiver.answer(close=True)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    error = refusal(channel)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert len(receiver.requests) == 1


def test_an_answer_cut_short_counts_for_as_much_as_was_read(
    kind: Kind, receiver: Receiver, http: RequestsClient
) -> None:
    receiver.answer(close=True, cut=1, body=b"ok")
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    if isinstance(channel, WebhookChannel | TemplatedChannel):  # delivered is a 2xx, whatever follows the status line
        assert "answered 200" in channel.send(low())
        return
    error = refusal(channel)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)


@pytest.mark.parametrize("how", [{"delay": 60.0}, {"drip": 0.1}], ids=["silent", "dripping"])
def test_a_receiver_that_takes_too_long_is_left_in_time_and_may_have_it(
    kind: Kind, receiver: Receiver, http: RequestsClient, how: dict[str, Any]
) -> None:
    receiver.answer(**kind.accepts, **how)
    _, channel = kind.make(Url(receiver.url + PATH), SOON, http)
    started = time.monotonic()
    error = refusal(channel)
    assert time.monotonic() - started < SOON + 3.0
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)


def test_a_receiver_with_an_unknown_certificate_gets_nothing(kind: Kind, http: RequestsClient) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with Receiver(tls=context) as receiver:
        _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
        error = refusal(channel)
        assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
        assert receiver.requests == []


def test_a_channel_that_failed_delivers_once_its_receiver_recovers(
    kind: Kind, receiver: Receiver, http: RequestsClient
) -> None:
    receiver.answer(503, times=1)
    receiver.answer(close=True, times=1)
    receiver.answer(**kind.accepts)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    refusal(channel)
    refusal(channel)
    assert channel.send(low())


def test_a_message_sent_again_is_the_same(kind: Kind, receiver: Receiver, http: RequestsClient) -> None:
    receiver.answer(500, times=1)
    receiver.answer(**kind.accepts)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    refusal(channel)
    channel.send(low())
    first, second = receiver.requests
    assert first.body == second.body
    assert first.headers == second.headers


@pytest.mark.parametrize("text", ['quotes " and \\', "余额不足", "<a&b>\n\x00", "\ud800", "x" * 200_000])
def test_any_text_arrives_as_json(kind: Kind, receiver: Receiver, http: RequestsClient, text: str) -> None:
    receiver.answer(**kind.accepts)
    _, channel = kind.make(Url(receiver.url + PATH), LONG, http)
    channel.send(low(text))
    assert isinstance(kind.reads(json.loads(receiver.requests[0].body)), str)


def test_settings_and_channel_print_no_secret(kind: Kind, http: RequestsClient) -> None:
    settings, channel = kind.make(Url("https://hooks.example" + PATH), LONG, http)
    for shown in (repr(settings), str(settings), repr(channel), str(channel), f"{settings}"):
        assert not [canary for canary in CANARIES if canary in shown]


@pytest.fixture
def stdout() -> Iterator[tuple[StdoutChannel, int, Output]]:
    read, write = os.pipe()
    output = Output(write)
    yield StdoutChannel(output.alert, lambda alert: alert_line(alert, "json")), read, output
    output.close(10)
    os.close(write)


def test_standard_output_acknowledges_a_whole_line(stdout: tuple[StdoutChannel, int, Output]) -> None:
    channel, read, _ = stdout
    assert channel.send(low()).isprintable()
    assert os.read(read, 10_000).decode() == alert_line(low().alert, "json") + "\n"
    os.close(read)


def test_standard_output_writes_the_same_line_again(stdout: tuple[StdoutChannel, int, Output]) -> None:
    channel, read, _ = stdout
    channel.send(low())
    channel.send(low())
    first, second = os.read(read, 10_000).splitlines()
    assert first == second
    os.close(read)


def test_a_closed_standard_output_is_tried_again(stdout: tuple[StdoutChannel, int, Output]) -> None:
    channel, read, _ = stdout
    os.close(read)
    for _ in range(2):
        error = refusal(channel)
        assert (error.scope, error.reason) == (Scope.RETRY, "standard output: Broken pipe")


def test_an_ended_standard_output_is_tried_again(stdout: tuple[StdoutChannel, int, Output]) -> None:
    channel, read, output = stdout
    output.close(10)
    assert refusal(channel).scope is Scope.RETRY
    os.close(read)
