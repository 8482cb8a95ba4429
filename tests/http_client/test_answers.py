"""Answers too large or broken: refused early, in bounded memory, and said plainly."""

import gzip
import socket
import tracemalloc

import pytest

from support import answers as told
from support.asking import BROKEN, CANARY, ask, endless, refusal
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.http import RequestsClient


@pytest.mark.parametrize("coding", ["length", "chunked", "end of connection"])
def test_a_body_over_1_mib_is_refused_early(client: RequestsClient, provider: Provider, coding: str) -> None:
    piece = b" " * 65536
    heads = {
        "length": told.head(200, Content_Length=1 << 40),
        "chunked": told.head(200, Transfer_Encoding="chunked"),
        "end of connection": told.head(),
    }
    pieces = endless(b"10000\r\n" + piece + b"\r\n" if coding == "chunked" else piece)
    provider.answer(told.stream(pieces, heads[coding]))
    error = refusal(client, provider.url, 5)
    assert (error.kind, error.message, error.sent) == (Failure.TOO_LARGE, "the answer is larger than 1 MiB", True)
    provider.wait_for_quiet()


def test_exactly_1_mib_is_read(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.whole(b" " * (1 << 20)))
    assert len(ask(client, provider.url).body) == 1 << 20
    provider.answer(told.whole(b" " * ((1 << 20) + 1)))
    assert refusal(client, provider.url).kind is Failure.TOO_LARGE


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_refused_in_bounded_memory(client: RequestsClient, provider: Provider, layers: int) -> None:
    ask(client, provider.url)
    bomb = gzip.compress(b" " * 300_000_000, 6)
    if layers == 2:
        bomb = gzip.compress(bomb)
    provider.answer(told.whole(bomb, Content_Encoding=", ".join(["gzip"] * layers)))
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "answer",
    [
        told.stream(endless(b"1" * 65536), told.head(200, Transfer_Encoding="chunked")),
        told.stream(endless(b"a" * 65536), b"HTTP/1.1 200 OK\r\nX-Long: "),
        told.stream(endless(b"X: y\r\n" * 1000), b"HTTP/1.1 200 OK\r\n"),
        told.stream(endless(b"a" * 65536), b"HTTP/1.1 "),
    ],
    ids=["chunk size", "header", "headers", "status line"],
)
def test_an_endless_line_is_refused_in_bounded_memory(
    client: RequestsClient, provider: Provider, answer: told.Answer
) -> None:
    provider.answer(answer)
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.CONNECTION
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_answer_is_no_answer(client: RequestsClient, provider: Provider, how: str) -> None:
    provider.answer(BROKEN[how])
    error = refusal(client, provider.url)
    assert (error.kind, error.sent) == (Failure.CONNECTION, True)
    assert error.message.startswith("the connection broke before the whole answer: ")


def test_an_answer_that_is_not_gzip_as_it_says_is_invalid(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.whole(b'{"balance": 5}', Content_Encoding="gzip"))
    error = refusal(client, provider.url)
    assert (error.kind, error.message) == (Failure.INVALID, "the answer is not encoded as its Content-Encoding says")


def test_a_refused_connection_was_never_sent(client: RequestsClient) -> None:
    with Provider() as gone:
        url = gone.url
    error = refusal(client, url)
    assert (error.kind, error.message, error.sent) == (Failure.CONNECTION, "no connection: Connection refused", False)


@pytest.mark.parametrize("host", ["unknown.invalid", "a" * 64 + ".invalid", "a..invalid"])
def test_a_name_that_does_not_resolve_says_so(
    client: RequestsClient, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_nobody(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host == "unknown.invalid":
        monkeypatch.setattr(socket, "getaddrinfo", ask_nobody)
    error = refusal(client, f"http://{host}/{CANARY}")
    assert (error.kind, error.message, error.sent) == (Failure.DNS, "the host name does not resolve", False)
