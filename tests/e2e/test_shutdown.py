"""It ends within 3 s, whatever hangs; and one daemon per data folder."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.daemon import MODULE, Daemon, blocked_pipe
from support.site import Receiver, Site

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
ACCOUNT = "{name: a, credential: a-credential, timeout: 60, endpoint: "


def catches(daemon: Daemon, number: signal.Signals) -> bool:
    """Whether the process handles the signal by now."""
    lines = Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
    mask = next(line for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)


@SIGNALS
def test_it_ends_while_a_provider_hangs(site: Site, number: signal.Signals) -> None:
    site.provider.answer(delay=60)
    daemon = site.start(site.account(REQUEST_TIMEOUT="60")).watching()
    site.provider.wait_for(1)
    daemon.stop(number)


@SIGNALS
def test_it_ends_while_a_receiver_hangs_and_the_alert_leaves_after_the_restart(
    site: Site, number: signal.Signals
) -> None:
    site.provider.says(5)
    site.receiver.answer(delay=60)
    daemon = site.start(site.account(WEBHOOK_TIMEOUT="60"))
    hung = site.receiver.wait_for(1)[0]
    daemon.entry(msg="Token balance low")
    daemon.stop(number)
    site.receiver.answer(200)
    daemon = site.start(site.account())
    again = site.receiver.wait_for(2)[1]
    assert again.headers["idempotency-key"] == hung.headers["idempotency-key"]
    assert again.body == hung.body
    daemon.stop()


def test_an_attempt_in_flight_gets_time_for_its_acknowledgement(site: Site) -> None:
    site.provider.says(5)
    site.receiver.answer(delay=1)
    daemon = site.start(site.account())
    site.receiver.wait_for(1)
    daemon.entry(msg="Token balance low")
    assert daemon.stop() > 0.5
    daemon = site.start(site.account()).watching()
    site.judged(2)
    daemon.stop()
    assert len(site.receiver.requests) == 1


def test_it_ends_while_providers_and_receivers_drip_and_connections_are_not_accepted(site: Site) -> None:
    site.provider.says(5, "/low")
    site.provider.answer(body=b'{"balance": 5}', drip=0.5)
    site.receiver.answer(drip=0.5)
    with full_backlog() as deaf:
        daemon = site.start(
            site.yaml(
                f"""
                defaults: {{thresholds: {{warning: 10}}}}
                accounts:
                  - {{name: low, credential: a-credential, endpoint: PROVIDER/low}}
                  - {{name: drips, credential: a-credential, timeout: 60, endpoint: PROVIDER/drips}}
                  - {{name: deaf, credential: a-credential, timeout: 60, endpoint: "http://127.0.0.1:{deaf}/"}}
                channels:
                  drips: {{type: webhook, timeout: 60, url: RECEIVER/drips}}
                  deaf: {{type: webhook, timeout: 60, url: "http://127.0.0.1:{deaf}/"}}
                """
            )
        ).watching()
        site.receiver.wait_for(1)
        site.provider.wait_for(2)
        daemon.stop()


@contextmanager
def full_backlog() -> Iterator[int]:
    """The port of a server that takes no more connections: attempts to connect hang."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@SIGNALS
def test_it_ends_a_program_that_it_runs_with_all_that_this_started_and_runs_it_again_after_the_restart(
    site: Site, tmp_path: Path, number: signal.Signals
) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\ntrap "" TERM INT\nsleep 600 &\necho "$TM_ID $$ $!" >> "$1"\nwait\nsleep 600\n')
    program.chmod(0o755)
    site.provider.says(5)
    environment = site.yaml(
        f"""
        accounts: [{{name: a, credential: c, endpoint: PROVIDER/v1/balance, thresholds: {{warning: 10}}}}]
        channels:
          page: {{type: exec, command: ["{program}", "{tmp_path}/runs"], timeout: 5m}}
        """
    )
    for run in range(2):
        daemon = site.start(environment)
        daemon.wait_until(lambda run=run: len(runs(tmp_path)) > run)
        daemon.stop(number)
        wait_until_gone(*map(int, runs(tmp_path)[run][1:]))
    (first, *_), (second, *_) = runs(tmp_path)
    assert first == second
    assert site.query("SELECT fate, ambiguous OR attempting FROM outbox WHERE channel = 'page'") == [("pending", 1)]


def runs(folder: Path) -> list[list[str]]:
    file = folder / "runs"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids):
        if time.monotonic() > deadline:
            os.killpg(pids[0], signal.SIGKILL)
            pytest.fail("it goes on")
        time.sleep(0.01)


