"""Connections that keep the deadline of the call that uses them."""

import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from token_monitor.http.resolve import addresses
from token_monitor.watchdog import current_guard


class WatchedHTTPConnection(HTTPConnection):
    """Reports its socket to the guard of the thread it works for, from the first moment."""

    def _new_conn(self) -> socket.socket:
        guard = current_guard()
        sock = self._connected_socket()
        guard.watch(sock)
        return sock

    def _connected_socket(self) -> socket.socket:
        """All addresses share what is left of the deadline; the library would give each of them the whole."""
        try:
            found = addresses(self._dns_host, self.port, current_guard().left)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "timed out") from error
        except (socket.gaierror, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        failure: OSError = TimeoutError()
        for waiting, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(current_guard().left / waiting)
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                sock.settimeout(current_guard().left)
                return sock
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "timed out") from failure
        raise NewConnectionError(self, "failed") from failure

    def connect(self) -> None:
        super().connect()
        current_guard().connected = True

    def request(self, *args: Any, **kwargs: Any) -> None:
        guard = current_guard()
        if self.sock is not None and not guard.connected:
            guard.watch(self.sock)  # it comes from the pool
            guard.connected = True
        super().request(*args, **kwargs)


class WatchedHTTPSConnection(WatchedHTTPConnection, HTTPSConnection):
    """The same over TLS."""
