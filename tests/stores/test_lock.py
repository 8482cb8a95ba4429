"""One daemon per data folder."""

import time
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest

from support.stored import Start, answer
from token_monitor.stores.errors import StoreError, StoreLockedError
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

HOLDER = """
import sys, time
from pathlib import Path
from token_monitor.stores.monitor_db import open_monitor_db
store = open_monitor_db(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(float(sys.argv[2]))
store.close()
"""


def holding(start: Start, folder: Path, seconds: float) -> "Popen[str]":
    process = start(HOLDER, folder, seconds)
    assert answer(process) == "open"
    return process


def test_a_second_daemon_is_told_in_one_line_which_folder_is_taken(start: Start, folder: Path) -> None:
    holding(start, folder, 60)
    with pytest.raises(StoreLockedError) as refused:
        open_monitor_db(folder, wait=0.2)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_overlapping_restart_waits_for_the_old_daemon_to_leave(start: Start, folder: Path) -> None:
    holding(start, folder, 0.3)
    with closing(open_monitor_db(folder, wait=10)) as store:
        assert store.durable


def test_a_killed_daemon_leaves_the_folder_free(start: Start, folder: Path) -> None:
    process = holding(start, folder, 60)
    process.kill()
    process.wait()
    with closing(open_monitor_db(folder, wait=0)) as store:
        assert store.durable


def test_the_wait_ends_early_when_the_daemon_is_told_to_stop(store: MonitorDb, folder: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(StoreLockedError):
        open_monitor_db(folder, wait=60, pause=lambda _seconds: True)
    assert time.monotonic() - begun < 30


def test_the_wait_ends_in_time(store: MonitorDb, folder: Path) -> None:
    pauses: list[None] = []
    with pytest.raises(StoreLockedError, match=r"waited 0\.2s"):
        open_monitor_db(folder, wait=0.2, pause=lambda seconds: pauses.append(time.sleep(seconds)))
    assert 0 < len(pauses) <= 4


def test_a_closed_store_leaves_the_folder_free_and_takes_no_more_calls(store: MonitorDb, folder: Path) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.next_delivery("ops")
    with closing(open_monitor_db(folder, wait=0)) as second:
        assert second.durable


def test_a_refused_daemon_does_not_take_the_lock_along(store: MonitorDb, folder: Path) -> None:
    for _ in range(2):
        with pytest.raises(StoreLockedError):
            open_monitor_db(folder, wait=0)
    assert store.durable
