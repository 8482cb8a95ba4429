"""Spare credentials: the real daemon, a provider with a balance for each credential, files for another program."""

import json
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.daemon import Daemon
from support.site import Answer, Provider, Received, Site

SECRETS = {"primary": "canary-primary-1", "spare1": "canary-spare-2", "spare2": "canary-spare-3"}


class Purses(Provider):
    """Each credential has a balance of its own. An Answer is given as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.purses: dict[str, Answer | object] = dict.fromkeys(SECRETS, 100)

    def take(self, request: Received) -> Answer:
        super().take(request)
        secret = request.headers["authorization"].removeprefix("Bearer ")
        label = next((label for label, known in SECRETS.items() if known == secret), None)
        if label is None:
            return Answer(401, body=f"unknown: {secret}".encode())
        said = self.purses[label]
        return said if isinstance(said, Answer) else Answer(body=json.dumps({"balance": said}).encode())

    def asked(self) -> list[str]:
        """The labels, in the order in which they were asked with."""
        by_header = {f"Bearer {secret}": label for label, secret in SECRETS.items()}
        return [by_header[request.headers["authorization"]] for request in list(self.requests)]


@pytest.fixture
def purses() -> Iterator[Purses]:
    with Purses() as provider:
        yield provider


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The volume that the inference process sees."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


def config(
    site: Site, purses: Purses, shared: Path, more: str = "", channels: str = "", timeout: int = 5
) -> dict[str, str]:
    return site.yaml(
        f"""
accounts:
  - name: facefusion
    endpoint: {purses.url}/v1/balance
    credential: ${{PRIMARY}}
    spares: ["${{SPARE1}}", "${{SPARE2}}"]
    interval: 0.2
    timeout: {timeout}
    thresholds: {{warning: 10}}
    failover: {{publish: {shared}/credential, dwell: 0{more}}}
