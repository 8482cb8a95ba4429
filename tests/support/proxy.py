"""A small HTTP proxy that really forwards: absolute-form requests and CONNECT."""

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Listens on a free loopback port while it is entered. lines: the first line of each request, with its headers."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._acceptor = threading.Thread(target=self._accept, name="proxy")

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._open:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, near)

    def _start(self, target: object, *ends: socket.socket) -> None:
        self._open += ends
        thread = threading.Thread(target=target, args=ends, name="proxy")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _serve(self, near: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = near.recv(65536)
            if not piece:
                return
            request += piece
        self.seen.append(request.decode("latin-1"))
        method, target, _ = request.split(b" ", 2)
        if method == b"CONNECT":
            host, _, port = target.decode().rpartition(":")
            far = socket.create_connection((host, int(port)))
            near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        else:
            parts = urlsplit(target.decode())
            far = socket.create_connection((parts.hostname, parts.port or 80))
            far.sendall(request.replace(target, (parts.path or "/").encode(), 1))
        self._start(_pump, near, far)
        self._start(_pump, far, near)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
