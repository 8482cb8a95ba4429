"""The receiver's side of the webhook: what the documents give people to verify it with."""

import hashlib
import hmac
import http.client
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from support.markdown import ROOT, Block, all_blocks
from support.site import Lines, Site

SECRET = "a-shared-secret"


@pytest.mark.parametrize("block", all_blocks("python"), ids=lambda block: block.where)
def test_the_snippet_takes_what_token_monitor_signed_and_nothing_else(block: Block, site: Site) -> None:
    genuine = told_by(block)
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_WEBHOOK_SECRET=SECRET))
    request = site.receiver.wait_for(1)[0]
    daemon.stop()
    headers = {name: request.headers[name.lower()] for name in ("X-Timestamp", "X-Signature-256")}
    assert genuine(headers, request.body, SECRET)
    assert not genuine(headers, request.body, "another-secret")
    assert not genuine(headers, request.body + b" ", SECRET)
    assert not genuine({**headers, "X-Timestamp": str(int(headers["X-Timestamp"]) - 1)}, request.body, SECRET)
    assert not genuine({}, request.body, SECRET)


def test_the_snippet_refuses_what_is_replayed_after_five_minutes() -> None:
    (block, *_) = all_blocks("python")
    namespace: dict[str, Any] = {}
    exec(block.text, namespace)
    stamp = str(int(namespace["time"].time()) - 301)
    digest = namespace["hmac"].new(b"secret", f"{stamp}.body".encode(), "sha256").hexdigest()
    assert not namespace["genuine"]({"X-Timestamp": stamp, "X-Signature-256": f"sha256={digest}"}, b"body", "secret")


def told_by(block: Block) -> Any:
    namespace: dict[str, Any] = {}
    exec(block.text, namespace)
    return namespace["genuine"]


def test_the_example_receiver_takes_signed_alerts_and_drops_duplicates(site: Site) -> None:
    program = ROOT / "examples/webhook_receiver.py"
    port = free_port()
    process = subprocess.Popen(
        (sys.executable, str(program), str(port)),
        env=site.environment(WEBHOOK_SECRET=SECRET),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        out = Lines(process.stdout)
        wait_for_port(port)
        environment = site.account(ALERT_WEBHOOK_URL=f"http://127.0.0.1:{port}/", ALERT_WEBHOOK_SECRET=SECRET)
        assert site.run(environment, "test-alert", "webhook").status == 0
        out.wait_for(lambda line: line.startswith("[TEST] facefusion: "))
        environment["ALERT_WEBHOOK_SECRET"] = "another-secret"
        refused = site.run(environment, "test-alert", "webhook")
        assert (refused.status, "answered 401" in refused.out) == (1, True)
        assert [post_twice(port), post_twice(port)] == [204, 204]
        out.wait_for(lambda line: line == "twice")
        assert len([line for line in out.all if line == "twice"]) == 1
    finally:
        process.kill()
        process.wait()


def post_twice(port: int) -> int:
    """The same signed message each time; the status of the answer."""
    body, stamp = b'{"text": "twice", "alert": {}}', str(int(time.time()))
    digest = hmac.new(SECRET.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    headers = {"X-Timestamp": stamp, "X-Signature-256": f"sha256={digest}", "Idempotency-Key": "one-and-the-same"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", "/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
