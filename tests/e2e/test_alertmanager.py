"""The daemon and the real Alertmanager."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.alertmanager import Alertmanager, wait_until
from support.site import Daemon, Site

CONFIG = """
defaults: {interval: 0.2}
accounts:
- {name: facefusion, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {warning: 10, critical: 3}}
- {name: video, credential: c, endpoint: PROVIDER/video, thresholds: {warning: 10}, channels: [hook]}
channels:
  am: {type: alertmanager, url: ALERTMANAGER, labels: {team: media}}
  hook: {type: webhook, url: RECEIVER/hook}
"""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path / "alertmanager") as running:
        yield running


@pytest.fixture
def environment(site: Site, real: Alertmanager) -> dict[str, str]:
    site.provider.says(5)
    return site.yaml(CONFIG.replace("ALERTMANAGER", real.url))


def channel(daemon: Daemon) -> dict[str, object]:
    """What the status says of it."""
    [found] = [each for each in daemon.get("/api/v1/status").json["channels"] if each["name"] == "am"]
    return dict(found)


def test_it_fires_changes_its_severity_and_ends_with_the_balance(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    daemon = site.start(environment)
    wait_until(real.alerts)
    [alert] = real.alerts()
    assert (alert["labels"]["account"], alert["labels"]["team"]) == ("facefusion", "media")
    assert alert["annotations"]["balance"] == "5"
    began = datetime.fromisoformat(daemon.entry(msg="Token balance low", account="facefusion")["timestamp"])
    assert datetime.fromisoformat(alert["startsAt"]) == began
    site.provider.says(2)
    wait_until(lambda: real.severities() == ["critical"])
    site.provider.says(100)
    wait_until(lambda: real.alerts() == [])
    daemon.wait_until(lambda: channel(daemon)["pending"] == 0)
    assert channel(daemon) == {"name": "am", "pending": 0, "dead": 0, "last_error": None}
    assert float(daemon.metric('token_monitor_deliveries_total{channel="am",outcome="sent"}')) >= 3
    assert daemon.metric('token_monitor_outbox_pending{channel="am"}') == "0.0"
    daemon.stop()
    assert site.query("SELECT DISTINCT channel FROM outbox ORDER BY channel") == [("hook",), ("stdout",)]


def test_a_fall_within_the_cooldown_of_an_earlier_one_stands_at_once_as_the_status_says(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    daemon = site.start(environment)
    wait_until(real.alerts)
    site.provider.says(100)
    wait_until(lambda: real.alerts() == [])
    site.provider.says(4)
    wait_until(real.alerts)
    [alert] = real.alerts()
    [shown] = [each for each in daemon.get("/api/v1/status").json["accounts"] if each["account"] == "facefusion"]
    assert alert["annotations"]["episode"] == shown["episode"]
    assert (alert["labels"]["severity"], alert["annotations"]["balance"]) == ("warning", "4")
    site.provider.says(100)
    wait_until(lambda: real.alerts() == [])
    daemon.stop()
    rows = site.query("SELECT reason FROM outbox WHERE channel = 'stdout' AND subject = 'facefusion/balance'")
    assert rows == [("first",), ("recovered",)]


def test_an_alertmanager_that_is_down_is_seen_in_the_status_and_nowhere_else(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    real.stop()
    daemon = site.start(environment)
    daemon.entry(msg="Token balance low", account="facefusion")
    daemon.wait_until(lambda: channel(daemon)["last_error"])
    state = channel(daemon)
    assert state["pending"] == 1
    assert f"127.0.0.1:{real.port}" in str(state["last_error"])
    assert daemon.get("/healthz").status == 200
    site.posted(2)
    real.start()
    wait_until(real.alerts)
    daemon.wait_until(lambda: channel(daemon) == {"name": "am", "pending": 0, "dead": 0, "last_error": None})
    assert daemon.stop() < 3


def test_a_stop_does_not_wait_for_an_alertmanager_that_hangs(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(delay=60)
    config = CONFIG.replace("ALERTMANAGER", "RECEIVER").replace("team: media}", "team: media}, timeout: 60")
    daemon = site.start(site.yaml(config)).watching()
    site.receiver.wait_for(1)
    daemon.stop()


def test_after_kill_9_a_lasting_alert_is_the_same_and_one_that_ended_meanwhile_ends(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    daemon = site.start(environment)
    wait_until(real.alerts)
    [before] = real.alerts()
    daemon.kill()
    daemon = site.start(environment)
    wait_until(lambda: real.alerts()[0]["updatedAt"] > before["updatedAt"])
    [after] = real.alerts()
    assert (after["fingerprint"], after["startsAt"]) == (before["fingerprint"], before["startsAt"])
    daemon.kill()
    site.provider.says(100)
    daemon = site.start(environment)
    wait_until(lambda: real.alerts() == [])
    daemon.stop()


def test_an_alert_that_nobody_stands_for_after_kill_9_has_an_end_within_five_minutes(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    daemon = site.start(environment)
    wait_until(real.alerts)
    daemon.kill()
    first = "- {name: facefusion, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {warning: 10, critical: 3}}"
    daemon = site.start(site.yaml(CONFIG.replace(first, "").replace("ALERTMANAGER", real.url)))
    daemon.wait_until(lambda: channel(daemon)["pending"] == 0)
    [left] = real.alerts()
    assert 0 < (datetime.fromisoformat(left["endsAt"]) - datetime.now(UTC)).total_seconds() <= 300
    daemon.stop()


def test_the_route_of_the_channel_decides_what_stands_there(site: Site, real: Alertmanager) -> None:
    config = CONFIG.replace("ALERTMANAGER", real.url).replace("labels: {team: media}", "levels: [critical]")
    site.provider.says(5)
    daemon = site.start(site.yaml(config))
    site.posted(2)
    daemon.wait_until(lambda: channel(daemon)["pending"] == 0)
    assert real.alerts() == []
    site.provider.says(2)
    wait_until(lambda: real.severities() == ["critical"])
    daemon.stop()


def test_a_test_alert_reaches_it_and_a_failure_says_why(
    site: Site, real: Alertmanager, environment: dict[str, str]
) -> None:
    done = site.run(environment, "test-alert", "am")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"am: delivered: 127.0.0.1:{real.port} answered 200, 1 firing, 0 resolved\n"
    [alert] = real.alerts()
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("TokenTest", "info")
    real.stop()
    done = site.run(environment, "test-alert", "am")
    assert done.status == 1
    assert f"am: NOT delivered: 127.0.0.1:{real.port}: " in done.out


def test_its_settings_are_checked_and_shown_without_their_secrets(site: Site) -> None:
    good = CONFIG.replace("ALERTMANAGER", "http://am:9093").replace("team: media}", "team: media}, token: canary-4711")
    done = site.run(site.yaml(good), "check-config", "--show")
    assert done.status == 0
    assert "token: '***'" in done.out
    assert "canary" not in done.out + done.err
    bad = CONFIG.replace("ALERTMANAGER", "http://am:9093").replace("team: media", "severity: page")
    done = site.run(site.yaml(bad), "check-config")
    assert done.status == 2
    assert "channels.am: labels with severity; token-monitor sets that one itself" in done.out + done.err
