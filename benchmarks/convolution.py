"""An inference loop to measure: one step is as many convolutions as take about 10 ms here, then waiting for them.

On a GPU with PyTorch; on one CPU core where no GPU is at hand, because that is what a loop that feeds a GPU keeps busy;
in plain Python where PyTorch is not installed. Says in one JSON line what it runs on. Then, for each line of standard
input, a number of seconds, it runs for so long and prints the seconds that each step took, as one JSON line.
"""

import importlib.util
import json
import random
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

STEP = 0.010
WARM_UP = 2.0


class Loop(NamedTuple):
    """device: CUDA or CPU. engine: for people. convolve: begins one; finish: waits for all that were begun."""

    device: str
    engine: str
    convolve: Callable[[], object]
    finish: Callable[[], object]


def with_torch() -> Loop:
    import torch

    torch.inference_mode().__enter__()
    if torch.cuda.is_available():
        name, version = torch.cuda.get_device_name(), torch.version.cuda
        layer, frames = torch.nn.Conv2d(64, 64, 3, padding=1).cuda(), torch.randn(8, 64, 128, 128).cuda()
        engine = f"PyTorch {torch.__version__} with CUDA {version} on {name}"
        return Loop("CUDA", engine, lambda: layer(frames), torch.cuda.synchronize)
    torch.set_num_threads(1)
    layer, frames = torch.nn.Conv2d(16, 16, 3, padding=1), torch.randn(1, 16, 96, 96)
    engine = f"no GPU at hand: PyTorch {torch.__version__} on one CPU core"
    return Loop("CPU", engine, lambda: layer(frames), lambda: None)


def in_plain_python() -> Loop:
    size, kernel = 24, [[random.random() for _ in range(3)] for _ in range(3)]
    frame = [[random.random() for _ in range(size)] for _ in range(size)]

    def convolve() -> object:
        inner = range(size - 2)
        return [
            [sum(kernel[y][x] * frame[top + y][left + x] for y in range(3) for x in range(3)) for left in inner]
            for top in inner
        ]

    engine = "no PyTorch here (pip install torch), hence no GPU: plain Python on one CPU core"
    return Loop("CPU", engine, convolve, lambda: None)


def steps(loop: Loop, convolutions: int, seconds: float) -> list[float]:
    """How long each step took."""
    took = []
    began = now = time.perf_counter()
    while now - began < seconds:
        for _ in range(convolutions):
            loop.convolve()
        loop.finish()
        before, now = now, time.perf_counter()
        took.append(now - before)
    return took


def main() -> None:
    loop = with_torch() if importlib.util.find_spec("torch") else in_plain_python()
    many = 10
    steps(loop, many, WARM_UP / 2)
    many = max(1, round(many * STEP / min(steps(loop, many, WARM_UP / 2))))
    print(json.dumps({"device": loop.device, "engine": f"{loop.engine}, {many} convolutions a step"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(steps(loop, many, float(line))), flush=True)


if __name__ == "__main__":
    main()
