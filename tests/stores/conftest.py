import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import Lines, Mount, Start
from token_monitor.stores.monitor_db import MonitorDb


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(lines: Lines, folder: Path) -> Iterator[MonitorDb]:
    with closing(lines.open(folder)) as made:
        yield made


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Calls mount(8); undone at the end."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    mounted: list[str] = []

    def run(*arguments: str) -> None:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine does not let root mount: {done.stderr.strip()}")
        mounted.append(arguments[-1])

    yield run
    for point in dict.fromkeys(mounted):
        subprocess.run(["umount", "--lazy", point], check=True)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Python processes with `code` and arguments; killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: object) -> "subprocess.Popen[str]":
        path = os.pathsep.join(entry for entry in sys.path if entry)
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
