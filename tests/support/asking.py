"""Asking with the HTTP client, and servers that are slow or break off."""

import gzip
import itertools
import time
from collections.abc import Iterator

import pytest

from support import answers as told
from token_monitor.core.http import HttpError, Request, Response
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient

SLACK = 0.3
CANARY = "canary-7f3a"


def ask(client: RequestsClient, url: str, timeout: float = 5.0, **more: object) -> Response:
    return client.send(Request("GET", Secret(url), **more), timeout)  # type: ignore[arg-type]


def refusal(client: RequestsClient, url: str, timeout: float = 5.0, **more: object) -> HttpError:
    """The error; and that it came in time."""
    begun = time.monotonic()
    with pytest.raises(HttpError) as caught:
        ask(client, url, timeout, **more)
    assert time.monotonic() - begun < timeout + SLACK
    return caught.value


def endless(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece)


SLOW: dict[str, told.Answer] = {
    "never answers": told.silence,
    "drips the status line": told.drip(b"HTTP/1.1 200 OK" + b" " * 500, 0.02),
    "drips a header": told.drip(b"a" * 500, 0.02, after=b"HTTP/1.1 200 OK\r\nX-Long: "),
    "drips the body": told.drip(b" " * 500, 0.02, after=told.head(200, Content_Length=500)),
    "drips chunks": told.drip(b"1\r\n \r\n" * 500, 0.01, after=told.head(200, Transfer_Encoding="chunked")),
    "drips a body without a length": told.drip(b" " * 500, 0.02, after=told.head()),
    "drips gzip": told.drip(
        gzip.compress(b" " * 500) * 20, 0.02, after=told.head(200, Content_Encoding="gzip", Content_Length=9999)
    ),
    "says 100 Continue for ever": told.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.005),
    "stops in the middle of the body": told.drip(b"", 0, after=told.head(200, Content_Length=50) + b"{"),
}


BROKEN: dict[str, told.Answer] = {
    "body shorter than its length": told.truncated(b'{"balance": 5}'),
    "no final chunk": told.chunked(b'{"balance": 5}', end=b""),
    "cut in a chunk": told.chunked(b'{"balance": 5}', end=b"20\r\nabc"),
    "cut in a chunk size": told.chunked(b'{"balance": 5}', end=b"2"),
    "chunk size that is none": told.chunked(b'{"balance": 5}', end=b"zz\r\n"),
    "closed without an answer": told.closed,
    "reset without an answer": told.reset,
    "not HTTP": told.raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "two lengths": told.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n{}   "),
}
