"""The benchmark of an inference loop beside the monitor: it runs without a GPU, says so, and judges its pairs."""

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PAIRED = runpy.run_path(str(BENCHMARKS / "paired.py"))
ratio: Callable[..., Any] = PAIRED["ratio"]


def test_it_runs_in_pairs_says_what_on_and_ends_with_the_verdict() -> None:
    command = [sys.executable, str(BENCHMARKS / "beside_gpu.py"), "--pairs", "2", "--seconds", "1.2"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=100)
    engine, figures = done.stdout.splitlines()
    assert "GPU" in engine or "CUDA" in engine
    found = re.search(r"of that alone, 95 % interval (\S+) to (\S+) of 2 pairs .* p99 of a step (\S+) ms", figures)
    assert found, figures
    assert float(found[1]) <= float(found[2])
    assert done.returncode == (0 if float(found[2]) >= 0.995 else 1), done.stderr


def test_without_pytorch_the_loop_says_how_to_get_it_and_convolves_all_the_same() -> None:
    loop = runpy.run_path(str(BENCHMARKS / "convolution.py"))["in_plain_python"]()
    assert (loop.device, "pip install torch" in loop.engine) == ("CPU", True)
    assert [len(row) for row in loop.convolve()] == [22] * 22


@pytest.mark.parametrize("lost", [0.0, 0.01])
def test_a_loss_that_is_the_same_in_every_pair_is_found_exactly(lost: float) -> None:
    pairs = [(rate * (1 - lost), rate) for rate in (90.0, 100.0, 120.0)]
    assert ratio(pairs) == pytest.approx((1 - lost, 1 - lost, 1 - lost))


def test_pairs_that_differ_widen_the_interval_around_their_mean_and_more_of_them_narrow_it() -> None:
    few = ratio([(90.0, 100.0), (100.0, 90.0)] * 5)
    many = ratio([(90.0, 100.0), (100.0, 90.0)] * 50)
    assert few.mean == pytest.approx(1)
    assert few.low < many.low < 1 < many.high < few.high


def test_the_p99_is_what_99_of_100_do_not_exceed() -> None:
    assert PAIRED["p99"](list(range(1, 101))) == 99
    assert PAIRED["p99"]([5.0]) == 5
