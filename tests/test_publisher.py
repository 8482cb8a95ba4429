"""What is published when, and what happens when it cannot be."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from support.publishing import join_publisher, publisher_threads
from token_monitor.core.secret import Secret
from token_monitor.publish import Target, write_whole
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
        join_publisher()

    def begin(self, active: Resolve, *others: Resolve) -> None:
        self.publisher.begin("a", active, others)
        join_publisher()


def one() -> Secret:
    return Secret("secret-one")


def two() -> Secret:
    return Secret("secret-two")


def unreadable() -> Secret:
    raise ValueError("/run/secrets/t is empty")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.publisher.stop()
    join_publisher()


@contextmanager
def hanging(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Callable[[], None]]:
    """Meanwhile nothing is written on this volume. Gives what waits for a write that hangs."""
    hangs, release = threading.Semaphore(0), threading.Event()

    def write(target: Target, content: bytes) -> None:
        if target.path.parent == folder:
            hangs.release()
            release.wait(30)
        write_whole(target, content)

    def wait() -> None:
        assert hangs.acquire(timeout=5)

    monkeypatch.setattr("token_monitor.publisher.write_whole", write)
    try:
        yield wait
    finally:
        release.set()
        join_publisher()


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
    join_publisher()
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


def test_who_waits_returns_when_the_file_is_there(bench: Bench) -> None:
    assert bench.publisher.replace("a", bench.secret) is None
    assert bench.file.read_bytes() == b"secret-one"


def test_who_waits_is_told_what_keeps_the_credential_from_the_file_until_it_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    bench = Bench(folder)
    for _ in range(2):
        problem = bench.publisher.replace("a", bench.secret)
        assert problem == f"{bench.file} cannot be written: No such file or directory"
    folder.mkdir()
    assert bench.publisher.replace("a", bench.secret) is None
    assert bench.file.read_bytes() == b"secret-one"
    bench.publisher.stop()
    assert bench.publisher.replace("a", Secret("x")) == f"{bench.file} cannot be written: token-monitor is stopping"
    assert bench.file.read_bytes() == b"secret-one"


def test_a_volume_that_hangs_holds_up_who_waits_for_two_seconds_and_no_longer(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hanging(monkeypatch, bench.file.parent):
        begun = time.monotonic()
        problem = bench.publisher.replace("a", Secret("secret-two"))
        took = time.monotonic() - begun
        bench.publisher.credential("a", bench.secret)  # as the monitor does that stays with the old one
    assert 1.9 < took < 4
    assert problem == f"{bench.file} could not be written within 2 s"
    assert bench.file.read_bytes() == b"secret-one"


def test_a_volume_that_hangs_holds_up_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hung, good = tmp_path / "hung", tmp_path / "good"
    hung.mkdir()
    good.mkdir()
    credentials = {"a": Target(hung / "a"), "b": Target(good / "b")}
    publisher = FilePublisher(credentials, [Target(hung / "status.json"), Target(good / "status.json")], dict)
    with hanging(monkeypatch, hung) as until_it_hangs:
        publisher.credential("a", Secret("secret-one"))
        publisher.changed()
        until_it_hangs()
        until_it_hangs()
        assert publisher.replace("b", Secret("secret-two")) is None
        assert (good / "b").read_bytes() == b"secret-two"
        eventually((good / "status.json").exists)
    assert (hung / "a").read_bytes() == b"secret-one"


def test_a_credential_that_hangs_when_it_is_read_holds_up_no_other_account(tmp_path: Path) -> None:
    release = threading.Event()

    def hang() -> Secret:
        release.wait(30)
        return one()

    publisher = FilePublisher({name: Target(tmp_path / name) for name in "ab"}, [], dict)
    publisher.begin("a", hang, ())
    try:
        assert publisher.replace("b", two()) is None
    finally:
        release.set()
        join_publisher()
    assert (tmp_path / "a").read_bytes() == b"secret-one"


def test_a_volume_that_hangs_for_good_costs_one_thread_a_file_and_one_that_does_not_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.want()
    assert publisher_threads() == []
    with hanging(monkeypatch, bench.file.parent) as until_it_hangs:
        for number in range(50):
            bench.publisher.credential("a", Secret(f"secret-{number}"))
            bench.publisher.changed()
            if number == 0:
                until_it_hangs()
                until_it_hangs()
        assert len(publisher_threads()) == 2
    assert bench.file.read_bytes() == b"secret-49"


def test_who_waits_for_a_volume_that_hangs_is_released_by_the_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str | None] = []
    with hanging(monkeypatch, bench.file.parent) as until_it_hangs:
        waiting = threading.Thread(target=lambda: answers.append(bench.publisher.replace("a", bench.secret)))
        waiting.start()
        until_it_hangs()
        begun = time.monotonic()
        bench.publisher.stop()
        waiting.join(5)
        assert time.monotonic() - begun < 1
    assert answers == [f"{bench.file} cannot be written: token-monitor is stopping"]


def test_without_a_thread_to_spare_the_file_is_written_when_it_is_wanted_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as scarce:
        scarce.setattr(threading.Thread, "start", refuse)
        problem = bench.publisher.replace("a", bench.secret)
    assert problem == f"{bench.file} cannot be written: the system has no thread to spare"
    bench.want()
    assert bench.file.read_bytes() == b"secret-one"


def test_the_status_is_written_when_something_changed_and_at_most_once_a_second(bench: Bench) -> None:
    bench.publisher.changed()
    eventually(bench.status.exists)
    first = time.monotonic()
    bench.state = "low"
    for _ in range(10):
        bench.publisher.changed()
    eventually(lambda: json.loads(bench.status.read_text()) == {"state": "low"})
    assert time.monotonic() - first > 0.8


def test_a_fault_in_the_description_ends_nothing(tmp_path: Path) -> None:
    def fault() -> dict[str, object]:
        raise KeyError("x")

    publisher = FilePublisher({"a": Target(tmp_path / "f")}, [Target(tmp_path / "status.json")], fault)
    with capture_logs() as logs:
        publisher.changed()
        join_publisher()
    assert [line["event"] for line in logs] == ["Internal error"]
    publisher.credential("a", Secret("secret-one"))
    join_publisher()
    assert (tmp_path / "f").read_bytes() == b"secret-one"
