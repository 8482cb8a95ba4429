"""What a provider may answer: whole documents, and every way to break one. `Provider` plays them."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from struct import pack

from token_monitor.core.number import to_json


class Wire:
    """The connection, as an answer sees it."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self._connection = connection
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def drip(self, data: bytes, every: float) -> None:
        """A byte at a time, with a pause of `every` seconds after each."""
        for position in range(len(data)):
            self.send(data[position : position + 1])
            if self.pause(every):
                return

    def pause(self, seconds: float | None = None) -> bool:
        """Wait, without `seconds` for the end; True when the provider ends meanwhile."""
        return self._stopping.wait(seconds)

    def wait_for_hang_up(self) -> None:
        with suppress(OSError):
            self._connection.settimeout(30)
            while self._connection.recv(65536):
                pass

    def close(self) -> None:
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """The next close is a reset, as of a crash."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))


Answer = Callable[[Wire], bool | None]
"""Writes an answer; True keeps the connection for the next request."""


def head(code: int = 200, **headers: object) -> bytes:
    """Status line and headers; in a header's name `_` stands for `-`."""
    phrase = http.client.responses.get(code, "Odd")
    lines = [f"HTTP/1.1 {code} {phrase}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def whole(body: bytes = b"", code: int = 200, **headers: object) -> Answer:
    """A complete answer, after which the connection stays open."""
    headers = {"Content_Type": "application/json", "Content_Length": len(body)} | headers
    return raw(head(code, **headers) + body, keep=True)


def document(value: object, code: int = 200, **headers: object) -> Answer:
    """A JSON document, Decimals digit for digit."""
    return whole(to_json(value).encode(), code, **headers)


def status(code: int, **headers: object) -> Answer:
    return document({"error": "as told"}, code, **headers)


def redirect(location: str, code: int = 302) -> Answer:
    return whole(b"", code, Location=location)


def raw(data: bytes, *, keep: bool = False) -> Answer:
    """These bytes, then the end of the connection unless it is to be kept."""

    def answer(wire: Wire) -> bool:
        wire.send(data)
        return keep

    return answer


def truncated(body: bytes, missing: int = 10, **headers: object) -> Answer:
    """Announces `missing` bytes more than it sends."""
    return raw(head(200, Content_Length=len(body) + missing, **headers) + body)


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", **headers: object) -> Answer:
    """With another `end` (b"", b"5\\r\\nab") the body is cut."""
    data = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return raw(head(200, Transfer_Encoding="chunked", **headers) + data + end)


def drip(data: bytes, every: float, *, after: bytes = b"") -> Answer:
    """`after` at once, then `data` a byte at a time."""

    def answer(wire: Wire) -> None:
        wire.send(after)
        wire.drip(data, every)

    return answer


def stream(pieces: Iterable[bytes], after: bytes) -> Answer:
    """As many pieces as the other side takes."""

    def answer(wire: Wire) -> None:
        wire.send(after)
        for piece in pieces:
            wire.send(piece)

    return answer


def late(answer: Answer, seconds: float) -> Answer:
    """The same, after a pause."""
    return lambda wire: None if wire.pause(seconds) else answer(wire)


def silence(wire: Wire) -> None:
    """Never answers."""
    wire.wait_for_hang_up()


def closed(_: Wire) -> None:
    """Ends the connection instead of answering."""


def reset(wire: Wire) -> None:
    """Ends the connection with a reset."""
    wire.reset()
