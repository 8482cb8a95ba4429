"""The file fails: watching and alerting go on in memory, and the file takes over again when it can."""

import json
import os
import shutil
from contextlib import closing
from pathlib import Path

from support.stored import (
    BALANCE,
    Lines,
    Mount,
    Start,
    answer,
    block,
    drain,
    in_episode,
    message,
    names,
    owed,
    owing,
    rows,
    unblock,
)
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.ports import Change
from token_monitor.core.words import Reason
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db


def row_of(store: MonitorDb) -> int:
    return owed(store).row


def test_a_store_asked_to_be_in_memory_says_nothing_and_is_not_durable(lines: Lines) -> None:
    with closing(lines.open(None)) as store:
        assert not store.durable
        assert not store.heal()
    assert lines == Lines()


def test_a_healthy_store_has_nothing_to_heal(store: MonitorDb, lines: Lines) -> None:
    assert store.heal()
    assert store.durable
    assert lines == Lines()


def test_a_folder_that_cannot_be_used_is_one_line_and_the_state_moves_in_when_it_can(
    folder: Path, lines: Lines
) -> None:
    block(folder)
    with closing(lines.open(folder)) as store:
        store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 1, [(message("e1-1"), ["ops"])]), 1.0)
        assert not store.heal()
        assert not store.durable
        (line,) = lines.trouble
        assert str(folder) in line
        assert "\n" not in line
        row = row_of(store)
        unblock(folder)
        assert store.heal()
        assert store.heal()
        assert (store.durable, row_of(store), len(lines.trouble), len(lines.recovery)) == (True, row, 1, 1)
    with closing(lines.open(folder)) as store:
        assert store.subjects() == {BALANCE: in_episode("e1")}
        assert drain(store) == ["e1-1"]


def test_a_disk_that_fills_up_costs_no_state_and_no_alert(folder: Path, lines: Lines, mount: Mount) -> None:
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder))
    with closing(lines.open(folder)) as store:
        store.commit(owing(message("first-1", subject="first/balance")), 1.0)
        early = owed(store)
        (folder / "ballast").write_bytes(b"x" * (free(folder) - 65536))
        raised = fill(store)
        assert [len(lines.trouble), lines.recovery] == [1, []]
        assert "full" in lines.trouble[0]
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        assert not any(store.heal() for _ in range(5)), "the disk is still full"
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        store.begin(early, 3.0)
        store.sent(early, 3.0)
        (folder / "ballast").unlink()
        assert store.heal()
        assert (store.durable, len(lines.trouble), len(lines.recovery)) == (True, 1, 1)
        store.commit(owing(message("last-1", subject="last/balance")), 4.0)
    assert {file.name for file in folder.iterdir()} == {"monitor.db", "monitor.lock"}
    assert rows(folder, "SELECT count(*) FROM outbox WHERE fate = 'sent'") == [(1,)]
    with closing(lines.open(folder)) as store:
        assert drain(store) == [*raised, "last-1"]


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(store: MonitorDb) -> list[str]:
    """Raise messages until the file has failed, and some more."""
    raised = []
    for number in range(1000):
        raised.append(f"{number}-1")
        store.commit(owing(message(raised[-1], subject=f"{number}/balance")), 2.0)
        if not store.durable and number % 10 == 9:
            return raised
    raise AssertionError("the disk never filled up")


LIMITED = """
import json, resource, sys
from pathlib import Path
from support.stored import *
lines = Lines()
store = lines.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
raised = []
while store.durable or len(raised) % 10:
    raised.append(f"{len(raised)}-1")
    store.commit(owing(message(raised[-1], subject=f"{len(raised)}/balance")), 1.0)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
still = store.heal()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
healed = store.heal()
store.close()
print(json.dumps([raised, still, healed, len(lines.trouble), len(lines.recovery)]))
"""


def test_an_io_error_while_writing_costs_no_state_and_no_alert(folder: Path, start: Start) -> None:
    raised, still, healed, trouble, recovery = json.loads(answer(start(LIMITED, folder)))
    assert (still, healed, trouble, recovery) == (False, True, 1, 1)
    with closing(open_monitor_db(folder)) as store:
        assert drain(store) == raised


def test_a_read_only_volume_still_gives_the_state_that_a_crash_left_there(
    folder: Path, lines: Lines, mount: Mount, start: Start
) -> None:
    leave_by_crash(start, folder)
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,bind,ro", str(folder))
    with closing(lines.open(folder)) as store:
        assert not store.durable
        assert len(lines.trouble) == 1
        assert names([owed(store)]) == ["crashed-1"]
        store.commit(owing(message("new-1", subject="new/balance")), 2.0)
        assert not store.heal()
        mount("-o", "remount,bind,rw", str(folder))
        assert store.heal()
    with closing(lines.open(folder)) as store:
        assert drain(store) == ["crashed-1", "new-1"]


