"""What is published when, and what happens when it cannot be."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from token_monitor.core.secret import Secret
from token_monitor.publish import Target
from token_monitor.publisher import FilePublisher, Resolve


class Bench:
    def __init__(self, folder: Path, **more: Any) -> None:
        self.file = folder / "credential"
        self.status = folder / "status.json"
        self.secret = Secret("secret-one")
        self.state = "ok"
        self.publisher = FilePublisher(
            {"a": Target(self.file, **more)}, [Target(self.status, **more)], lambda: {"state": self.state}
        )

    def want(self) -> None:
        self.publisher.credential("a", self.secret)
        self.publisher.step()

    def begin(self, active: Resolve, *others: Resolve) -> None:
        self.publisher.begin("a", active, others)
        self.publisher.step()


def one() -> Secret:
    return Secret("secret-one")


def two() -> Secret:
    return Secret("secret-two")


def unreadable() -> Secret:
    raise ValueError("/run/secrets/t is empty")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def running(bench: Bench) -> Iterator[Bench]:
    thread = threading.Thread(target=bench.publisher.run)
    thread.start()
    yield bench
    bench.publisher.stop()
    thread.join(5)
    assert not thread.is_alive()


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_file_holds_the_credential_and_nothing_else(bench: Bench) -> None:
    bench.want()
    assert bench.file.read_bytes() == b"secret-one"


def test_a_file_that_is_as_it_should_be_is_left_alone(bench: Bench) -> None:
    bench.want()
    before = bench.file.stat()
    bench.want()
    assert bench.file.stat() == before


def test_another_credential_takes_the_place_of_the_first(bench: Bench) -> None:
    bench.want()
    bench.secret = Secret("secret-two")
    bench.want()
    assert bench.file.read_bytes() == b"secret-two"


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_text("x"), lambda file: file.chmod(0o666)])
def test_a_file_that_somebody_removed_or_changed_is_mended_by_the_next_poll(
    bench: Bench, spoil: Callable[[Path], object]
) -> None:
    bench.want()
    spoil(bench.file)
    bench.want()
    assert bench.file.read_bytes() == b"secret-one"
    assert bench.file.stat().st_mode & 0o777 == 0o640


def test_an_account_without_a_file_is_ignored(bench: Bench) -> None:
    assert bench.publisher.replace("b", Secret("another")) is None
    bench.publisher.step()
    assert not bench.file.exists()


def test_what_cannot_be_written_is_said_once_and_tried_again_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    bench = Bench(folder)
    with capture_logs() as logs:
        for _ in range(3):
            bench.want()
        folder.mkdir()
        bench.want()
        bench.want()
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("File not published, trying again", "error"),
        ("Active credential published", "info"),
        ("File published again", "info"),
    ]
    assert logs[0]["error"] == "No such file or directory"
    assert bench.file.read_bytes() == b"secret-one"


def test_a_group_that_does_not_exist_ends_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, group="nobody-has-it")
    with capture_logs() as logs:
        bench.want()
    assert logs[0]["error"] == "there is no group 'nobody-has-it'"
    assert list(tmp_path.iterdir()) == []


def test_at_the_start_what_is_configured_is_published_where_nothing_is(bench: Bench) -> None:
    bench.begin(one, two)
    assert bench.file.read_bytes() == b"secret-one"
    bench.file.write_bytes(b"")
    bench.begin(one, two)
    assert bench.file.read_bytes() == b"secret-one"


def test_at_the_start_a_credential_that_was_rotated_meanwhile_waits_until_the_provider_takes_it(bench: Bench) -> None:
    bench.file.write_bytes(b"what-the-provider-took")
    bench.begin(one, two)
    assert bench.file.read_bytes() == b"what-the-provider-took"
    bench.want()
    assert bench.file.read_bytes() == b"secret-one"


def test_at_the_start_another_credential_of_the_account_gives_way_to_the_active_one(bench: Bench) -> None:
    bench.file.write_bytes(b"secret-two")
    bench.begin(one, unreadable, two)
    assert bench.file.read_bytes() == b"secret-one"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_somebody_else_put_in_the_place_of_the_file_gives_way_at_the_start(
    bench: Bench, plant: Callable[[Path], object]
) -> None:
    plant(bench.file)
    bench.begin(one, two)
    assert not bench.file.is_symlink()
    assert bench.file.read_bytes() == b"secret-one"


def test_at_the_start_a_file_that_is_right_gets_the_mode_that_is_wanted(bench: Bench) -> None:
    bench.file.write_bytes(b"secret-one")
    bench.file.chmod(0o666)
    bench.begin(one, two)
    assert bench.file.stat().st_mode & 0o777 == 0o640


def test_a_credential_that_cannot_be_read_leaves_the_file_as_it_was(bench: Bench) -> None:
    bench.file.write_bytes(b"secret-two")
    with capture_logs() as logs:
        bench.begin(unreadable, two)
    assert logs[0]["error"] == "the credential /run/secrets/t is empty"
    assert bench.file.read_bytes() == b"secret-two"


def test_who_waits_returns_when_the_file_is_there(running: Bench) -> None:
    assert running.publisher.replace("a", running.secret) is None
    assert running.file.read_bytes() == b"secret-one"


def test_who_waits_is_told_what_keeps_the_credential_from_the_file_until_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    bench = Bench(folder)
    thread = threading.Thread(target=bench.publisher.run)
    thread.start()
    try:
        for _ in range(2):
            problem = bench.publisher.replace("a", bench.secret)
            assert problem == f"{bench.file} cannot be written: No such file or directory"
        folder.mkdir()
        assert bench.publisher.replace("a", bench.secret) is None
        assert bench.file.read_bytes() == b"secret-one"
    finally:
        bench.publisher.stop()
        thread.join(5)
    assert bench.publisher.replace("a", Secret("x")) == f"{bench.file} cannot be written: token-monitor is stopping"


def test_a_volume_that_hangs_holds_up_who_waits_for_two_seconds_and_no_longer(running: Bench) -> None:
    hangs, release = threading.Event(), threading.Event()

    def hang() -> Secret:
        hangs.set()
        release.wait(30)
        return running.secret

    running.publisher.begin("a", hang, ())
    assert hangs.wait(5)
    begun = time.monotonic()
    problem = running.publisher.replace("a", Secret("secret-two"))
    took = time.monotonic() - begun
    running.publisher.credential("a", running.secret)  # as the monitor does that stays with the old one
    release.set()
    assert 1.9 < took < 4
    assert problem == f"{running.file} could not be written within 2 s"
    assert running.publisher.replace("a", running.secret) is None
    assert running.file.read_bytes() == b"secret-one"


def test_the_status_is_written_when_something_changed_and_at_most_once_a_second(running: Bench) -> None:
    running.publisher.changed()
    eventually(running.status.exists)
    first = time.monotonic()
    running.state = "low"
    for _ in range(10):
        running.publisher.changed()
    eventually(lambda: json.loads(running.status.read_text()) == {"state": "low"})
    assert time.monotonic() - first > 0.8


def test_a_fault_in_the_description_ends_nothing(tmp_path: Path) -> None:
    def fault() -> dict[str, object]:
        raise KeyError("x")

    publisher = FilePublisher({"a": Target(tmp_path / "f")}, [Target(tmp_path / "status.json")], fault)
    publisher.changed()
    with capture_logs() as logs:
        publisher.step()
    assert [line["event"] for line in logs] == ["Internal error"]
    publisher.credential("a", Secret("secret-one"))
    publisher.step()
    assert (tmp_path / "f").read_bytes() == b"secret-one"
