"""A TCP relay that can be cut, so that a receiver goes away without losing what it has; it may speak TLS in front."""

import socket
import ssl
import threading
from types import TracebackType
from typing import Self


class Relay:
    """From a free loopback port, kept over cuts, to `target`, which may be set later."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.target = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = self._listen(0)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        with self._lock:
            if self._listener is not None:
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
                self._listener = None
            for connection in self._connections:
                _shut(connection)

    @property
    def open(self) -> int:
        """How many sockets are connected."""
        return len(self._connections)

    def mend(self) -> None:
        self._listen(self.port)

    def _listen(self, port: int) -> int:
        listener = socket.create_server(("127.0.0.1", port))
        with self._lock:
            self._listener = listener
        threading.Thread(target=self._accept, args=[listener], daemon=True).start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            if self._tls is not None:
                near = self._tls.wrap_socket(near, server_side=True)
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._connections |= {near, far}
            if self._listener is None:
                _shut(near)
        back = threading.Thread(target=_pump, args=[far, near], daemon=True)
        back.start()
        _pump(near, far)
        back.join()
        with self._lock:
            self._connections -= {near, far}
        near.close()
        far.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.cut()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        _shut(source)
        _shut(sink)


def _shut(connection: socket.socket) -> None:
    try:
        # Not that of an SSLSocket, which would also forget its TLS while another thread still reads.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return
