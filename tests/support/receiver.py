"""A real HTTP server that records what it gets and answers as it is told: a webhook's receiver, or a provider.

with Receiver() as receiver:
    receiver.answer(503, times=2)      # the next two requests
    receiver.answer(200, body=b"ok")   # all after that
    ...
    first = receiver.wait_for(1)[0]
"""

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from attrs import field, frozen


@frozen
class Received:
    """One request. headers: names in lower case. at: when its body was whole, `time.monotonic()`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Answer:
    """delay: seconds before the answer begins. drip: seconds between its bytes, head included.
    close: cut the connection instead of answering; `cut` bytes of the body go out first.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drip: float = 0.0
    close: bool = False
    cut: int | None = None


class Receiver:
    """Listens on a free loopback port while it is entered. tls: a server-side context."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.requests: list[Received] = []
        self._standing = Answer()
        self._script: deque[Answer] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._server = _Server((host, 0), self, tls)
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="receiver")

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def authority(self) -> str:
        return f"{self._server.server_address[0]!s}:{self.port}"

    @property
    def url(self) -> str:
        """Without a path: append one."""
        return f"{self._scheme}://{self.authority}"

    def answer(self, status: int = 200, *, times: int | None = None, **how: Any) -> None:
        """Answer the next `times` requests so, or without `times` every request that has no answer of its own."""
        answer = Answer(status, **how)
        with self._changed:
            if times is None:
                self._standing = answer
            else:
                self._script.extend([answer] * times)

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        """The first `count` requests; an AssertionError if they do not come in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise AssertionError(f"{len(self.requests)} requests within {timeout} s, not {count}")
            return self.requests[:count]

    def take(self, request: Received) -> Answer:
        """Record a request; the answer it gets."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            return self._script.popleft() if self._script else self._standing

    def pause(self, seconds: float) -> bool:
        """Wait; True when the receiver ends meanwhile."""
        return self._stopping.wait(seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # `server_close` then waits for the handlers: none outlives its test
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], receiver: Receiver, tls: ssl.SSLContext | None) -> None:
        super().__init__(address, _Handler)
        self.receiver = receiver
        self.tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ending = False

    def finish_request(self, request: Any, client_address: Any) -> None:
        connection = request
        if self.tls is not None:
            request.settimeout(10)
            connection = self.tls.wrap_socket(request, server_side=True)
            connection.settimeout(None)
        with self._lock:
            self._open.add(connection)
            late = self._ending
        try:
            if not late:
                super().finish_request(connection, client_address)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def hang_up(self) -> None:
        """End the connections that are kept open."""
        with self._lock:
            self._ending = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what many a test wants."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        received = Received(self.command, self.path, headers, body, time.monotonic())
        answer = self.server.receiver.take(received)
        if self.server.receiver.pause(answer.delay):
            self.close_connection = True
        elif answer.close and answer.cut is None:
            self._reset()
        else:
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        head = [f"HTTP/1.1 {answer.status} Told"]
        bodiless = answer.status == 204 or answer.status == 304
        told = {name.lower() for name in answer.headers}
        if not bodiless and not told & {"content-length", "transfer-encoding"}:
            head.append(f"Content-Length: {len(answer.body)}")
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        data = "\r\n".join([*head, "", ""]).encode("latin-1")
        data += b"" if bodiless else answer.body[: answer.cut]
        pieces = [data[at : at + 1] for at in range(len(data))] if answer.drip else [data]
        for piece in pieces:
            self.wfile.write(piece)
            if answer.drip and self.server.receiver.pause(answer.drip):
                break
        if answer.close or told & {"connection"}:
            self.close_connection = True

    def _reset(self) -> None:
        """End the connection with a reset, as a crashing server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent."""
