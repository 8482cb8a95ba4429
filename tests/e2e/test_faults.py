"""What breaks around it: disks, pipes, ports, files. Watching and alerting go on, or the mistake is one line."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.daemon import Daemon, Lines, blocked_pipe
from support.site import Site

QUICK_TICK = """
import sys
from token_monitor.app import daemon
daemon.TICK = 0.3
from token_monitor.cli.main import main
sys.exit(main(["run"]))
"""


def assert_it_warns(site: Site, daemon: Daemon, balance: int = 5, state: str = "low") -> dict[str, object]:
    """The balance falls, and the alert leaves on both channels."""
    count = len(site.receiver.requests)
    site.provider.says(balance)
    alert = site.posted(count + 1)[count]
    assert alert["state"] == state
    assert daemon.entry(alert_id=alert["id"])["state"] == state
    return alert


def test_a_data_folder_that_cannot_be_made_is_said_at_error_and_alerts_go_on_from_memory(site: Site) -> None:
    (site.work / "file").write_text("")
    data = site.work / "file" / "data"
    daemon = site.start(site.account(TOKEN_MONITOR_DATA=str(data)))
    assert_it_warns(site, daemon)
    (line,) = daemon.entries(level="error")
    assert str(data) in line["msg"]
    assert daemon.metric("token_monitor_state_durable") == "0.0"
    assert daemon.get("/api/v1/status").json["durable"] is False
    assert daemon.get("/healthz").status == 200
    daemon.stop()


def test_memory_may_be_chosen_and_is_no_error(site: Site) -> None:
    daemon = site.start(site.account(TOKEN_MONITOR_DATA=":memory:"))
    assert_it_warns(site, daemon)
    assert daemon.entries(level="error") == []
    daemon.stop()
    assert not site.data.exists()


def test_a_disk_that_takes_no_more_sends_it_to_memory_and_space_brings_it_back_with_its_ids(site: Site) -> None:
    environment = site.account(CRITICAL_THRESHOLD="3")
    daemon = site.drive(QUICK_TICK, environment)
    low = assert_it_warns(site, daemon)
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (1, hard))
    critical = assert_it_warns(site, daemon, 2, "critical")
    (line,) = daemon.entries(level="error")
    assert str(site.data) in line["msg"]
    assert daemon.metric("token_monitor_state_durable") == "0.0"
    exhausted = assert_it_warns(site, daemon, 0, "exhausted")
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))
    daemon.wait_until(lambda: daemon.metric("token_monitor_state_durable") == "1.0")
    (line,) = [line for line in daemon.entries(level="info") if str(site.data) in line["msg"]]
    daemon.stop()
    stored = site.query("SELECT alert_id, fate FROM outbox WHERE channel = 'webhook' ORDER BY row")
    assert stored == [(alert["id"], "sent") for alert in (low, critical, exhausted)]
    daemon = site.start(environment).watching()
    site.judged(2)
    assert len(site.receiver.requests) == 3
    recovered = assert_it_warns(site, daemon, 100, "ok")
    assert recovered["episode"] == low["episode"]
    daemon.stop()


def test_a_file_system_that_is_really_full_does_not_stop_it_either(site: Site) -> None:
    site.data.mkdir()
    size = "size=1m"
    inside = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o {size} none {site.data} && exec "$@"', "sh")
    if subprocess.run((*inside, "true"), check=False, capture_output=True).returncode:
        pytest.skip("not allowed to mount a file system of its own")
    command = (*inside, sys.executable, "-c", QUICK_TICK)
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"), command=command).watching()
    assert_it_warns(site, daemon)
    ballast = Path(f"/proc/{daemon.pid}/root{site.data}/ballast")
    fill(ballast)
    # The log of the database reuses pages it has: only a few more alerts need new ones.
    for number in range(60):
        assert_it_warns(site, daemon, 2 if number % 2 == 0 else 100, "critical" if number % 2 == 0 else "ok")
        if daemon.metric("token_monitor_state_durable") == "0.0":
            break
    assert daemon.metric("token_monitor_state_durable") == "0.0"
    ballast.unlink()
    daemon.wait_until(lambda: daemon.metric("token_monitor_state_durable") == "1.0")
    daemon.stop()


def fill(file: Path) -> None:
    """Take the last byte of a file system."""
    with file.open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            return


def test_a_data_folder_that_is_removed_under_it_is_made_anew_with_all_it_knew(site: Site) -> None:
    daemon = site.drive(QUICK_TICK, site.account())
    low = assert_it_warns(site, daemon)
    shutil.rmtree(site.data)
    daemon.wait_until((site.data / "monitor.db").exists)
    daemon.wait_until(lambda: daemon.metric("token_monitor_state_durable") == "1.0")
    assert_it_warns(site, daemon, 100, "ok")
    daemon.stop()
    stored = site.query("SELECT alert_id FROM outbox WHERE channel = 'webhook' ORDER BY row")
    assert stored[0] == (low["id"],)


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("kind", ["closed", "blocked"])
def test_a_dead_standard_output_stops_nothing_and_its_alert_comes_after_the_restart_with_its_own_time(
    site: Site, kind: str
) -> None:
    reading, writing = (None, closed_pipe()) if kind == "closed" else blocked_pipe()
    environment = site.account(CRITICAL_THRESHOLD="3", LOG_LEVEL="debug", CHECK_INTERVAL="0.05")
    daemon = site.start(environment, stdout=writing)
    os.close(writing)
    site.provider.says(5)
    low = site.posted(1)[0]
    site.provider.says(2)
    critical = site.posted(2)[1]
    site.judged(20)
    daemon.stop()
    if reading is not None:
        with os.fdopen(reading, "rb") as rest:
            assert rest.read().strip(b"\n").count(b"{") <= 1  # what was being written when it ended
    pending = site.query("SELECT alert_id FROM outbox WHERE channel = 'stdout' AND fate = 'pending' ORDER BY row")
    assert pending == [(low["id"],), (critical["id"],)]
    daemon = site.start(environment)
    for alert in (low, critical):
        line = daemon.entry(alert_id=alert["id"])
        assert line["timestamp"] == alert["at"]
        assert line["state"] == alert["state"]
    site.judged(2)
    told = [line["alert_id"] for line in daemon.entries(account="facefusion", quantity="balance") if "alert_id" in line]
    assert told == [low["id"], critical["id"]]
    assert len(site.receiver.requests) == 2
    daemon.stop()


def test_a_blocked_standard_output_that_is_read_again_gets_every_alert_whole(site: Site) -> None:
    reading, writing = blocked_pipe()
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3", LOG_LEVEL="debug"), stdout=writing)
    os.close(writing)
    site.provider.says(5)
    low = site.posted(1)[0]
    lines = Lines(os.fdopen(reading, "rb"))
    line = json.loads(lines.wait_for(lambda line: low["id"] in line and '"msg":"Token balance low"' in line))
    assert line["timestamp"] == low["at"]
    daemon.stop()
    assert lines.rest == b""
    assert all(json.loads(line) for line in lines.finish() if line)


def test_a_port_that_is_taken_is_one_error_line_and_is_tried_again(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = site.drive(QUICK_TICK, site.account(TOKEN_MONITOR_LISTEN=f"127.0.0.1:{port}"))
        line = daemon.entry(level="error")
        assert f"127.0.0.1:{port}" in json.dumps(line)
        assert_it_warns(site, daemon)
        time.sleep(1.5)
        assert len(daemon.entries(level="error")) == 1
    daemon.wait_until(lambda: answers(port))
    daemon.stop()


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to look like one" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_database_is_set_aside_and_a_new_one_begun(site: Site, content: bytes) -> None:
    site.data.mkdir()
    (site.data / "monitor.db").write_bytes(content)
    daemon = site.start(site.account())
    assert_it_warns(site, daemon)
    (line,) = daemon.entries(level="error")
    assert "damaged" in line["msg"]
    assert daemon.metric("token_monitor_state_durable") == "1.0"
    daemon.stop()
    (aside,) = site.data.glob("monitor.db.corrupt-*")
    assert aside.read_bytes() == content


def test_a_database_damaged_between_two_runs_begins_anew(site: Site) -> None:
    daemon = site.start(site.account())
    assert_it_warns(site, daemon)
    daemon.stop()
    site.query("PRAGMA wal_checkpoint(TRUNCATE)")
    database = site.data / "monitor.db"
    content = bytearray(database.read_bytes())
    content[4096:12288] = os.urandom(8192)
    database.write_bytes(content)
    daemon = site.start(site.account())
    assert site.posted(2)[1]["reason"] == "first"
    assert daemon.metric("token_monitor_state_durable") == "1.0"
    daemon.stop()


def test_a_directory_where_the_database_should_be_is_trouble_that_is_said(site: Site) -> None:
    (site.data / "monitor.db").mkdir(parents=True)
    daemon = site.start(site.account())
    assert_it_warns(site, daemon)
    assert len(daemon.entries(level="error")) == 1
    daemon.stop()


def test_a_database_of_a_newer_version_ends_it_with_one_line_and_2(site: Site) -> None:
    site.start(site.account()).watching().stop()
    site.query("PRAGMA user_version = 99")
    done = site.run(site.account())
    assert done.status == 2
    (line,) = done.err.splitlines()
    assert "99" in line


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.1, 0.2, 0.3, 0.5])
def test_a_kill_at_any_moment_of_the_start_leaves_a_folder_that_works(site: Site, pause: float) -> None:
    daemon = site.start(site.account())
    time.sleep(pause)
    daemon.kill()
    daemon = site.start(site.account())
    assert_it_warns(site, daemon)
    assert daemon.metric("token_monitor_state_durable") == "1.0"
    daemon.stop()


def test_what_an_account_raises_is_logged_with_its_cause_and_touches_no_other(site: Site) -> None:
    script = """
