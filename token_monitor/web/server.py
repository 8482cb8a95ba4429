"""The HTTP server as the daemon sees it: one thread that starts, lives and stops."""

import errno
import logging
import socket
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp

STOP_WITHIN: Final = 0.9

_log = logging.getLogger(__name__)


class WebServer:
    """Serves an application from one daemon thread with an event loop of its own.

    app: makes the application; called in that thread, which also pays for importing uvicorn.
    """

    def __init__(self, app: "Callable[[], ASGIApp]", host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._address: tuple[str, int] | None = None
        self._thread: Thread | None = None
        self._stop: Future[None] = Future()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port bound; the port is a real one where 0 was asked for."""
        assert self._address is not None, "not started"
        return self._address

    def start(self) -> None:
        """Take the port and begin to serve; a client that comes before the thread is ready waits in the queue.

        May be called again after a failure or after the thread has died. Raises OSError: the port cannot be had.
        """
        listener = _listen(self._host, self._port)
        self._address = listener.getsockname()[:2]
        self._stop = Future()
        self._thread = Thread(target=self._run, args=(listener, self._stop), name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and free the port. Returns within a second, whatever clients do."""
        if self._thread is None:
            return
        if not self._stop.done():
            self._stop.set_result(None)
        self._thread.join(STOP_WITHIN)

    def _run(self, listener: socket.socket, stop: "Future[None]") -> None:
        import asyncio

        try:
            from token_monitor.web.engine import serve

            asyncio.run(serve(self._app(), listener, stop))
        except Exception:  # noqa: BLE001 - the cause belongs in the daemon's log, not on stderr
            _log.exception("the HTTP server ended")
        finally:
            listener.close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket; `::` takes IPv4 too, as everywhere. Raises OSError: the port cannot be had."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:
        raise OSError(errno.EINVAL, "no host has such a name") from None
    family, _type, _protocol, _name, address = min(found, key=lambda each: each[0] != socket.AF_INET)
    both = host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(address, family=family, backlog=64, dualstack_ipv6=both)
