"""A provider over real HTTP: it has a balance, records what it is asked, and misbehaves as it is told.

with Provider() as provider:
    provider.balance = 5                                # answers {"balance": 5} from now on
    provider.answer({"balance": 5, "limit": 20})        # or any document, with status= and headers
    provider.next(status(503), silence)                 # the next requests, one of support.answers each
    ...
    provider.requests[0].headers["Authorization"]
"""

import http.client
import socket
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from email.message import Message
from typing import Any, Self

from attrs import frozen

from support.answers import Answer, Wire, document

PATH = "/v1/balance"


@frozen
class Received:
    """One request. connection: the number of the TCP connection it came on. at: `time.monotonic()`."""

    method: str
    path: str
    headers: Message
    body: bytes
    connection: int
    at: float


class Provider:
    """Listens on a free loopback port while it is entered.

    tls: a server-side context. greeting: takes a fresh connection over before TLS and HTTP.
    """

    def __init__(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", greeting: Answer | None = None
    ) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self._tls = tls
        self._greeting = greeting
        self._paths: dict[str, Answer] = {}
        self._script: deque[Answer] = deque()
        self._standing: Answer = document({"balance": 100})
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0), backlog=512)
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self.origin = f"{'http' if tls is None else 'https'}://{host}:{self.port}"
        self.url = self.origin + PATH
        self._balance: object = 100
        self._acceptor = threading.Thread(target=self._accept, name="provider")

    @property
    def balance(self) -> object:
        return self._balance

    @balance.setter
    def balance(self, value: object) -> None:
        self._balance = value
        self.answer({"balance": value})

    def answer(self, what: Any, code: int = 200, *, path: str | None = None, **headers: object) -> None:
        """From now on answer so, everywhere or on one path. what: a document, or an answer."""
        told: Answer = what if callable(what) else document(what, code, **headers)
        with self._changed:
            if path is None:
                self._standing = told
            else:
                self._paths[path] = told

    def next(self, *answers: Answer) -> None:
        """Answer the next requests so, one each."""
        with self._changed:
            self._script.extend(answers)

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        """The first `count` requests; an AssertionError if they do not come in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise AssertionError(f"{len(self.requests)} requests within {timeout} s, not {count}")
            return self.requests[:count]

    def wait_for_quiet(self, timeout: float = 10.0) -> None:
        """Until no connection is open."""
        with self._changed:
            assert self._changed.wait_for(lambda: not self._open, timeout), f"{len(self._open)} connections stay open"

    def hang_up(self) -> None:
        """End every open connection."""
        with self._changed:
            for connection in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.connections += 1
                self._open.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection, self.connections), name="provider")
            self._threads = [old for old in self._threads if old.is_alive()] + [thread]
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        current = connection
        try:
            if self._greeting is not None:
                self._greeting(Wire(connection, self._stopping))
                return
            if self._tls is not None:
                connection.settimeout(10)
                current = self._tls.wrap_socket(connection, server_side=True)
                current.settimeout(None)
                with self._changed:
                    self._open.add(current)
            with current.makefile("rb") as stream:
                while self._exchange(current, stream, number):
                    pass
        except (OSError, ValueError):
            pass  # a client that hangs up is what many a test wants
        finally:
            current.close()
            connection.close()
            with self._changed:
                self._open -= {connection, current}
                self._changed.notify_all()

    def _exchange(self, connection: socket.socket, stream: Any, number: int) -> bool:
        words = stream.readline(65537).decode("latin-1").split()
        if len(words) != 3:
            return False
        headers = http.client.parse_headers(stream)
        body = stream.read(int(headers.get("Content-Length", 0)))
        with self._changed:
            self.requests.append(Received(words[0], words[1], headers, body, number, time.monotonic()))
            self._changed.notify_all()
            fixed = self._paths.get(words[1].partition("?")[0])
            told = fixed or (self._script.popleft() if self._script else self._standing)
        keep = told(Wire(connection, self._stopping))
        return bool(keep) and headers.get("Connection", "").lower() != "close"