import sys
from token_monitor.sources.json_endpoint import JsonEndpointSource
fetch = JsonEndpointSource.fetch
def broken(self, credential, timeout):
    if "broken" in self._settings.endpoint.secret.reveal():
        raise ZeroDivisionError("a fault of ours")
    return fetch(self, credential, timeout)
JsonEndpointSource.fetch = broken
from token_monitor.cli.main import main
sys.exit(main(["run"]))
"""
    environment = site.yaml(
        """
        defaults: {interval: 0.2, thresholds: {warning: 10}}
        accounts:
          - {name: broken, credential: a-credential, endpoint: PROVIDER/broken}
          - {name: sound, credential: a-credential, endpoint: PROVIDER/sound}
        """
    )
    site.provider.says(5)
    daemon = site.drive(script, environment)
    line = daemon.entry(msg="Internal error")
    assert line["account"] == "broken"
    assert line["exception"]["type"] == "ZeroDivisionError"
    assert line["exception"]["message"] == "a fault of ours"
    assert daemon.entry(msg="Token balance low")["account"] == "sound"
    begun = len(daemon.entries(msg="Internal error"))
    site.judged(10)
    assert len(daemon.entries(msg="Internal error")) - begun <= 3  # it backs off: 0.4 s, 0.8 s, 1.6 s
    assert daemon.get("/healthz").status == 200
    daemon.stop()
