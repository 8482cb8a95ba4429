"""One deadline over connecting, writing, headers and body; afterwards the thread is free."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from support import answers as told
from support.asking import SLACK, SLOW, ask, refusal
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient


@pytest.mark.parametrize("how", [name for name in SLOW if name != "stops in the middle of the body"])
def test_the_deadline_holds_over_headers_and_body_together(
    client: RequestsClient, provider: Provider, how: str
) -> None:
    provider.answer(SLOW[how])
    error = refusal(client, provider.url, 0.4)
    assert (error.kind, error.sent) == (Failure.TIMEOUT, True)
    assert error.message == "no whole answer within 0.4 s"
    provider.wait_for_quiet()


def test_the_deadline_holds_when_the_body_stops_and_the_connection_stays(
    client: RequestsClient, provider: Provider
) -> None:
    def answer(wire: told.Wire) -> None:
        wire.send(told.head(200, Content_Length=50) + b"{")
        wire.wait_for_hang_up()

    provider.answer(answer)
    assert refusal(client, provider.url, 0.4).kind is Failure.TIMEOUT
    provider.wait_for_quiet()


def test_the_deadline_holds_over_a_handshake_that_drips(client: RequestsClient) -> None:
    record = b"\x16\x03\x03\x3f\xff" + b"\x02\x00\x3f\xfb" + b"\x03\x03" * 500
    with Provider(greeting=told.drip(record, 0.02)) as provider:
        error = refusal(client, provider.url.replace("http:", "https:"), 0.4)
        assert (error.kind, error.sent) == (Failure.TIMEOUT, False)
        assert error.message == "no connection within 0.4 s"
        provider.wait_for_quiet()


def test_the_deadline_holds_over_a_handshake_that_never_comes(client: RequestsClient) -> None:
    with Provider(greeting=told.silence) as provider:
        error = refusal(client, provider.url.replace("http:", "https:"), 0.4)
        assert (error.kind, error.sent) == (Failure.TIMEOUT, False)


def test_the_deadline_holds_while_a_request_is_written(client: RequestsClient) -> None:
    def never_reads(wire: told.Wire) -> None:
        wire.pause()

    body = b"x" * 16_000_000  # more than the kernel takes from us
    with Provider(greeting=never_reads) as provider:
        begun = time.monotonic()
        with pytest.raises(HttpError) as caught:
            client.send(Request("POST", Secret(provider.url), {}, body), 0.4)
        assert time.monotonic() - begun < 0.4 + SLACK
        assert (caught.value.kind, caught.value.sent) == (Failure.TIMEOUT, True)


@pytest.fixture
def unanswering() -> Iterator[Callable[[], int]]:
    """Ports that take no connection: their queue is full, so that a SYN gets no answer."""
    sockets: list[socket.socket] = []

    def port() -> int:
        listener = socket.socket()
        sockets.append(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = socket.socket()
            sockets.append(waiting)
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return int(listener.getsockname()[1])

    yield port
    for each in sockets:
        each.close()


def test_the_deadline_holds_over_a_connection_that_is_never_made(
    client: RequestsClient, unanswering: Callable[[], int]
) -> None:
    error = refusal(client, f"http://127.0.0.1:{unanswering()}/", 0.4)
    assert (error.kind, error.sent) == (Failure.TIMEOUT, False)


def test_a_name_with_many_dead_addresses_gets_one_deadline_and_a_living_one_is_found(
    client: RequestsClient, provider: Provider, unanswering: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unanswering())) for _ in range(3)]
    alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", provider.port))
    resolve = socket.getaddrinfo
    names = {"dead.test": dead, "half.test": [*dead, alive]}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: names.get(host) or resolve(host, *a, **k))
    assert refusal(client, "http://dead.test/", 0.4).kind is Failure.TIMEOUT
    begun = time.monotonic()
    assert ask(client, "http://half.test/", 0.8).status == 200
    assert time.monotonic() - begun < 0.8


def test_a_name_that_resolves_too_late_gets_no_second_deadline(
    client: RequestsClient, unanswering: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unanswering()))]

    def slow(*_: object, **__: object) -> object:
        threading.Event().wait(0.3)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert refusal(client, "http://slow.test/", 0.4).kind is Failure.TIMEOUT


def test_a_whole_answer_just_in_time_is_an_answer(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.late(told.document({"balance": 5}), 0.3))
    assert ask(client, provider.url, 1.0).body == b'{"balance":5}'
