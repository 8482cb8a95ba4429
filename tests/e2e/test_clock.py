"""The wall clock jumps by days under a running daemon: the cooldown neither floods nor mutes."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from support.services import require
from support.site import Site

COOLDOWN = 2.5
SLACK = 2.0
"""Seconds a reminder may come late: an interval, and a busy machine."""

DAY = 86400.0


class Wall:
    """A wall clock that the test sets, for processes started with `environment`; CLOCK_BOOTTIME stays real."""

    def __init__(self, folder: Path) -> None:
        require("faketime")
        libraries = sorted(Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1"))
        assert libraries, "faketime is there, and its library is not"
        self._file = folder / "wall"
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Its workaround for old C libraries ends every timed wait on a condition at once: threads would spin.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, offset: float) -> None:
        """Show the real time plus `offset` seconds, from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset:+.0f}\n")
        fresh.replace(self._file)


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path)


def gaps(site: Site, count: int) -> list[float]:
    """The seconds between the first `count` webhooks, on the test's own clock."""
    times = [request.at for request in site.receiver.wait_for(count, timeout=30)]
    return [after - before for before, after in pairwise(times)]


def assert_evenly(site: Site, count: int) -> None:
    for gap in gaps(site, count):
        assert COOLDOWN - 0.2 <= gap <= COOLDOWN + SLACK


def offset_of(timestamp: str) -> float:
    """How far a time that the daemon wrote is from the real one."""
    return (datetime.fromisoformat(timestamp) - datetime.now(UTC)).total_seconds()


def test_faketime_moves_the_wall_clock_and_leaves_the_boot_clock_alone(wall: Wall) -> None:
    wall.set(DAY)
    code = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), time.monotonic())"
    environment = dict(os.environ) | wall.environment
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=20)
    shown, boot, monotonic = map(float, done.stdout.split())
    assert abs(shown - time.time() - DAY) < 60
    assert abs(boot - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    assert abs(monotonic - time.monotonic()) < 60


def test_jumps_of_a_day_forward_and_back_neither_flood_nor_mute(site: Site, wall: Wall) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_COOLDOWN=str(COOLDOWN), **wall.environment))
    for number, offset in enumerate((DAY, -DAY, 0), 1):
        alert = site.posted(number)[-1]
        assert abs(offset_of(alert["at"]) - {1: 0, 2: DAY, 3: -DAY}[number]) < 60
        wall.set(offset)
        site.judged()
    assert_evenly(site, 4)
    assert [alert["reason"] for alert in site.posted(4)] == ["first", "reminder", "reminder", "reminder"]
    polls = [request.at for request in site.provider.requests]
    assert max(after - before for before, after in pairwise(polls)) < SLACK
    daemon.stop()


def test_a_clock_that_swings_by_a_day_changes_nothing(site: Site, wall: Wall) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_COOLDOWN=str(COOLDOWN), **wall.environment))
    site.posted(1)
    until = time.monotonic() + 2.3 * COOLDOWN
    swings = 0
    while time.monotonic() < until:
        wall.set(DAY if swings % 2 else -DAY)
        swings += 1
        time.sleep(0.1)
    assert swings > 20
    assert_evenly(site, 3)
    daemon.stop()


@pytest.mark.parametrize("days", [-1, -3])
def test_a_restart_after_a_jump_back_keeps_the_cooldown_and_does_not_mute(site: Site, wall: Wall, days: int) -> None:
    site.provider.says(5)
    environment = site.account(ALERT_COOLDOWN=str(COOLDOWN), **wall.environment)
    daemon = site.start(environment)
    site.posted(1)
    daemon.entry(msg="Token balance low")
    wall.set(days * DAY)
    daemon.stop()
    daemon = site.start(environment).watching()
    times = [request.at for request in site.receiver.wait_for(3, timeout=30)]
    # The steady clock resumes where it was stored: the time the daemon was down does not count.
    assert COOLDOWN - 0.2 <= times[1] - times[0] <= COOLDOWN + SLACK + 2
    assert COOLDOWN - 0.2 <= times[2] - times[1] <= COOLDOWN + SLACK
    assert abs(offset_of(site.posted(2)[1]["at"]) - days * DAY) < 60
    daemon.stop()


def test_a_restart_after_a_jump_forward_reminds_at_most_once_early(site: Site, wall: Wall) -> None:
    site.provider.says(5)
    environment = site.account(ALERT_COOLDOWN=str(COOLDOWN), **wall.environment)
    daemon = site.start(environment)
    site.posted(1)
    daemon.entry(msg="Token balance low")
    wall.set(DAY)
    daemon.stop()
    daemon = site.start(environment).watching()
    wall.set(0)
    times = [request.at for request in site.receiver.wait_for(4, timeout=30)]
    for before, after in pairwise(times[1:]):
        assert COOLDOWN - 0.2 <= after - before <= COOLDOWN + SLACK
    daemon.stop()


def test_a_jump_across_a_restart_does_not_mute_an_escalation(site: Site, wall: Wall) -> None:
    site.provider.says(5)
    wall.set(DAY)
    environment = site.account(CRITICAL_THRESHOLD="3", **wall.environment)
    daemon = site.start(environment)
    site.posted(1)
    daemon.entry(msg="Token balance low")
    wall.set(-DAY)
    daemon.stop()
    daemon = site.start(environment).watching()
    site.judged(2)
    assert len(site.receiver.requests) == 1
    site.provider.says(2)
    assert site.posted(2)[1]["reason"] == "escalated"
    daemon.stop()
