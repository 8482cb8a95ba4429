"""The whole thing without credentials: an embedded provider runs dry and is topped up, and a receiver prints."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from token_monitor.app.daemon import Daemon
from token_monitor.channels.webhook import Webhook
from token_monitor.config.credential import Credential
from token_monitor.config.settings import AccountSettings, ChannelSettings, DaemonSettings, Settings
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.url import Endpoint, Url
from token_monitor.output import Output
from token_monitor.sources.dialect import Extract, JsonEndpoint

INTERVAL: Final = 2.0
SCRIPT: Final[Sequence[tuple[int, str]]] = (
    (14, "The provider says 14 calls are left. Nothing to say about that."),
    (8, "The service works on: 8 left, below the warning threshold of 10."),
    (5, "5 left. Still low, and said already: no second alert within the cooldown."),
    (2, "2 left, below the critical threshold of 3: a worse state is said at once."),
    (0, "All gone."),
    (120, "Somebody tops up: 120 calls."),
)
"""What the provider says, step by step, and what that means."""


def demo(
    output: Output, say: Callable[[str], None], stopped: Callable[[float], bool], *, log_format: str, loop: bool
) -> None:
    """Play the script, once or until stopped.

    say: prints a line of the story. stopped: waits that many seconds and says whether to end.
    """
    balance = _Balance()
    with _serving(_provider(balance)) as provider, _serving(_receiver(say)) as receiver:
        daemon = Daemon(_settings(provider, receiver, log_format), output)
        daemon.start()
        try:
            say(_where_to_look(daemon))
            while not _play(daemon, balance, say, stopped) and loop:
                pass
        finally:
            daemon.stop()


def _play(daemon: Daemon, balance: "_Balance", say: Callable[[str], None], stopped: Callable[[float], bool]) -> bool:
    """One round; whether it was cut short."""
    for calls, story in SCRIPT:
        balance.calls = calls
        say(f"\n> {story}")
        daemon.poll_now("facefusion")
        if stopped(2 * INTERVAL):
            return True
    say("\n> That is all. Next: the one-minute start in the README watches your own account.")
    return False


def _where_to_look(daemon: Daemon) -> str:
    lines = [
        "token-monitor demo: an embedded provider, an embedded webhook receiver, no credentials, nothing stored.",
        "Lines in JSON or with a time are the monitor's own standard output; `webhook got` is what the receiver got.",
    ]
    if daemon.web is not None and daemon.web.alive:
        host, port = daemon.web.address
        lines.append(f"While it runs, look at http://{host}:{port}/api/v1/status and http://{host}:{port}/metrics")
    return "\n".join(lines)


def _settings(provider: str, receiver: str, log_format: str) -> Settings:
    source = JsonEndpoint(endpoint=Endpoint(f"{provider}/v1/balance"), quantities={"balance": Extract(unit="calls")})
    account = AccountSettings(
        name="facefusion",
        provider="generic",
        source=source,
        credential=Credential(literal=Secret("demo-credential")),
        rules={"balance": Rule(Bound(Decimal(10)), Bound(Decimal(3)))},
        channels=["stdout", "webhook"],
        interval=INTERVAL,
    )
    webhook = ChannelSettings("webhook", "webhook", Webhook(url=Url(f"{receiver}/alerts")))
    daemon = DaemonSettings(data=None, listen=("127.0.0.1", 0), api_key=None, log_level="info", log_format=log_format)
    return Settings([account], {"webhook": webhook}, daemon)


class _Balance:
    calls = SCRIPT[0][0]


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None: ...

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _provider(balance: _Balance) -> type[_Quiet]:
    class Provider(_Quiet):
        def do_GET(self) -> None:
            self.answer(json.dumps({"balance": balance.calls}).encode())

    return Provider


def _receiver(say: Callable[[str], None]) -> type[_Quiet]:
    class Receiver(_Quiet):
        def do_POST(self) -> None:
            body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            say(f"webhook got: {body['text']}")
            self.answer(b"{}")

    return Receiver


@contextmanager
def _serving(handler: type[_Quiet]) -> Iterator[str]:
    """A server on a free loopback port; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, name="demo server", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
