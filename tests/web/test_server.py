"""The server thread: it starts, bounds its clients, costs nothing while idle, and stops whatever they do."""

import contextlib
import http.client
import logging
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pytest

from support.web import Daemon, account, serving, snapshot
from token_monitor.core.view import Snapshot
from token_monitor.web import engine
from token_monitor.web.access import Access
from token_monitor.web.server import WebServer

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
SEVERAL = 20
LARGE = snapshot(*(account(f"account-{number}") for number in range(500)))


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with serving(Daemon(snapshot(account("a")))) as daemon:
        yield daemon


def read_all(client: socket.socket) -> bytes:
    """What comes until the other side ends the connection. Raises TimeoutError: it does not."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := client.recv(65_536):
            received += data
    return bytes(received)


def test_importing_and_starting_the_server_does_not_import_uvicorn_in_the_calling_thread() -> None:
    code = """
        import sys
        from token_monitor.web.metrics import Metrics
        from token_monitor.web.server import WebServer
        from token_monitor.web.access import Access
        assert not {"uvicorn", "starlette", "asyncio", "prometheus_client"} & set(sys.modules), sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_port_that_is_taken_is_an_os_error_and_it_can_be_tried_again(daemon: Daemon) -> None:
    host, port = daemon.server.address
    second = Daemon(daemon.shown)
    second.server = WebServer(daemon.server._app, host, port)
    with pytest.raises(OSError, match="in use"):
        second.server.start()
    assert not second.server.alive
    daemon.server.stop()
    second.server.start()
    try:
        assert second.ask("/healthz").status == 200
    finally:
        second.server.stop()


def test_a_client_that_comes_before_the_thread_is_ready_waits_and_is_served() -> None:
    loaded = Event()

    def slow_to_load():
        assert loaded.wait(10)
        return app()

    with serving(Daemon(snapshot())) as daemon:
        app = daemon.server._app
        daemon.server.stop()
        daemon.server = WebServer(slow_to_load, "127.0.0.1", 0)
        daemon.server.start()
        with daemon.connect(GET % b"/healthz") as client:
            loaded.set()
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")


def test_localhost_and_ipv6_can_be_listened_at() -> None:
    for host in ("localhost", "::1"):
        with serving(Daemon(snapshot()), host=host) as daemon:
            assert daemon.ask("/healthz").status == 200


def test_a_thread_that_dies_says_why_in_the_log_and_frees_the_port(caplog: pytest.LogCaptureFixture) -> None:
    def broken():
        raise RuntimeError("a library is missing")

    server = WebServer(broken, "127.0.0.1", 0)
    server.start()
    server._thread.join(10)
    assert not server.alive
    assert "a library is missing" in caplog.text
    again = WebServer(broken, *server.address)
    again.start()
    again._thread.join(10)
    server.stop()


def test_stopping_frees_the_port_and_may_be_done_twice_or_before_the_start(daemon: Daemon) -> None:
    address = daemon.server.address
    daemon.server.stop()
    daemon.server.stop()
    with pytest.raises(ConnectionError):
        socket.create_connection(address, timeout=5)
    WebServer(daemon.server._app, "127.0.0.1", 0).stop()


def open_keep_alive(daemon: Daemon) -> socket.socket:
    client = daemon.connect(GET % b"/healthz")
    assert client.recv(65_536).startswith(b"HTTP/1.1 200")
    return client


def slow_reader(daemon: Daemon) -> socket.socket:
    client = daemon.connect(GET % b"/metrics" * SEVERAL, receive_buffer=4096)
    assert client.recv(16)
    return client


CLIENTS: dict[str, Callable[[Daemon], socket.socket]] = {
    "says nothing": lambda daemon: daemon.connect(),
    "is half way through its headers": lambda daemon: daemon.connect(b"GET /metrics HTTP/1.1\r\nHost: loc"),
    "keeps its connection open": open_keep_alive,
    "does not read its answers": slow_reader,
    "does not finish its body": lambda daemon: daemon.connect(
        b"POST /api/v1/accounts/a/poll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx"
    ),
}


