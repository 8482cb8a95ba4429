"""The real supervisord over the project's own supervisord.conf, in a private folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

CONF = Path(__file__).parents[2] / "supervisord.conf"
STEP = 0.05

T = TypeVar("T")


def wait_until(look: Callable[[], T], seconds: float = 20.0) -> T:
    """The first truthy answer of `look`. Raises TimeoutError with the last answer."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {seen!r} after {seconds:g} s")
        time.sleep(STEP)
    return seen


class Supervised:
    """One supervisord. `folder` is its working directory; the path must be short, for its socket lies there.

    pipe: its standard output, in place of a file that is read.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], pipe: int | None = None) -> None:
        conf = CONF.read_text(encoding="utf-8")
        assert "=/tmp/" in conf
        self.conf = folder / "supervisord.conf"
        self.conf.write_text(conf.replace("/tmp/", f"{folder}/"), encoding="utf-8")
        self.folder = folder
        self.bin = Path(sys.executable).parent
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        self.environment = {"PATH": path, "HOME": str(folder), **environment}
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            self.process = subprocess.Popen(
                [self.bin / "supervisord", "-c", self.conf],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout if pipe is None else pipe,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        """Stdout's complete lines, each of which must be JSON."""
        return [json.loads(line) for line in self.stdout.splitlines(keepends=True) if line.endswith("\n")]

    def control(self, *arguments: str) -> str:
        """What the real supervisorctl answers."""
        command = [self.bin / "supervisorctl", "-c", self.conf, *arguments]
        done = subprocess.run(command, capture_output=True, check=False, env=self.environment, text=True, timeout=20)
        return done.stdout

    def state(self, program: str) -> str:
        """RUNNING, EXITED, FATAL, …"""
        words = self.control("status", program).split()
        return words[1] if words[:1] == [program] else ""

    def pid(self, program: str) -> int:
        """0 while it does not run."""
        answer = self.control("pid", program).strip()
        return int(answer) if answer.isdigit() else 0

    def spawned(self, program: str) -> int:
        """How often it was started."""
        return self.stderr.count(f"spawned: '{program}'")

    def terminate(self) -> float:
        """SIGTERM; the seconds until everything has stopped."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - begun

    def close(self) -> None:
        """Leave nothing running, whatever the test came to; print what was said, for pytest to show where it failed."""
        if self.process.poll() is None:
            self.terminate()
        print(self.stdout)
        print(self.stderr)
