"""uvicorn's HTTP protocol on our own loop.

uvicorn's `Server` is not used: its main loop ticks ten times a second (0.8 % of a core for doing nothing), and its
shutdown waits for slow clients. Imported only in the server's thread: uvicorn takes 25 ms and 2 MB.
"""

import asyncio
import logging
import socket
from concurrent.futures import Future
from typing import Any, Final, cast

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

MAX_CONNECTIONS: Final = 64
MAX_REQUEST: Final = 65_536
KEEP_ALIVE: Final = 5
DEADLINE: Final = 30.0
GRACE: Final = 0.3

# Without a handler, Python prints what they log to stderr, past the log that the daemon keeps.
for _name in ("uvicorn", "asyncio"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class Connection(HttpToolsProtocol):
    """One client, bounded in what it can hold up.

    A request has at most `MAX_REQUEST` bytes, headers and (ignored) body together; it and the reading of its answer
    are done in `DEADLINE` seconds; a new client displaces the oldest of `MAX_CONNECTIONS`, so that a health check gets
    through whatever others do. uvicorn has none of these limits.
    """

    def __init__(self, config: Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, app_state={})
        self._received = 0
        self._deadline: asyncio.TimerHandle | None = None
        self.born = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_deadline()
        if len(self.connections) > MAX_CONNECTIONS:
            oldest = min(cast("set[Connection]", self.connections), key=lambda connection: connection.born)
            self.connections.discard(oldest)
            oldest.cut()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_REQUEST:
            self.cut()
        else:
            super().data_received(data)

    def on_response_complete(self) -> None:
        self._received = 0
        self._start_deadline()
        super().on_response_complete()

    def cut(self) -> None:
        """End it at once, whatever is still to be sent."""
        self.transport.abort()

    def _start_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(DEADLINE, self.cut)


async def serve(app: ASGIApp, listener: socket.socket, stop: "Future[None]") -> None:
    """Answer on `listener` until `stop` is done, then end within about `GRACE` seconds."""
    config = _config(app)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config, state), sock=listener, backlog=MAX_CONNECTIONS
    )
    await asyncio.wrap_future(stop)
    server.close()
    await _end(state)


def _config(app: ASGIApp) -> Config:
    settings: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
    return Config(
        app,
        interface="asgi3",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        **settings,
    )


async def _end(state: ServerState) -> None:
    for connection in list(state.connections):
        connection.shutdown()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + GRACE
    while state.connections and loop.time() < deadline:  # noqa: ASYNC110 - a few times, once in a life
        await asyncio.sleep(0.01)
    for connection in cast("list[Connection]", list(state.connections)):
        connection.cut()
    if state.tasks:
        await asyncio.wait(state.tasks, timeout=GRACE)
