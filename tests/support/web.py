"""A web server over a snapshot that the test may change, and requests to it as raw as they need to be."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import define, field

from token_monitor.core.message import Backlog
from token_monitor.core.view import AccountView, QuantityView, Snapshot
from token_monitor.core.words import State
from token_monitor.web.access import Access
from token_monitor.web.metrics import Metrics
from token_monitor.web.server import WebServer

NOON = datetime(2026, 4, 5, 12, tzinfo=UTC)


def quantity(account: str, name: str = "balance", state: State = State.OK, balance: str | None = "42", **more: Any):
    """A quantity; its balance as text."""
    values = {"limit": None, "unit": "calls", "error": None, "episode": None, "read_at": NOON} | more
    return QuantityView(account, name, state, None if balance is None else Decimal(balance), **values)


def account(name: str, *quantities: QuantityView, **more: Any) -> AccountView:
    """An account that is well and has one good quantity, unless said otherwise."""
    standing = {"tried": True, "failures": 0, "silent": False, "credential": State.OK}
    values = standing | {"last_success": NOON, "interval": 300.0} | more
    return AccountView(name, quantities or (quantity(name),), **values)


def snapshot(
    *accounts: AccountView,
    backlogs: Mapping[str, Backlog] | None = None,
    durable: bool = True,
    problems: Sequence[str] = (),
) -> Snapshot:
    """What a daemon in good order shows, unless said otherwise."""
    return Snapshot(accounts, backlogs or {}, durable, problems)


@define
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define
class Daemon:
    """What the server is shown. `polled`: the accounts whose poll was asked for."""

    shown: Snapshot
    polled: list[str] = field(factory=list)
    server: WebServer = field(init=False)

    def look(self) -> Snapshot:
        return self.shown

    def poll(self, name: str) -> bool:
        self.polled.append(name)
        return any(account.name == name for account in self.shown.accounts)

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
        """One request on a connection of its own. The Host header is the server's address unless given."""
        host, port = self.server.address
        connection = http.client.HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, port, timeout=10)
        try:
            connection.request(method, path, headers=dict(headers or {}), **more)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def connect(self, data: bytes = b"", receive_buffer: int | None = None) -> socket.socket:
        """A bare connection, with `data` sent."""
        client = socket.socket()
        if receive_buffer is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(10)
        client.connect(self.server.address)
        client.sendall(data)
        return client


@contextmanager
def serving(daemon: Daemon, host: str = "127.0.0.1", access: Access | None = None) -> Iterator[Daemon]:
    """`daemon` behind a real server on a free port."""
    metrics = Metrics(daemon.look, "1.2.3")

    def application():
        from token_monitor.web.app import make_app

        return make_app(daemon.look, metrics.render, daemon.poll, access or Access.at(host, None))

    daemon.server = WebServer(application, host, 0)
    daemon.server.start()
    try:
        yield daemon
    finally:
        daemon.server.stop()
        assert not daemon.server.alive
