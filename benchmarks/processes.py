"""The daemon and its rival as processes, and what the kernel says of them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent


def rss_kib(pid: int) -> int:
    """Resident memory, KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(pid)


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads so far, to the nanosecond (`stat` counts in hundredths)."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


@contextmanager
def daemon(
    settings: Mapping[str, str], *arguments: str, stdout: int = subprocess.DEVNULL
) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m token_monitor` with these variables and no others of its own, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "FACEFUSION_API_TOKEN": "benchmark",
            "TOKEN_MONITOR_DATA": f"{folder}/data",
            "TOKEN_MONITOR_LISTEN": "127.0.0.1:0",
            **settings,
        }
        command = [sys.executable, *(arguments or ("-m", "token_monitor"))]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stdout)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def bare(url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The script everybody writes first."""
    process = subprocess.Popen([sys.executable, str(HERE / "bare_poller.py"), url], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def warm_up_bytecode() -> None:
    """One start nobody counts, so that no figure holds the compiling of modules."""
    subprocess.run([sys.executable, "-m", "token_monitor", "--version"], check=True, stdout=subprocess.DEVNULL)
    package = find_spec("token_monitor")  # which need not be the one beside us
    assert package is not None
    subprocess.run([sys.executable, "-m", "compileall", "-q", *(package.submodule_search_locations or ())], check=True)


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def until(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
