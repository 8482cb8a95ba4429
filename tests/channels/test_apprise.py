"""Apprise, with its json:// service against a real receiver."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.messages import low
from support.receiver import Receiver
from token_monitor.channels.apprise import Apprise, AppriseChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

CANARIES = ("path-canary", "user-canary", "pass-canary", "query-canary")

pytestmark = pytest.mark.usefixtures("no_other_secrets")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def channel(receiver: Receiver, more: str = "", timeout: float = 20.0) -> AppriseChannel:
    url = f"json://user-canary:pass-canary@{receiver.authority}/path-canary?+X-Key=query-canary{more}"
    return AppriseChannel(Apprise(Secret(url), Seconds(timeout)))


def refusal(sender: AppriseChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        sender.send(low())
    told = caught.value.reason + repr(caught.value) + repr(sender)
    assert not [canary for canary in CANARIES if canary in told]
    assert caught.value.reason.isprintable()
    return caught.value


def test_what_apprise_calls_a_success_is_delivered(receiver: Receiver) -> None:
    assert channel(receiver).send(low()) == "Apprise delivered to json://"
    [request] = receiver.requests
    body = request.json()
    assert (body["title"], body["message"]) == ("[WARNING] facefusion: Token balance low", low().text)
    assert body["type"] == "warning"
    assert request.headers["x-key"] == "query-canary"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_what_it_calls_a_failure_is_tried_again_with_its_reason_and_without_the_url(
    receiver: Receiver, status: int, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer(status, body=b"echo path-canary")
    error = refusal(channel(receiver))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert error.reason.startswith("Apprise could not deliver to json://: ")
    assert f"error={status}" in error.reason
    printed = "".join((*capfd.readouterr(), caplog.text))
    assert not [canary for canary in CANARIES if canary in printed]


def test_parts_of_the_url_that_apprise_logs_are_masked(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = channel(receiver)

    log = logging.getLogger("apprise")
    said = "posting to /path-canary?query-canary as pass-canary\nfailed"

    def send(*_: object, **__: object) -> bool:
        log.warning(said)
        return False

    monkeypatch.setattr(type(sender._notifier[0]), "send", send)
    assert refusal(sender).reason == "Apprise could not deliver to json://: posting to /***?*** as *** failed"


def test_a_receiver_that_is_not_there_is_tried_again(receiver: Receiver) -> None:
    sender = channel(receiver)
    receiver.__exit__()
    try:
        assert refusal(sender).scope is Scope.RETRY
    finally:
        receiver.__init__()  # type: ignore[misc]
        receiver.__enter__()


def test_a_service_that_its_url_calls_optional_is_no_success_unless_it_is_one(receiver: Receiver) -> None:
    receiver.answer(500, times=1)
    sender = channel(receiver, "&optional=yes")
    assert refusal(sender).scope is Scope.RETRY
    assert sender.send(low())


def test_a_receiver_that_says_nothing_is_left_in_time(receiver: Receiver) -> None:
    receiver.answer(delay=30.0)
    started = time.monotonic()
    assert refusal(channel(receiver, "", timeout=0.5)).scope is Scope.RETRY
    assert time.monotonic() - started < 5.0


def test_any_text_arrives(receiver: Receiver) -> None:
    for text in ("余额不足", "<b>&\"'", "x" * 20_000):
        channel(receiver).send(low(text))
        assert receiver.requests[-1].json()["message"] == text


@pytest.mark.parametrize("url", ["nosuch://path-canary/x", "tgram://path-canary/x", "mailto://user-canary"])
def test_a_url_that_apprise_does_not_understand_is_one_line_without_the_url(tmp_path: Path, url: str) -> None:
    (tmp_path / "tm.yaml").write_text(
        f"accounts: [{{name: a, credential: the-credential}}]\nchannels: {{phone: {{type: apprise, url: '{url}'}}}}\n"
    )
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "TOKEN_MONITOR_CONFIG": "tm.yaml"}
    command = [sys.executable, "-m", "token_monitor", "check-config"]
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    [line] = (ended.stdout + ended.stderr).splitlines()
    assert (ended.returncode, "channels.phone: url that Apprise does not understand; one as " in line) == (2, True)
    assert "canary" not in line


@pytest.mark.parametrize("url", ["json://", "localhost", "", "JSON://x"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="one URL as Apprise writes it"):
        Apprise(Secret(url))


def test_without_the_library_the_settings_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("token_monitor.channels.apprise.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"install token-monitor\[apprise\]"):
        Apprise(Secret("json://localhost"))


def test_settings_and_channel_print_no_part_of_the_url() -> None:
    settings = Apprise(Secret("json://user-canary:pass-canary@localhost/path-canary"))
    for shown in (repr(settings), str(settings), repr(AppriseChannel(settings))):
        assert not [canary for canary in CANARIES if canary in shown]


def test_the_library_is_loaded_by_the_first_channel_only() -> None:
    code = "import sys, token_monitor.app.registry; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
