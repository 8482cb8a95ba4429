"""What the image `bundled` runs: a stand-in for FaceFusion, and the monitor."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from attrs import frozen

from support.containers import Container

INFERENCE = """
import json, os, platform, sys, time
print(json.dumps({"python": platform.python_version(), "libc": platform.libc_ver()[1], "argv": sys.argv[1:],
                  "folder": os.getcwd(), "environment": dict(os.environ), "uid": os.getuid()}), flush=True)
while True:
    print("frame", time.monotonic(), flush=True)
    time.sleep(0.1)
"""


@frozen
class Beside:
    """An inference process and the monitor in one container."""

    container: Container

    @property
    def inference(self) -> int:
        return self.container.child("facefusion.py")

    @property
    def monitor(self) -> int:
        return self.container.child("bin/token-monitor run")

    def frames(self) -> list[float]:
        """When each was worked on, by the clock of this machine."""
        return [float(line.split()[1]) for line in self.container.said().err.splitlines() if line.startswith("frame ")]

    def hello(self) -> dict[str, Any]:
        """What the inference process says of where it finds itself when it starts."""
        found = [line for line in self.container.said().err.splitlines() if line.startswith('{"python"')]
        return dict(json.loads(found[0])) if found else {}

    def spawned(self, program: str) -> int:
        return self.container.said().err.count(f"spawned: '{program}'")

    def working(self) -> "Beside":
        """Wait until the monitor has alerted and the inference process has worked."""
        self.container.until(lambda: self.container.said().alerts() and len(self.frames()) > 5)
        return self

    def longest_pause(self) -> float:
        """Seconds between two frames."""
        return max(later - sooner for sooner, later in pairwise(self.frames()))


def mapped(pid: int) -> set[str]:
    """The files whose code a process can run."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "x" in line.split()[1] and "/" in line}
