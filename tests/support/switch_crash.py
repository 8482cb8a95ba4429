"""Ends a switch of credentials at a random line of the package, again and again, and looks at what is left.

python switch_crash.py FOLDER TRIALS SEED: one process that forks a child for each trial; all work on one data folder.
Prints one line: trials, switches completed, kills that fell between the file and the transaction.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, Final

import structlog
from attrs import evolve

import token_monitor
from support.clock import FakeClock
from support.publishing import join_publisher
from support.watching import CountingTelemetry, make_watch, make_world, reading
from token_monitor.core.failover import FailoverRule
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.monitor import AccountMonitor
from token_monitor.publish import Target
from token_monitor.publisher import FilePublisher
from token_monitor.stores.monitor_db import open_monitor_db

LABELS: Final = ("primary", "spare1", "spare2")
PACKAGE: Final = str(Path(token_monitor.__file__).parent)


class OnlyOneFails:
    """The credential that is in use when it is made has nothing left; the others have."""

    quantities = ("balance",)
    host = "provider.test"

    def __init__(self, failing: str) -> None:
        self._failing = failing

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        return [reading(0 if credential.reveal() == secret_of(self._failing) else 100)]


def secret_of(label: str) -> str:
    return f"secret-of-{label}-" + "x" * 3000


class Life:
    """One life of a daemon, as far as this account goes."""

    def __init__(self, folder: Path, turn: int) -> None:
        self.store = open_monitor_db(folder / "data", wait=0)
        self.file = folder / "credential"
        self.publisher = FilePublisher({"facefusion": Target(self.file)}, [Target(folder / "status.json")], dict)
        known = self.store.failovers().get("facefusion")
        self.label = known.label if known else "primary"
        self.clock = FakeClock()
        self.clock.advance(turn * 3600.0)
        world = evolve(make_world(self.clock, self.store, CountingTelemetry()), publisher=self.publisher)
        resolve = {label: (lambda label=label: Secret(secret_of(label))) for label in LABELS}
        watch = make_watch(
            OnlyOneFails(self.label),
            resolve=resolve.pop("primary"),
            spares=resolve,
            failover=FailoverRule("balance"),
            channels=("ops",),
            cooldown=0.0,
        )
        self.monitor = AccountMonitor(watch, world, self.store.subjects(), 0, known)

    def start(self) -> None:
        """Returns when what the store remembers is published."""
        self.monitor.start()
        deadline = time.monotonic() + 10
        while not self.file.exists() or self.file.read_text() != secret_of(self.label):
            assert time.monotonic() < deadline, "a start publishes what the store remembers"
            time.sleep(0.001)

    def poll(self) -> None:
        self.monitor.settle(self.monitor.fetch(scheduled=True))

    def end(self) -> None:
        self.publisher.stop()
        join_publisher()
        self.store.close()


def count_lines(then: Callable[[int], None], armed: threading.Event) -> Any:
    """A trace function that calls `then` with the number of each line of the package that runs, in any thread."""
    passed = [0]

    def local(_frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line" and armed.is_set():
            passed[0] += 1
            then(passed[0])
        return local

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        return local if frame.f_code.co_filename.startswith(PACKAGE) else None

    return trace


def switch(folder: Path, turn: int, then: Callable[[int], None]) -> None:
    """A whole life with one switch in it."""
    armed = threading.Event()
    trace = count_lines(then, armed)
    threading.settrace(trace)
    life = Life(folder, turn)
    life.start()
    armed.set()
    sys.settrace(trace)
    life.poll()
    armed.clear()


def in_a_child(work: Callable[[], None]) -> int:
    """The wait status of a child that does `work`."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def inspect(folder: Path) -> tuple[int, bool]:
    """How many switches there were, and whether the file is ahead of the store. Raises AssertionError."""
    with closing(sqlite3.connect(folder / "data" / "monitor.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        audit = db.execute("SELECT from_label, to_label, dry_run FROM switch ORDER BY row").fetchall()
        states = [json.loads(text) for (text,) in db.execute("SELECT state FROM failover")]
        open_labels = {label for (label,) in db.execute("SELECT label FROM subject WHERE episode IS NOT NULL")}
        alerts = db.execute("SELECT message FROM outbox ORDER BY row").fetchall()
    label = states[0]["label"] if states else "primary"
    path = ["primary", *(to for _, to, _ in audit)]
    assert [begun for begun, _, _ in audit] == path[:-1], "the audit is a chain"
    assert path[-1] == label, "the audit ends where the account stands"
    assert open_labels <= {label}, "no episode of a credential that was left is open"
    told = [json.loads(text)["alert"] for (text,) in alerts]
    said = [alert["switch"]["target"] for alert in told if alert.get("switch")]
    assert said == path[1:], "every switch is owed to the channel, once"
    reasons = Counter(alert["reason"] for alert in told)
    assert reasons["recovered"] == 0
    assert reasons["credential_switched"] == len(audit)
    published = (folder / "credential").read_text()
    whose = [each for each in LABELS if published == secret_of(each)]
    assert len(whose) == 1, f"the file is whole: {published[:40]!r}"
    return len(audit), whose != [label]


def restart(folder: Path, turn: int) -> None:
    life = Life(folder, turn)
    life.start()
    assert life.publisher.replace("facefusion", Secret(secret_of(life.label))) is None  # returns when it is written
    assert not (folder / ".credential.draft").exists()
    life.end()


def lines_of_a_switch(folder: Path) -> int:
    most = folder / "lines"

    def work() -> None:
        last = [0]

        def then(number: int) -> None:
            last[0] = number

        switch(folder, 0, then)
        most.write_text(str(last[0]))

    assert in_a_child(work) == 0
    return int(most.read_text())


def one_trial(folder: Path, turn: int, at: int) -> bool:
    """Kill at line `at`, look, restart, look again; whether the file was ahead of the store in between."""
    status = in_a_child(lambda: switch(folder, turn, lambda number: kill_self() if number >= at else None))
    assert status in (0, signal.SIGKILL), status
    _, ahead = inspect(folder)
    assert in_a_child(lambda: restart(folder, turn)) == 0
    assert not inspect(folder)[1]
    return ahead


def main(folder: Path, trials: int, seed: int) -> None:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    luck = random.Random(seed)
    rehearsal = folder / "rehearsal"
    rehearsal.mkdir()
    lines = lines_of_a_switch(rehearsal)
    work = folder / "work"
    work.mkdir()
    ahead = 0
    for turn in range(1, trials + 1):
        ahead += one_trial(work, turn, luck.randint(1, lines + lines // 10))
    switches, _ = inspect(work)
    print(json.dumps({"trials": trials, "lines": lines, "switches": switches, "file_ahead": ahead}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
