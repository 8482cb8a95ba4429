"""Canaries: secrets that must show nowhere, whatever goes wrong around them."""

import socket
from pathlib import Path

from support.authority import Authority
from support.canaries import BASIC, CREDENTIAL, assert_clean, assert_command_clean
from support.daemon import Daemon
from support.site import Answer, Receiver, Site


def assert_daemon_clean(site: Site, daemon: Daemon) -> None:
    """Everything that a running daemon shows; then it is stopped, and everything that it leaves."""
    for path in ("/metrics", "/api/v1/status", "/healthz", "/readyz", "/", "/api/v1/nothing"):
        assert_clean(path, daemon.get(path).text)
    assert_clean("cmdline", Path(f"/proc/{daemon.pid}/cmdline").read_bytes())
    for file in site.data.iterdir():
        assert_clean(file.name, file.read_bytes())
    daemon.stop()
    for file in site.data.iterdir():
        assert_clean(file.name, file.read_bytes())
    assert daemon.out is not None
    assert_clean("stdout", "\n".join(daemon.out.finish()))
    assert_clean("stderr", "\n".join(daemon.err.finish()))
    assert len(daemon.out.all) > 2


def test_nothing_shows_while_all_is_well_and_while_alerts_leave(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(
        site.account(
            FACEFUSION_API_TOKEN=CREDENTIAL,
            BALANCE_CHECK_ENDPOINT=f"{site.provider.url}/v1/balance?key=canary-query",
            ALERT_WEBHOOK_URL=f"{site.receiver.url}/canary-path?token=canary-token",
            ALERT_WEBHOOK_SECRET="canary-hmac",
            TOKEN_MONITOR_API_KEY="canary-api-key",
            LOG_LEVEL="debug",
        )
    )
    posted = site.receiver.wait_for(1)[0]
    assert posted.path == "/canary-path?token=canary-token"
    assert_clean("body", posted.body)
    assert_clean("headers", repr(posted.headers))
    daemon.entry(msg="Alert delivered", channel="webhook")
    site.judged(3)
    assert_daemon_clean(site, daemon)


FAILING = """
defaults: {interval: 0.3, timeout: 1, max_failures: 2, notify_when_blind: true, thresholds: {warning: 10}}
accounts:
  - {name: rejected, credential: "${CREDENTIAL}", endpoint: PROVIDER/401}
  - {name: broken, credential: "${CREDENTIAL}", endpoint: PROVIDER/500}
  - {name: elsewhere, credential: "${CREDENTIAL}", endpoint: PROVIDER/elsewhere}
  - {name: nowhere, credential: "${CREDENTIAL}", endpoint: PROVIDER/nowhere}
  - {name: echo, credential: "${CREDENTIAL}", endpoint: PROVIDER/echo}
  - {name: page, credential: "${CREDENTIAL}", endpoint: PROVIDER/page}
  - {name: cut, credential: "${CREDENTIAL}", endpoint: PROVIDER/cut}
  - {name: hung, credential: "${CREDENTIAL}", endpoint: PROVIDER/hung}
  - {name: refused, credential: "${CREDENTIAL}", endpoint: "http://127.0.0.1:REFUSED/x?k=canary-endpoint"}
  - {name: nameless, credential: "${CREDENTIAL}", endpoint: "http://provider.invalid/x?k=canary-endpoint"}
  - {name: untrusted, credential: "${CREDENTIAL}", endpoint: "UNTRUSTED/x?k=canary-endpoint"}
  - {name: plain, credential: "${CREDENTIAL}", endpoint: "https://AUTHORITY/x?k=canary-endpoint"}
  - {name: query, credential: "${CREDENTIAL}", endpoint: PROVIDER/nowhere, auth: {scheme: query, name: key}}
  - {name: query2, credential: "${CREDENTIAL}", endpoint: "http://127.0.0.1:REFUSED/x", auth: {scheme: query, name: k}}
  - {name: query3, credential: "${CREDENTIAL}", endpoint: "UNTRUSTED/x", auth: {scheme: query, name: k}}
  - {name: basic, credential: "${BASIC}", endpoint: PROVIDER/401, auth: {scheme: basic}}
  - name: header
    credential: "${CREDENTIAL}"
    endpoint: PROVIDER/echo
    auth: {scheme: header, name: X-Key, prefix: "Key "}
    headers: {X-Tenant: canary-tenant}
channels:
  missing: {type: webhook, url: "RECEIVER/canary-missing", secret: canary-hmac, headers: {X-Key: canary-header}}
  moved: {type: webhook, url: "RECEIVER/canary-moved?x=canary-moved"}
  refused: {type: webhook, url: "http://127.0.0.1:REFUSED/canary-refused"}
  untrusted: {type: webhook, url: "UNTRUSTED/canary-untrusted"}
  nameless: {type: webhook, url: "https://hooks.invalid/canary-nameless"}
  chat: {type: slack, url: "RECEIVER/canary-slack"}
"""

NO_NAMES = """
import socket, sys
resolve = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    if str(host).endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return resolve(host, *rest, **more)
socket.getaddrinfo = getaddrinfo
from token_monitor.cli.main import main
sys.exit(main(sys.argv[1:] or ["run"]))
"""


def misbehave(site: Site) -> None:
    """Servers that fail in every way, and quote what they got."""

    def echo() -> Answer:
        request = site.provider.requests[-1]
        return Answer(body=f"your {dict(request.headers)} at {request.path}".encode())

    def field() -> Answer:
        return Answer(body=b'{"balance": "your key %s is wrong"}' % CREDENTIAL.encode())

    quoted = f"http://{socket.gethostname()}.invalid/?key={CREDENTIAL.replace(' ', '+')}"
    answers = {
        "/401": Answer(401, body=CREDENTIAL.encode()),
        "/500": Answer(500, body=CREDENTIAL.encode()),
        "/elsewhere": Answer(302, headers={"Location": quoted}),
        "/nowhere": Answer(302, headers={"Location": f"http://[{CREDENTIAL}"}),
        "/page": Answer(body=f"<html>{CREDENTIAL}</html>".encode()),
        "/cut": Answer(body=CREDENTIAL.encode() * 50, close=True, cut=100),
        "/hung": Answer(delay=60),
    }
    for path, answer in answers.items():
        site.provider.at(path, lambda answer=answer: answer)  # type: ignore[misc]
    site.provider.at("/echo", echo)
    site.provider.at("/header", field)


def failing(site: Site, untrusted: Receiver) -> dict[str, str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        refused = str(probe.getsockname()[1])
    text = FAILING.replace("REFUSED", refused).replace("UNTRUSTED", untrusted.url)
    text = text.replace("AUTHORITY", site.provider.authority)
    return site.yaml(text, CREDENTIAL=CREDENTIAL, BASIC=BASIC, LOG_LEVEL="debug")


def test_nothing_shows_in_what_failing_providers_and_receivers_cause(site: Site) -> None:
    misbehave(site)
    site.receiver.answer(404, body=b"no canary-missing here", headers={"Location": "/canary-location"})
    with Receiver(tls=Authority().server()) as untrusted:
        environment = failing(site, untrusted)
        daemon = site.drive(NO_NAMES, environment)
        kinds = {
            "rejected": None, "broken": "server", "elsewhere": "redirect", "nowhere": "redirect", "echo": "not_json",
            "page": "not_json", "cut": None, "hung": "timeout", "refused": "connection", "nameless": "dns",
            "untrusted": "tls", "plain": "tls", "query3": "tls", "query2": "connection",
        }  # fmt: skip
        for account, kind in kinds.items():
            line = daemon.entry(msg="Balance check failed", account=account)
            assert kind is None or line["kind"] == kind, line
        daemon.entry(msg="Credential rejected", account="basic")
        for account in ("broken", "hung", "nameless", "untrusted"):
            daemon.entry(msg="Balance check failing, silent mode", account=account)
        for channel in ("missing", "moved", "refused", "untrusted", "nameless", "chat"):
            daemon.entry(msg="Alert delivery failed, trying again", channel=channel)
        for post in site.receiver.requests:
            assert_clean("body", post.body)
        assert_daemon_clean(site, daemon)


def test_nothing_shows_in_what_commands_print(site: Site) -> None:
    misbehave(site)
    site.receiver.answer(404, body=b"no canary-missing here")
    with Receiver(tls=Authority().server()) as untrusted:
        environment = failing(site, untrusted)
        assert_command_clean(site.run(environment, "check-config", "--show"))
        for arguments in (("check",), ("check", "--json"), ("test-alert",), ("status",)):
            command = site.drive(NO_NAMES, environment)
            command.close()
            done = site.start(environment, *arguments, command=(*command.process.args[:2], NO_NAMES))
            assert done.wait(30) in (1, 2, 3)
            assert done.out is not None
            printed = done.out.finish()
            assert_clean(arguments[0], "\n".join([*printed, *done.err.finish()]))
            assert printed or arguments == ("status",)
    shown = site.run(
        site.account(FACEFUSION_API_TOKEN=CREDENTIAL, ALERT_WEBHOOK_SECRET="canary-hmac"), "check-config", "--show"
    )
    assert shown.status == 0
    assert_command_clean(shown)


INTERNAL = """
import sys, threading
from token_monitor.sources.json_endpoint import JsonEndpointSource
from token_monitor.channels.webhook import WebhookChannel
from token_monitor.app import daemon

def fetch(self, credential, timeout):
    local = credential.reveal()
    try:
        raise ValueError("the cause holds " + local)
    except ValueError as cause:
        raise RuntimeError(f"boom {local!r}", {"url": self._settings.endpoint.secret.reveal()}) from cause
JsonEndpointSource.fetch = fetch

def in_a_thread(secret):
    raise RuntimeError("in a thread: " + secret)

start = daemon.Daemon.start
def with_thread(self):
    start(self)
    secret = self._settings.channels["webhook"].options.url.secret.reveal()
    threading.Thread(target=in_a_thread, args=(secret,)).start()
daemon.Daemon.start = with_thread

from token_monitor.cli.main import main
sys.exit(main(["run"]))
"""


def test_nothing_shows_in_the_trace_of_an_exception_of_ours(site: Site) -> None:
    daemon = site.drive(
        INTERNAL,
        site.account(
            FACEFUSION_API_TOKEN=CREDENTIAL,
            BALANCE_CHECK_ENDPOINT=f"{site.provider.url}/v1/balance?key=canary-query",
            ALERT_WEBHOOK_URL=f"{site.receiver.url}/canary-path",
            MAX_FAILURES="1",
            NOTIFY_WHEN_BLIND="true",
        ),
    )
    line = daemon.entry(msg="Internal error", account="facefusion")
    assert line["exception"]["type"] == "RuntimeError"
    assert "boom" in line["exception"]["message"]
    assert "the cause holds" in line["exception"]["cause"]["message"]
    assert daemon.out is not None
    daemon.out.wait_for(lambda line: "in a thread: " in line)
    assert_clean("body", site.receiver.wait_for(1)[0].body)
    assert "boom" in daemon.get("/api/v1/status").text
    assert_daemon_clean(site, daemon)


CRASH = """
import sys
from token_monitor.app import daemon
def start(self):
    raise RuntimeError("cannot start: " + self._settings.accounts[0].credential.resolve().reveal())
daemon.Daemon.start = start
from token_monitor.cli.main import main
sys.exit(main(["run"]))
"""


def test_nothing_shows_when_the_daemon_itself_crashes(site: Site) -> None:
    daemon = site.drive(CRASH, site.account(FACEFUSION_API_TOKEN=CREDENTIAL))
    assert daemon.wait() != 0
    assert daemon.out is not None
    written = "\n".join([*daemon.out.finish(), *daemon.err.finish()])
    assert "cannot start" in written
    assert_clean("output", written)
