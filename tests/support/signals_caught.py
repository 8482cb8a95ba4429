"""Which signals a process has said what to do with."""

import signal
import time
from pathlib import Path


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether it has a handler for the signal; False once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(int(line.split()[1], 16) >> (number - 1) & 1 for line in lines if line.startswith("SigCgt:"))


def until_caught(pid: int, number: signal.Signals, seconds: float) -> None:
    """Raises AssertionError if there is no handler after so many seconds."""
    deadline = time.monotonic() + seconds
    while not catches(pid, number):
        assert time.monotonic() < deadline, f"{number.name} is not handled after {seconds:g} s"
        time.sleep(0.01)
