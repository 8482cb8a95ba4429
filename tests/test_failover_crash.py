"""A switch of credentials that is cut short anywhere: file, store and memory agree again."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from support import switch_crash
from support.switch_crash import PACKAGE, Life, count_lines, secret_of

TESTS = Path(__file__).parent
STEPS = tuple(f"{PACKAGE}/{name}" for name in ("monitor.py", "failover.py", "search.py", "step.py", "core/failover.py"))


def crash(folder: Path, trials: int) -> dict[str, int]:
    """What the campaign of kills says."""
    seed = random.randrange(2**32)
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, switch_crash.__file__, str(folder), str(trials), str(seed)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    found: dict[str, int] = json.loads(done.stdout)
    assert found["trials"] == trials
    return found


def test_a_kill_at_any_line_of_a_switch_leaves_a_consistent_file_and_store(tmp_path: Path) -> None:
    assert crash(tmp_path, 25)["lines"] > 500


@pytest.mark.campaign
def test_200_kills_at_random_lines_of_a_switch(tmp_path: Path) -> None:
    found = crash(tmp_path, 200)
    assert found["switches"] > 5
    print(found)


class SurpriseError(RuntimeError):
    """At a line where nobody expects it."""


def interrupted(life: Life, at: int) -> bool:
    """Poll, with an exception out of the `at`-th line of the monitor; whether there was such a line."""
    last = 0

    def raise_there(number: int) -> None:
        nonlocal last
        last = number
        if number == at:
            raise SurpriseError

    armed = threading.Event()
    trace = count_lines(raise_there, armed)

    def only_steps(frame: FrameType, event: str, argument: object) -> Any:
        return trace(frame, event, argument) if frame.f_code.co_filename in STEPS else None

    armed.set()
    before = sys.gettrace()
    sys.settrace(only_steps)
    try:
        life.poll()
    except SurpriseError:
        # A trace strikes between the end of a block and the release of its lock, as nothing real can.
        if life.monitor._lock.locked():
            life.monitor._lock.release()
        life.monitor.crashed()
    finally:
        sys.settrace(before)
    return last >= at


def beyond_the_last(run: Callable[[int], bool]) -> int:
    """How many lines there are to be interrupted at."""
    at = 1
    while run(at):
        at *= 2
    return at


def test_a_fault_at_any_line_of_a_switch_is_mended_by_the_next_poll(tmp_path: Path) -> None:
    def run(at: int) -> bool:
        folder = tmp_path / f"{at}-{random.random()}"
        folder.mkdir()
        life = Life(folder, 1)
        life.start()
        try:
            came = interrupted(life, at)
            life.clock.advance(300)
            life.poll()
            life.clock.advance(300)
            life.poll()
            active = life.monitor.view().credential_label
            assert active == life.store.failovers()["facefusion"].label == "spare1", at
            assert life.file.read_text() == secret_of("spare1"), at
            said = [switch.target for switch in life.store.switches(10)]
            assert said in (["spare1"], ["spare1", "spare1"]), at  # twice, if it was stored and then forgotten
            return came
        finally:
            life.end()

    beyond = beyond_the_last(run)
    assert beyond > 64, beyond
    for at in random.sample(range(1, beyond), 40):
        run(at)
