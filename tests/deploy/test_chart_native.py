"""The native sidecar's command: long enough to be seen by the kubelet, and never deaf to the end of the Pod."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support import helm
from support.chart_values import INFERENCE
from support.signals_caught import until_caught

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.endswith(("_TOKEN", "_FILE"))}


def sidecar() -> dict[str, Any]:
    values = {"mode": "native-sidecar", "inference": {"container": INFERENCE}}
    (container,) = helm.one("Deployment", values)["spec"]["template"]["spec"]["initContainers"]
    return dict(container)


def command() -> list[str]:
    """The chart's own, for the Python that runs the tests."""
    container = sidecar()
    program, *options = container["command"]
    assert program == "python"
    return [sys.executable, *options, *container["args"]]


def test_it_lives_three_seconds_and_is_then_the_same_program(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = subprocess.run(command(), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    same = subprocess.run(
        (sys.executable, "-m", "token_monitor"),
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert time.monotonic() - begun > 3
    assert (done.returncode, done.stdout, done.stderr) == (same.returncode, same.stdout, same.stderr)
    assert done.returncode == 2


def test_a_pod_that_ends_while_it_waits_ends_it_at_once(tmp_path: Path) -> None:
    with subprocess.Popen(command(), cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        try:
            until_caught(process.pid, signal.SIGTERM, 2.5)
            told = time.monotonic()
            process.terminate()
            assert process.wait(5) == 0
            assert time.monotonic() - told < 1
        finally:
            process.kill()