def test_it_ends_while_nobody_reads_its_standard_output(site: Site) -> None:
    site.provider.says(5)
    reading, writing = blocked_pipe()
    daemon = site.start(site.account(), stdout=writing)
    os.close(writing)
    site.posted(1)
    daemon.stop()
    os.close(reading)


def test_it_ends_while_a_name_does_not_resolve_because_its_server_never_answers(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind(("127.0.0.1", 53))
        except OSError as error:
            pytest.skip(f"a name server on 127.0.0.1:53 cannot be had: {error}")
        resolv = tmp_path / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:20 attempts:2\n")
        inside = ("unshare", "--mount", "sh", "-c", f'mount --bind {resolv} /etc/resolv.conf && exec "$@"', "sh")
        if subprocess.run((*inside, "true"), check=False, capture_output=True).returncode:
            pytest.skip("not allowed to mount a resolv.conf of its own")
        daemon = site.start(
            site.account(BALANCE_CHECK_ENDPOINT="http://provider.example/v1", REQUEST_TIMEOUT="1"),
            command=(*inside, *MODULE),
        ).watching()
        server.settimeout(10)
        assert b"provider" in server.recv(512)
        failed = daemon.entry(msg="Balance check failed")
        assert failed["kind"] == "timeout"
        daemon.stop()


@SIGNALS
def test_a_signal_during_the_start_ends_it_with_0(site: Site, number: signal.Signals) -> None:
    for pause in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4):
        daemon = site.start(site.account())
        daemon.wait_until(lambda daemon=daemon: catches(daemon, signal.SIGHUP))
        time.sleep(pause)
        daemon.stop(number)


@SIGNALS
def test_a_signal_while_it_waits_for_the_data_folder_ends_it_with_0(site: Site, number: signal.Signals) -> None:
    first = site.start(site.account()).watching()
    second = site.start(site.account())
    second.wait_until(lambda: waits_for_lock(second, site.data))
    assert second.stop(number) < 1
    first.stop()


def waits_for_lock(daemon: Daemon, data: Path) -> bool:
    """Whether it has the lock file open, which the first daemon holds."""
    opened = []
    for link in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            opened.append(str(link.readlink()))
    return str(data / "monitor.lock") in opened


def test_a_second_daemon_on_the_folder_waits_5_seconds_then_says_so_in_one_line_and_exits_2(site: Site) -> None:
    first = site.start(site.account()).watching()
    second = site.start(site.account())
    begun = time.monotonic()
    assert second.wait() == 2
    assert 4 < time.monotonic() - begun < 8
    (line,) = second.err.finish()
    assert str(site.data) in line
    assert second.out is not None
    assert second.out.finish() == []
    site.provider.says(5)
    first.entry(msg="Token balance low")
    first.stop()


def test_an_overlapping_restart_works_and_says_nothing_twice(site: Site) -> None:
    site.provider.says(5)
    first = site.start(site.account())
    site.posted(1)
    first.entry(msg="Token balance low")
    second = site.start(site.account())
    second.wait_until(lambda: waits_for_lock(second, site.data))
    first.stop()
    second.watching()
    site.judged(2)
    assert second.entries(account="facefusion") == []
    assert len(site.receiver.requests) == 1
    second.stop()


def test_a_daemon_that_was_killed_leaves_no_lock_behind(site: Site) -> None:
    first = site.start(site.account()).watching()
    first.kill()
    second = site.start(site.account())
    begun = time.monotonic()
    second.watching()
    assert time.monotonic() - begun < 4
    second.stop()


def test_sighup_is_logged_and_watching_goes_on(site: Site) -> None:
    daemon = site.start(site.account()).watching()
    daemon.send(signal.SIGHUP)
    assert daemon.out is not None
    line = json.loads(daemon.out.wait_for(lambda line: "SIGHUP" in line))
    assert line["level"] == "info"
    site.provider.says(5)
    daemon.entry(msg="Token balance low")
    daemon.send(signal.SIGHUP)
    daemon.stop()


def test_a_second_signal_does_not_disturb_the_end(site: Site) -> None:
    site.provider.says(5)
    with Receiver() as hanging:
        hanging.answer(delay=60)
        daemon = site.start(site.account(ALERT_WEBHOOK_URL=f"{hanging.url}/x", WEBHOOK_TIMEOUT="60"))
        hanging.wait_for(1)
        daemon.send(signal.SIGINT)
        time.sleep(0.2)
        daemon.send(signal.SIGHUP)
        daemon.stop(signal.SIGINT)


def test_no_process_is_left_behind(site: Site) -> None:
    daemon = site.start(site.account()).watching()
    daemon.stop()
    with pytest.raises(ProcessLookupError):
        os.killpg(daemon.pid, 0)