CRASH = """
import os, sys
from pathlib import Path
from support.stored import *
store = open_monitor_db(Path(sys.argv[1]))
store.commit(owing(message("crashed-1", subject="crashed/balance")), 1.0)
os.kill(os.getpid(), 9)
"""


def leave_by_crash(start: Start, folder: Path) -> None:
    start(CRASH, folder).wait()
    assert (folder / "monitor.db-wal").stat().st_size > 0


def test_what_a_folder_that_came_late_holds_is_joined_and_leaves_first(folder: Path, lines: Lines) -> None:
    with closing(lines.open(folder)) as store:
        store.commit(Change("old", {BALANCE: in_episode("old")}, 3), 900.0)
        store.commit(owing(message("old-1"), message("old-2", Reason.ESCALATED)), 900.0)
        store.begin(owed(store), 901.0)
        store.hold("ops", 950.0)
    block(folder)
    with closing(lines.open(folder)) as store:
        store.commit(owing(message("new-1"), message("other-1", subject="other/balance")), 800.0)
        on_its_way = owed(store)
        store.begin(on_its_way, 801.0)
        unblock(folder)
        assert store.heal()
        store.sent(on_its_way, 802.0)
        assert (store.subjects(), store.failures(), store.steady()) == (
            {BALANCE: in_episode("old")},
            {"old": 3},
            901.0,
        )
        assert store.held_until("ops") == 950.0
        assert drain(store) == ["other-1", "old-1", "old-2"], "never attempted first, then the oldest of its subject"


def test_a_removed_file_is_noticed_and_written_anew(store: MonitorDb, folder: Path, lines: Lines) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    row = row_of(store)
    shutil.rmtree(folder)
    assert store.heal()
    assert (len(lines.trouble), len(lines.recovery), row_of(store)) == (1, 1, row)
    store.close()
    assert rows(folder, "SELECT alert_id FROM outbox") == [("e1-1",)]


def test_the_file_stays_untouched_while_another_daemon_holds_the_folder(
    store: MonitorDb, folder: Path, lines: Lines
) -> None:
    block(folder)
    store.heal()
    store.commit(owing(message("mine-1")), 1.0)
    unblock(folder)
    away = folder.with_name("elsewhere")
    folder.rename(away)
    with closing(open_monitor_db(folder)) as other:
        other.commit(owing(message("theirs-1")), 1.0)
        assert not store.heal()
        assert drain(other) == ["theirs-1"]
        assert not store.durable
    assert lines.recovery == []


def test_a_damaged_file_found_on_the_way_back_is_set_aside(store: MonitorDb, folder: Path, lines: Lines) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    block(folder)
    store.heal()
    unblock(folder)
    (folder / "monitor.db").write_bytes(b"garbage " * 1000)
    (folder / "monitor.db-wal").unlink()
    assert store.heal()
    assert len(list(folder.glob("monitor.db.corrupt-*"))) == 1
    assert drain(store) == ["e1-1"]


def test_pages_that_rot_while_the_daemon_runs_cost_it_the_file_but_not_its_life(folder: Path, lines: Lines) -> None:
    with closing(lines.open(folder)) as store:
        store.commit(owing(*(message(f"{n}-1", subject=f"{n}/balance") for n in range(5000))), 1.0)
    with closing(lines.open(folder)) as store:
        with (folder / "monitor.db").open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        for number in range(50):
            store.commit(owing(message(f"later{number}-1", subject=f"later{number}/balance")), 2.0)
        assert not store.durable
        store.commit(owing(message("17-2", Reason.RECOVERED, "17/balance")), 2.5)
        sent = drain(store)
        assert {f"later{number}-1" for number in range(50)} <= set(sent)
        assert "17-2" in sent, "the file that knows that 17-1 went out cannot be read: rather an end too many"
        assert store.heal()
        store.commit(owing(message("healed-1")), 3.0)
    assert rows(folder, "SELECT count(*) FROM outbox WHERE alert_id = 'healed-1'") == [(1,)]


def test_an_acknowledgement_never_settles_another_alert_that_got_its_number(folder: Path, lines: Lines) -> None:
    with closing(lines.open(folder)) as store:
        store.commit(owing(message("before-1")), 1.0)
        before = owed(store)
    with closing(lines.open(None)) as store:
        store.commit(owing(message("after-1")), 1.0)
        assert row_of(store) == before.row
        store.begin(before, 2.0)
        store.sent(before, 2.0)
        store.bury(before, ChannelError(Scope.MESSAGE, "HTTP 400"), "refused", 2.0)
        assert drain(store) == ["after-1"]
