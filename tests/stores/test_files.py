"""The database as files: what they let others see, what is refused, what is set aside."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import BALANCE, Lines, drain, in_episode, message, owed, owing, rows
from token_monitor.core.ports import Change
from token_monitor.stores.errors import StoreError
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db


def test_only_the_owner_can_read_the_folder_and_its_files(store: MonitorDb, folder: Path) -> None:
    store.commit(owing(message("e1-1")), 1.0)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes(folder).values()) == {0o600}


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def test_no_file_is_mapped_into_memory_where_a_vanished_volume_would_kill_the_daemon(folder: Path) -> None:
    for second in (1.0, 2.0):
        with closing(open_monitor_db(folder)) as store:
            store.commit(Change("facefusion"), second)
            assert set(modes(folder)) == {"monitor.db", "monitor.db-wal", "monitor.lock"}


def test_a_folder_that_exists_keeps_its_permissions(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    open_monitor_db(folder).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_store_closed_and_opened_again_knows_everything(folder: Path) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.adopt(["ops"], 1.0)
        store.commit(Change("facefusion", {BALANCE: in_episode("e1")}, 2, [(message("e1-1"), ["ops"])]), 5.0)
        store.hold("ops", 99.0)
        before = owed(store)
    with closing(open_monitor_db(folder)) as store:
        assert store.subjects() == {BALANCE: in_episode("e1")}
        assert store.failures() == {"facefusion": 2}
        assert (store.steady(), store.held_until("ops")) == (5.0, 99.0)
        assert owed(store) == before


def test_an_attempt_that_a_crash_cut_off_is_made_again_and_counts_as_told(folder: Path) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e1-1")), 1.0)
        store.begin(owed(store), 2.0)
    with closing(open_monitor_db(folder)) as store:
        assert drain(store) == ["e1-1"]
    assert rows(folder, "SELECT fate, ambiguous FROM outbox") == [("sent", 1)]


def test_a_database_of_a_newer_version_is_refused_in_one_line_and_left_alone(folder: Path) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e1-1")), 1.0)
    with closing(sqlite3.connect(folder / "monitor.db")) as db:
        db.execute("PRAGMA user_version = 99")
    for _ in range(2):
        with pytest.raises(StoreError, match="version 99") as refused:
            open_monitor_db(folder, wait=0)
        assert "\n" not in str(refused.value)
    assert rows(folder, "SELECT count(*) FROM outbox") == [(1,)]


def spoil_header(file: Path) -> None:
    file.write_bytes(b"not a database, " * 1000)


def spoil_pages(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize("spoil", [spoil_header, spoil_pages, cut])
def test_a_damaged_file_is_set_aside_with_a_line_and_a_new_one_begun(
    folder: Path, lines: Lines, spoil: Callable[[Path], None]
) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e1-1")), 1.0)
    spoil(folder / "monitor.db")
    damaged = (folder / "monitor.db").read_bytes()
    with closing(lines.open(folder)) as store:
        assert store.durable
        store.commit(owing(message("e2-1")), 2.0)
        assert drain(store) == ["e2-1"]
    (line,) = lines.trouble
    (aside,) = folder.glob("monitor.db.corrupt-*Z")
    assert aside.name in line
    assert "\n" not in line
    assert aside.read_bytes() == damaged
    with closing(lines.open(folder)) as store:
        assert len(lines.trouble) == 1


def test_the_log_of_a_damaged_file_never_joins_the_new_one(folder: Path, lines: Lines) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e1-1")), 1.0)
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e2-1")), 2.0)
        log = (folder / "monitor.db-wal").read_bytes()
    spoil_pages(folder / "monitor.db")
    (folder / "monitor.db-wal").write_bytes(log)
    with closing(lines.open(folder)) as store:
        assert (store.durable, store.next_delivery("ops")) == (True, None)
        assert len(lines.trouble) == 1
    assert rows(folder, "SELECT count(*) FROM outbox") == [(0,)]


def test_a_row_that_cannot_be_read_is_given_up_with_a_line_and_blocks_nothing(folder: Path, lines: Lines) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("e1-1"), message("e1-2")), 1.0)
        store.commit(Change("facefusion", {BALANCE: in_episode("e1")}), 1.0)
    with closing(sqlite3.connect(folder / "monitor.db")) as db, db:
        db.execute("UPDATE outbox SET message = '{}' WHERE alert_id = 'e1-1'")
        db.execute("UPDATE subject SET state = '[]'")
    with closing(lines.open(folder)) as store:
        assert drain(store) == ["e1-2"]
        assert store.backlogs()["ops"].dead == 1
        assert store.subjects() == {}
    assert len(lines.trouble) == 2


def test_ten_thousand_pending_deliveries_do_not_slow_the_next_one(store: MonitorDb) -> None:
    for number in range(8):
        ids = [f"{number}x{other}" for other in range(1000)]
        store.commit(owing(*(message(f"{each}-1", subject=f"{each}/balance") for each in ids)), 1.0)
    store.commit(owing(*(message(f"e-{number}", subject="one/balance") for number in range(2000))), 1.0)
    assert store.backlogs()["ops"].pending == 10000
    assert steps_of(store, lambda: deliver_one(store)) < 1000, "a scan would take tens of thousands"


def deliver_one(store: MonitorDb) -> None:
    delivery = owed(store)
    store.begin(delivery, 2.0)
    store.sent(delivery, 2.0)


def steps_of(store: MonitorDb, call: Callable[[], object]) -> int:
    """How many instructions SQLite's machine runs in `call`, in hundreds rounded down."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 100
        return 0

    connection = store._database._connection
    assert connection is not None
    connection.set_progress_handler(step, 100)
    call()
    connection.set_progress_handler(None, 100)
    return steps