@pytest.mark.parametrize("behaviour", CLIENTS)
def test_stopping_takes_less_than_a_second_while_a_client(behaviour: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(Daemon(LARGE)) as daemon, contextlib.ExitStack() as clients:
        for _ in range(5):
            clients.enter_context(CLIENTS[behaviour](daemon))
        assert daemon.ask("/healthz").status == 200
        started = time.monotonic()
        daemon.server.stop()
        assert time.monotonic() - started < 1.0
        assert not daemon.server.alive
    assert caplog.text == ""


def test_a_client_that_reads_gets_the_whole_of_its_answer_though_the_server_stops() -> None:
    more_than_the_kernel_buffers = b"x" * 12_000_000
    server = WebServer(lambda: _app(snapshot, lambda: more_than_the_kernel_buffers), "127.0.0.1", 0)
    server.start()
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    connection.request("GET", "/metrics")
    response = connection.getresponse()
    server._stop.set_result(None)
    assert len(response.read()) == len(more_than_the_kernel_buffers)
    connection.close()
    server.stop()


def test_stopping_returns_though_a_snapshot_is_stuck() -> None:
    inside, outside = socket.socketpair()

    def stuck() -> Snapshot:
        inside.sendall(b"!")
        inside.recv(1)
        return snapshot()

    server = WebServer(lambda: _app(stuck), "127.0.0.1", 0)
    server.start()
    with inside, outside, socket.create_connection(server.address) as client:
        client.sendall(GET % b"/healthz")
        assert outside.recv(1) == b"!"
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 1.0
        outside.sendall(b"!")
        server._thread.join(10)
        assert not server.alive


def _app(look: Callable[[], Snapshot], metrics: Callable[[], bytes] = bytes):
    from token_monitor.web.app import make_app

    return make_app(look, metrics, lambda _name: False, Access.at("127.0.0.1", None))


def test_a_client_over_the_limit_displaces_the_oldest_and_a_health_check_still_gets_through(daemon: Daemon) -> None:
    with contextlib.ExitStack() as clients:
        idle = [clients.enter_context(daemon.connect()) for _ in range(engine.MAX_CONNECTIONS)]
        assert daemon.ask("/healthz").status == 200
        assert read_all(idle[0]) == b""
        idle[-1].sendall(GET % b"/healthz")
        assert idle[-1].recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("behaviour", ["says nothing", "is half way through its headers", "does not read its answers"])
def test_who_is_not_done_in_time_is_cut_off(behaviour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DEADLINE", 0.3)
    lost = Event()
    ended = engine.Connection.connection_lost
    monkeypatch.setattr(engine.Connection, "connection_lost", lambda self, exc: (ended(self, exc), lost.set()))
    with serving(Daemon(LARGE)) as daemon, CLIENTS[behaviour](daemon) as client:
        assert lost.wait(10)
        assert len(read_all(client)) < SEVERAL * len(daemon.ask("/metrics").body)


def test_drip_feeding_does_not_extend_the_deadline(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "DEADLINE", 0.3)
    with daemon.connect(b"GET / HTTP/1.1\r\nX: ") as client:
        client.settimeout(0.02)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                client.sendall(b"x")
                if client.recv(1) == b"":
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    pytest.fail("still open after 10 s")


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
        b"GET /",
        b"POST /api/v1/accounts/a/poll HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /api/v1/accounts/a/poll HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
    ],
    ids=["header", "url", "body", "chunk"],
)
def test_an_endless_request_is_cut_off_after_64_kib(daemon: Daemon, start: bytes) -> None:
    with daemon.connect(start) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"x" * 4_000_000)
        read_all(client)
    assert daemon.ask("/healthz").status == 200


def test_a_body_is_ignored_and_the_connection_serves_on(daemon: Daemon) -> None:
    connection = http.client.HTTPConnection(*daemon.server.address, timeout=10)
    for body in (b"x" * 30_000, b"x" * 30_000, b"x" * 30_000):
        connection.request("POST", "/api/v1/accounts/a/poll", body)
        response = connection.getresponse()
        assert (response.status, response.read()) == (202, b'{"account":"a","status":"queued"}')
    connection.close()
    assert daemon.polled == ["a", "a", "a"]


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_not_http_is_answered_400_or_closed_and_says_nothing_in_the_log(
    daemon: Daemon, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with daemon.connect(garbage) as client:
        assert read_all(client)[:12] in (b"", b"HTTP/1.1 400")
    assert daemon.ask("/healthz").status == 200
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_an_upgrade_to_a_websocket_is_answered_as_plain_http(daemon: Daemon) -> None:
    answer = daemon.ask("/healthz", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert answer.status == 200


def test_nothing_is_printed_though_requests_fail_and_no_log_is_set_up() -> None:
    code = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from support.web import Daemon, serving
        with serving(Daemon(None)) as daemon:
            assert daemon.ask("/healthz").status == 500
            daemon.connect(b"garbage\\r\\n\\r\\n").close()
            daemon.ask("/nothing", headers={{"Connection": "Upgrade", "Upgrade": "websocket"}})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_idle_thread_uses_no_processor_time(daemon: Daemon) -> None:
    open_keep_alive(daemon).close()
    clock = time.pthread_getcpuclockid(daemon.server._thread.ident)
    time.sleep(0.1)
    before = time.clock_gettime(clock)
    time.sleep(1.0)
    assert time.clock_gettime(clock) - before < 0.001
