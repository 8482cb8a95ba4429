"""RabbitMQ, against a real server."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.messages import low
from support.rabbitmq import PASSWORD, USER, WRITER, RabbitServer
from support.relay import Relay
from support.services import free_port
from token_monitor.channels.rabbitmq import RabbitMQ, RabbitMQChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.payload import payload
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

TIMEOUT = Seconds(2.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    with RabbitServer(tmp_path_factory.mktemp("rabbitmq"), "heartbeat = 1", "max_message_size = 100000") as running:
        running.declare("alerts")
        running.declare("routed", "open.exchange", "tokens.#")
        yield running


@pytest.fixture
def queue(server: RabbitServer) -> str:
    server.take("alerts")
    return "alerts"


def channel(port: int, **changed: Any) -> RabbitMQChannel:
    given = {"host": "127.0.0.1", "port": port, "username": USER, "password": Secret(PASSWORD)}
    settings = RabbitMQ(**given | {"routing_key": "alerts", "timeout": TIMEOUT} | changed)
    return RabbitMQChannel(settings, ssl.create_default_context)


def refusal(channel: RabbitMQChannel, text: str = "x") -> ChannelError:
    started = time.monotonic()
    with pytest.raises(ChannelError) as caught:
        channel.send(low(text))
    assert time.monotonic() - started < TIMEOUT + 1.0
    assert caught.value.reason.isprintable()
    assert "canary" not in caught.value.reason + repr(channel)
    return caught.value


def test_a_message_is_persistent_and_has_the_alerts_id_and_the_webhooks_body(server: RabbitServer, queue: str):
    answer = channel(server.port).send(low())
    [taken] = server.take(queue)
    assert answer == f"127.0.0.1:{server.port} confirmed it for queue 'alerts'"
    assert taken.body == payload(low())
    assert (taken.exchange, taken.routing_key) == ("", "alerts")
    properties = taken.properties
    assert (properties.message_id, properties.delivery_mode) == ("e-1", 2)
    assert (properties.content_type, properties.content_encoding) == ("application/json", "utf-8")
    assert properties.app_id == "token-monitor"


def test_an_exchange_routes_by_the_key(server: RabbitServer):
    server.take("routed")
    channel(server.port, exchange="open.exchange", routing_key="tokens.low", username=WRITER).send(low())
    [taken] = server.take("routed")
    assert (taken.exchange, taken.routing_key) == ("open.exchange", "tokens.low")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"routing_key": "nowhere"}, "has no queue 'nowhere'; create it"),
        ({"exchange": "open.exchange"}, "exchange 'open.exchange' binds no queue to routing key 'alerts'; create"),
        ({"exchange": "nowhere"}, "has no exchange 'nowhere'; create it"),
        ({"username": WRITER}, "may not write to exchange 'amq.default'"),
        ({"username": WRITER, "exchange": "amq.topic"}, "may not write to exchange 'amq.topic'"),
        ({"password": Secret("wrong-canary")}, "refuses the login; check username and password"),
        ({"username": "nobody"}, "refuses the login; check username and password"),
        ({"vhost": "closed"}, "does not let the user into virtual host 'closed'"),
        ({"vhost": "nowhere"}, "does not let the user into virtual host 'nowhere'"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:40],
)
def test_what_people_must_mend_is_named_and_waits_for_them(server: RabbitServer, changed: dict[str, Any], told: str):
    error = refusal(channel(server.port, **changed))
    assert (error.scope, error.ambiguous) == (Scope.CHANNEL, False)
    assert told in error.reason


def test_a_queue_that_is_full_is_tried_again_and_other_queues_may_have_the_message(server: RabbitServer):
    server.declare("full", "open.exchange", "full", **{"x-max-length": 1, "x-overflow": "reject-publish"})
    server.declare("roomy", "open.exchange", "full")
    one = channel(server.port, exchange="open.exchange", routing_key="full")
    one.send(low(number=1))
    error = refusal(one)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert "did not take" in error.reason
    assert len(server.take("roomy")) == 2
    server.take("full")
    assert one.send(low())


def test_a_message_too_large_is_given_up_and_the_next_one_passes(server: RabbitServer, queue: str):
    one = channel(server.port)
    error = refusal(one, "x" * 200_000)
    assert (error.scope, error.ambiguous) == (Scope.MESSAGE, False)
    one.send(low())
    assert [taken.properties.message_id for taken in server.take(queue)] == ["e-1"]


def test_a_server_that_is_not_there_is_tried_again_and_nothing_was_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refusal(channel(unused.getsockname()[1]))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "Connection refused" in error.reason


def test_a_proxy_whose_server_is_down_is_tried_again_and_says_so():
    with Relay() as relay:
        relay.target = free_port()
        errors = [refusal(channel(relay.port)) for _ in range(3)]
    for error in errors:
        assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
        assert "before a word of AMQP: the broker behind it is down, or port or tls is wrong" in error.reason


def test_a_server_that_does_not_speak_amqp_is_tried_again_and_the_settings_are_named(server: RabbitServer):
    error = refusal(channel(server.port, tls=True))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "check tls and port" in error.reason


def test_a_name_that_does_not_exist_is_tried_again():
    error = refusal(channel(5672, host="nobody.invalid"))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)


def test_a_frozen_server_holds_a_delivery_no_longer_than_the_timeout_and_may_have_it(server: RabbitServer, queue: str):
    one = channel(server.port)
    one.send(low(number=1))
    server.freeze()
    try:
        during = refusal(one)
        before = refusal(one)
    finally:
        server.thaw()
    assert (during.scope, during.ambiguous) == (Scope.RETRY, True)
    assert (before.scope, before.ambiguous) == (Scope.RETRY, False)
    assert "no confirm in time" in during.reason
    assert "no connection in time" in before.reason
    one.send(low(number=2))
    ids = [taken.properties.message_id for taken in server.take(queue)]
    assert ids in (["e-1", "e-2"], ["e-1", "e-1", "e-2"])


def test_a_connection_that_breaks_while_a_confirm_is_awaited_leaves_the_message_in_doubt(server: RabbitServer):
    with Relay() as relay:
        relay.target = server.port
        one = channel(relay.port)
        one.send(low())
        server.freeze()
        try:
            threading.Timer(0.3, relay.cut).start()
            error = refusal(one)
        finally:
            server.thaw()
        assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
        relay.mend()
        assert one.send(low())


def test_a_connection_that_the_server_ended_for_want_of_heartbeats_is_replaced_quietly(
    server: RabbitServer, queue: str, caplog: pytest.LogCaptureFixture
):
    one = channel(server.port)
    one.send(low(number=1))
    time.sleep(4.0)  # three heartbeats missed
    one.send(low(number=2))
    assert [taken.properties.message_id for taken in server.take(queue)] == ["e-1", "e-2"]
    assert not caplog.records


def test_an_idle_connection_is_closed(server: RabbitServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("token_monitor.channels.rabbitmq._IDLE", 0.2)
    with Relay() as relay:
        relay.target = server.port
        one = channel(relay.port)
        one.send(low())
        assert relay.open > 0
        deadline = time.monotonic() + 10
        while relay.open and time.monotonic() < deadline:
            time.sleep(0.02)
        assert relay.open == 0
        assert one.send(low())


def test_tls_is_spoken_and_the_certificate_is_checked(server: RabbitServer, tmp_path: Path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Relay(context) as relay:
        relay.target = server.port
        assert channel(relay.port, tls=True, ca_file=str(tmp_path / "ca.pem")).send(low())
        error = refusal(channel(relay.port, tls=True))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "its certificate is not valid" in error.reason


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"host": "amqp://user:canary@h"}, "unfit host"),
        ({"port": 70000}, "a port from 1 to 65535"),
        ({"routing_key": "x" * 256}, "at most 255 bytes"),
        ({"routing_key": ""}, "names the queue"),
        ({"ca_file": "/nowhere.pem"}, "ca_file without tls"),
        ({"tls": True, "ca_file": "/nowhere.pem"}, "readable certificates"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(changed: dict[str, Any], told: str):
    given = {"host": "h", "username": "u", "password": Secret("canary"), "routing_key": "q"}
    with pytest.raises(ValueError, match=told) as caught:
        RabbitMQ(**given | changed)
    assert "canary" not in str(caught.value)


def test_a_missing_library_is_a_mistake_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"install token-monitor\[rabbitmq\]"):
        RabbitMQ("h", "u", Secret("canary"), "q")


def test_a_server_that_cannot_start_leaves_nothing_behind(tmp_path: Path):
    server = RabbitServer(tmp_path, "no.such.setting = 1")
    with pytest.raises(AssertionError, match="failed_to_prepare_configuration"):
        server.__enter__()
    assert not [process for process in processes() if str(server.port) in process or str(tmp_path) in process]


def processes() -> list[str]:
    files = Path("/proc").glob("[0-9]*/cmdline")
    return [file.read_bytes().replace(b"\0", b" ").decode(errors="replace") for file in files if file.exists()]