channels:
  hook: {{type: webhook, url: RECEIVER/hook}}
{channels}
""",
        **{label.upper(): secret for label, secret in SECRETS.items()},
    )


def status(shared: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads((shared / "status.json").read_text())["accounts"]["facefusion"]
    return found


def published(shared: Path) -> str:
    return (shared / "credential").read_text()


def test_an_exhausted_credential_is_replaced_published_and_told_by_label(
    site: Site, purses: Purses, shared: Path
) -> None:
    daemon = site.start(config(site, purses, shared))
    daemon.wait_until(lambda: (shared / "status.json").exists() and status(shared)["state"] == "ok")
    assert published(shared) == SECRETS["primary"]
    assert (status(shared)["credential_label"], status(shared)["usable"]) == ("primary", True)
    purses.purses |= {"primary": 0, "spare1": 0}
    told = site.posted(3)
    assert [(alert["kind"], alert["state"], alert["reason"]) for alert in told] == [
        ("account", "exhausted", "first"),
        ("credential", "low", "first"),
        ("account", "ok", "credential_switched"),
    ]
    assert (told[1]["credential_from"], told[1]["credential_to"]) == ("primary", "spare2")
    assert published(shared) == SECRETS["spare2"]
    assert daemon.entry(msg="Credential switched")["level"] == "warning"
    daemon.entry(msg="Token alert closed")
    daemon.wait_until(lambda: status(shared)["credential_label"] == "spare2")
    assert status(shared)["balance"] == 100
    answer = daemon.get("/api/v1/status").json
    assert answer["accounts"][0]["credential_label"] == "spare2"
    assert [(each["from"], each["to"], each["why"]) for each in answer["switches"]] == [
        ("primary", "spare2", "exhausted")
    ]
    daemon.stop()
    assert site.query("SELECT account, from_label, to_label, why, dry_run FROM switch") == [
        ("facefusion", "primary", "spare2", "exhausted", 0)
    ]


def test_a_restart_goes_on_with_the_spare_and_publishes_it_again(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses["primary"] = 0
    daemon = site.start(config(site, purses, shared))
    site.posted(3)
    daemon.entry(msg="Spare credential cannot be used", credential_label="primary")
    daemon.kill()
    (shared / "credential").write_text(SECRETS["primary"])  # as after a crash in the middle of a switch
    purses.purses["spare1"] = Answer(503)
    seen = len(purses.requests)
    daemon = site.start(config(site, purses, shared)).watching()
    daemon.wait_until(lambda: published(shared) == SECRETS["spare1"])
    daemon.wait_until(lambda: len(purses.requests) > seen + 3)
    assert set(purses.asked()[seen:]) == {"spare1"}
    assert len({request.json()["alert"]["id"] for request in site.receiver.requests}) == 3
    daemon.stop()


def test_check_asks_with_the_primary_whatever_is_in_use(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses |= {"primary": 0, "spare1": 70}
    daemon = site.start(environment := config(site, purses, shared))
    site.posted(3)
    done = site.run(environment, "check")
    assert (done.status, done.out) == (2, "facefusion/balance: exhausted, 0 left (credential primary)\n")
    assert set(json.loads(site.run(environment, "check", "--json").out)["accounts"][0]) == {
        "account", "quantity", "state", "balance", "limit", "unit", "error",
    }  # fmt: skip
    host, port = daemon._listen or daemon.watching()._listen or ("", 0)
    shown = site.run({**environment, "TOKEN_MONITOR_LISTEN": f"{host}:{port}"}, "status")
    assert shown.out.startswith("facefusion/balance: ok, 70, credential spare1\n")
    daemon.stop()


def test_a_program_that_is_restarted_by_the_alert_finds_the_new_credential(
    site: Site, purses: Purses, shared: Path
) -> None:
    restart = shared / "restart"
    restart.write_text(
        f'#!/bin/sh\n[ -n "$TM_CREDENTIAL_TO" ] || exit 0\n'
        f'echo "$TM_CREDENTIAL_TO $(cat {shared}/credential)" >> {shared}/restarts\n'
    )
    restart.chmod(0o755)
    purses.purses["primary"] = 0
    daemon = site.start(config(site, purses, shared, channels=f"  restart: {{type: exec, command: [{restart}]}}\n"))
    daemon.wait_until((shared / "restarts").exists)
    assert (shared / "restarts").read_text() == f"spare1 {SECRETS['spare1']}\n"
    daemon.stop()


def test_a_spare_in_use_that_is_removed_from_the_settings_is_left_by_a_switch_that_restarts_the_program_too(
    site: Site, purses: Purses, shared: Path
) -> None:
    purses.purses["primary"] = 0
    environment = config(site, purses, shared)
    daemon = site.start(environment)
    site.posted(3)
    daemon.stop()
    restart = shared / "restart"
    restart.write_text(
        f'#!/bin/sh\necho "$TM_CREDENTIAL_WHY $TM_CREDENTIAL_TO $(cat {shared}/credential)" >> {shared}/restarts\n'
    )
    restart.chmod(0o755)
    yaml = site.work / "monitor.yaml"
    action = f"channels:\n  restart: {{type: exec, command: [{restart}], kinds: [credential]}}"
    without = yaml.read_text().replace('["${SPARE1}", "${SPARE2}"]', '{other: "${SPARE2}"}')
    yaml.write_text(without.replace("channels:", action))
    purses.purses["primary"] = 100
    daemon = site.start(environment)
    daemon.wait_until((shared / "restarts").exists)
    assert (shared / "restarts").read_text() == f"removed primary {SECRETS['primary']}\n"
    alert = site.posted(4)[3]
    assert (alert["credential_from"], alert["credential_to"], alert["credential_why"]) == (
        "spare1", "primary", "removed"
    )  # fmt: skip
    daemon.stop()
    assert site.query("SELECT from_label, to_label, why, dry_run FROM switch") == [
        ("primary", "spare1", "exhausted", 0),
        ("spare1", "primary", "removed", 0),
    ]


def test_a_spare_that_hangs_does_not_keep_the_next_from_being_used(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses |= {"primary": Answer(401), "spare1": Answer(delay=60)}
    begun = time.monotonic()
    daemon = site.start(config(site, purses, shared, timeout=1))
    daemon.entry(msg="Credential switched", credential_to="spare2")
    assert time.monotonic() - begun < 8
    assert [line["msg"] for line in daemon.entries(account="facefusion", level="critical")] == ["Credential rejected"]
    daemon.stop()


def test_without_any_healthy_one_it_is_said_once_and_its_end_too(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses |= {"primary": 0, "spare1": Answer(403), "spare2": -5}
    daemon = site.start(config(site, purses, shared))
    none = daemon.entry(msg="No healthy credential")
    assert (none["level"], none["kind"], none["subject"]) == ("critical", "credential", "facefusion/credential")
    texts = [request.json()["text"] for request in site.receiver.wait_for(2)]
    assert "primary: exhausted, spare1: rejected, spare2: arrears" in texts[1]
    daemon.wait_until(lambda: status(shared)["credential"] == "exhausted")
    assert status(shared)["usable"] is False
    seen = len(purses.requests)
    daemon.wait_until(lambda: len(purses.requests) > seen + 10)
    assert len(daemon.entries(msg="No healthy credential")) == 1
    purses.purses["spare2"] = 30
    daemon.entry(msg="Credential accepted", reason="recovered")
    daemon.wait_until(lambda: status(shared)["usable"] is True)
    daemon.stop()


def test_a_volume_that_is_not_there_keeps_the_account_on_its_credential_and_people_are_told(
    site: Site, purses: Purses, shared: Path
) -> None:
    purses.purses["primary"] = 0
    gone = shared / "not-mounted"
    daemon = site.start(config(site, purses, gone))
    daemon.entry(msg="No healthy credential")
    texts = [request.json()["text"] for request in site.receiver.wait_for(2)]
    why = f"{gone}/credential cannot be written: No such file or directory"
    assert "What was found: primary: exhausted, spare1: healthy" in texts[1]
    assert f"; but {why}." in texts[1]
    seen = len(purses.requests)
    daemon.wait_until(lambda: len(purses.requests) > seen + 12)
    errors = [(line["msg"], line["error"]) for line in daemon.entries(level="error")]
    assert sorted(errors) == [
        ("Credential not switched", why),
        *[("File not published, trying again", "No such file or directory")] * 2,
    ]
    assert daemon.get("/api/v1/status").json["accounts"][0]["credential_label"] == "primary"
    gone.mkdir()
    daemon.entry(msg="Credential switched", credential_to="spare1")
    daemon.wait_until((gone / "status.json").exists)
    assert published(gone) == SECRETS["spare1"]
    daemon.stop()


def test_a_rotated_file_of_a_spare_is_read_again_and_published(site: Site, purses: Purses, shared: Path) -> None:
    file = site.work / "spare"
    file.write_text("an-old-one\n")
    environment = config(site, purses, shared)
    yaml = site.work / "monitor.yaml"
    yaml.write_text(yaml.read_text().replace('["${SPARE1}", "${SPARE2}"]', f"{{studio: 'file:{file}'}}"))
    daemon = site.start(environment)
    daemon.entry(msg="Spare credential cannot be used", credential_label="studio", health="rejected")
    file.write_text(SECRETS["spare2"] + "\n")
    purses.purses["primary"] = Answer(401)
    daemon.entry(msg="Credential switched", credential_to="studio")
    assert published(shared) == SECRETS["spare2"]
    file.write_text(SECRETS["spare1"] + "\n")
    purses.purses["spare2"] = Answer(401)
    daemon.wait_until(lambda: published(shared) == SECRETS["spare1"])
    daemon.stop()


def test_a_credential_that_was_rotated_while_nobody_watched_is_tried_before_it_is_published(
    site: Site, purses: Purses, shared: Path
) -> None:
    file = site.work / "primary"
    file.write_text(SECRETS["primary"])
    environment = config(site, purses, shared)
    yaml = site.work / "monitor.yaml"
    yaml.write_text(yaml.read_text().replace("${PRIMARY}", f"file:{file}"))
    purses.purses |= {"spare1": 0, "spare2": 0}
    daemon = site.start(environment)
    daemon.wait_until((shared / "credential").exists)
    daemon.kill()
    file.write_text("mistyped")
    daemon = site.start(environment)
    daemon.entry(msg="Credential rejected")
    daemon.wait_until(lambda: status(shared)["credential"] == "exhausted")
    assert published(shared) == SECRETS["primary"]
    file.write_text(SECRETS["spare2"])
    purses.purses["spare2"] = 100
    daemon.wait_until(lambda: published(shared) == SECRETS["spare2"])
    daemon.stop()


def test_status_json_is_written_without_any_spares(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses["primary"] = 7
    environment = site.yaml(
        "accounts: [{name: facefusion, credential: canary-primary-1, thresholds: {warning: 10}, interval: 0.2, "
        f"endpoint: {purses.url}/}}]\npublish: {{status: {shared}/status.json, mode: 0604}}\n"
    )
    daemon = site.start(environment)
    daemon.wait_until(lambda: (shared / "status.json").exists() and status(shared)["state"] == "low")
    assert (status(shared)["balance"], status(shared)["usable"]) == (7, True)
    assert (shared / "status.json").stat().st_mode & 0o777 == 0o604
    daemon.stop()


def test_numbers_that_nobody_could_read_for_long_are_no_promise_after_a_restart_either(
    site: Site, purses: Purses, shared: Path
) -> None:
    environment = site.yaml(
        "accounts: [{name: facefusion, credential: canary-primary-1, interval: 0.2, max_failures: 2, "
        f"endpoint: {purses.url}/}}]\npublish: {{status: {shared}/status.json}}\n"
    )
    daemon = site.start(environment)
    daemon.wait_until(lambda: (shared / "status.json").exists() and status(shared)["usable"] is True)
    purses.purses["primary"] = Answer(503)
    daemon.wait_until(lambda: status(shared)["silent"])
    assert (status(shared)["usable"], status(shared)["balance"]) == (None, 100)
    daemon.kill()
    (shared / "status.json").unlink()
    daemon = site.start(environment)
    daemon.wait_until((shared / "status.json").exists)
    assert status(shared)["usable"] is None
    purses.purses["primary"] = 100
    daemon.wait_until(lambda: status(shared)["usable"] is True)
    daemon.stop()


def test_kill_9_again_and_again_leaves_one_chain_of_switches_and_a_whole_file(
    site: Site, purses: Purses, shared: Path
) -> None:
    purses.purses = dict.fromkeys(SECRETS, 100)
    environment = config(site, purses, shared)
    luck = random.Random()
    for turn in range(8):
        daemon = site.start(environment).watching()
        fail_the_one_in_use(daemon, purses, shared)
        time.sleep(luck.uniform(0, 0.3))
        daemon.kill()
        assert published(shared) in SECRETS.values(), turn
    daemon = site.start(environment).watching()
    daemon.wait_until(lambda: status(shared)["credential_label"])
    daemon.stop()
    switches = site.query("SELECT from_label, to_label FROM switch ORDER BY row")
    path = ["primary", *(target for _, target in switches)]
    assert [origin for origin, _ in switches] == path[:-1]
    assert len(switches) >= 2
    [(state,)] = site.query("SELECT state FROM failover")
    label = json.loads(state)["label"]
    assert label == path[-1]
    assert published(shared) == SECRETS[label]
    owed = site.query("SELECT DISTINCT alert_id FROM outbox WHERE message LIKE '%\"switch\":{%' AND channel = 'hook'")
    assert len(owed) == len(switches)
    assert site.query("SELECT count(*) FROM outbox WHERE reason = 'recovered'") == [(0,)]


def fail_the_one_in_use(daemon: Daemon, purses: Purses, shared: Path) -> None:
    """The others have credit."""
    daemon.wait_until((shared / "credential").exists)
    in_use = next(label for label, secret in SECRETS.items() if secret == published(shared))
    purses.purses = {label: 0 if label == in_use else 100 for label in SECRETS}


def test_no_secret_of_a_spare_shows_anywhere_but_in_the_file(site: Site, purses: Purses, shared: Path) -> None:
    echo = Answer(401, body=f"no credit for {SECRETS['spare1']}".encode())
    purses.purses |= {"primary": 0, "spare1": echo}
    environment = config(site, purses, shared)
    daemon = site.start({**environment, "LOG_LEVEL": "debug"})
    daemon.entry(msg="Credential switched", credential_to="spare2")
    daemon.wait_until(lambda: status(shared)["credential_label"] == "spare2")
    purses.purses["spare2"] = 0
    daemon.entry(msg="No healthy credential")
    site.receiver.wait_for(5)
    texts = [request.body for request in site.receiver.requests]
    texts += [(shared / "status.json").read_bytes()]
    texts += [daemon.get(path).text.encode() for path in ("/api/v1/status", "/metrics", "/healthz", "/")]
    shown = site.run(environment, "check-config", "--show")
    assert "spare2: '***'" in shown.out
    texts += [shown.out.encode(), shown.err.encode()]
    daemon.stop()
    assert daemon.out is not None
    texts += ["\n".join(daemon.out.finish()).encode()]
    texts += [file.read_bytes() for file in site.data.iterdir()]
    for text in texts:
        assert b"canary" not in text, text
    assert {file.name for file in shared.iterdir()} == {"credential", "status.json"}


def test_two_spares_of_one_account_are_said_to_be_one(site: Site, purses: Purses, shared: Path) -> None:
    purses.purses |= {"primary": 0, "spare1": 50, "spare2": 50}
    daemon = site.start(config(site, purses, shared, more=", when: {below: 5}"))
    daemon.entry(msg="Spare credential cannot be used", credential_label="primary")  # all were looked at
    purses.purses |= {"spare1": 3, "spare2": 3}
    line = daemon.entry(msg="Credentials share one balance")
    assert line["credential_labels"] == ["spare1", "spare2"]
    assert daemon.get("/api/v1/status").json["accounts"][0]["credentials_shared"] == [["spare1", "spare2"]]
    daemon.stop()
