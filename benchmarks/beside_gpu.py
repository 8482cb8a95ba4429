"""What an inference loop loses to the monitor beside it. Target: the interval of the throughput ratio reaches 0.995.

The loop runs in pairs, once with and once without the monitor, in random order, in a process that never ends. The
monitor polls every second and is scraped every second; provider and scraper run only while it does, so that what they
take counts against it too. Nothing is pinned. Without a GPU it runs on the CPU and says so.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paired import p99, ratio
from processes import daemon, free_port, warm_up_bytecode
from servers import Server, balance

TARGET = 0.995
SETTLE = 0.5
DISCARDED = 0.05


class Loop:
    """The inference loop in its own process."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).parent / "convolution.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = self._answer()
        self.device, self.engine = told["device"], told["engine"]

    def run(self, seconds: float) -> list[float]:
        """Seconds of each step, less the first ones."""
        assert self._process.stdin is not None
        print(seconds, file=self._process.stdin, flush=True)
        steps = self._answer()
        return steps[int(DISCARDED * len(steps)) :]

    def end(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def _answer(self):
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the loop has ended"
        return json.loads(line)


class Scraper:
    """Reads /metrics every second. `scraped`: how often that worked."""

    def __init__(self, url: str) -> None:
        self.scraped = 0
        self._url = url
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.wait(1 if self.scraped else 0.05):
            with suppress(urllib.error.URLError), urllib.request.urlopen(self._url, timeout=5) as answer:
                self.scraped += b"token_monitor_balance" in answer.read()

    def end(self) -> None:
        self._end.set()
        self._thread.join()


class Provider:
    """Answers with a balance. `polls`: how often it was asked."""

    def __init__(self) -> None:
        self.polls = 0
        self.endpoint = Server(self._answer).url + "/v1/balance"

    def _answer(self, _path: str, _body: bytes) -> bytes:
        self.polls += 1
        return balance(100)


@contextmanager
def monitor(provider: Provider) -> Iterator[None]:
    """The monitor at work, past its start. Raises AssertionError at the end if it did not go on polling and serving."""
    address = f"127.0.0.1:{free_port()}"
    settings = {"BALANCE_CHECK_ENDPOINT": provider.endpoint, "CHECK_INTERVAL": "1", "TOKEN_MONITOR_LISTEN": address}
    with daemon(settings):
        scraper = Scraper(f"http://{address}/metrics")
        try:
            deadline = time.monotonic() + 20
            while not scraper.scraped:
                assert time.monotonic() < deadline, "it does not start"
                time.sleep(0.02)
            time.sleep(SETTLE)
            polls, scraped, began = provider.polls, scraper.scraped, time.monotonic()
            yield
            expected = int((time.monotonic() - began) / 1.1) - 1
            assert provider.polls - polls >= expected, "it did not poll every second"
            assert scraper.scraped - scraped >= expected, "it was not scraped every second"
        finally:
            scraper.end()


def measure(loop: Loop, pairs: int, seconds: float) -> tuple[list[list[float]], list[list[float]]]:
    """The steps of each run with the monitor, and without it."""
    provider, beside, alone = Provider(), [], []
    orders = [pair % 2 == 0 for pair in range(pairs)]
    random.shuffle(orders)
    for first in orders:
        for accompanied in (first, not first):
            if accompanied:
                with monitor(provider):
                    beside.append(loop.run(seconds))
            else:
                time.sleep(SETTLE)
                alone.append(loop.run(seconds))
    return beside, alone


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3, help="of each of the two runs of a pair")
    given = parser.parse_args()
    warm_up_bytecode()
    loop = Loop()
    print(loop.engine, flush=True)
    try:
        beside, alone = measure(loop, given.pairs, given.seconds)
    finally:
        loop.end()
    rates = [(len(one) / sum(one), len(other) / sum(other)) for one, other in zip(beside, alone, strict=True)]
    found = ratio(rates)
    slow, slow_alone = (1000 * p99([step for run in runs for step in run]) for runs in (beside, alone))
    print(
        f"throughput of a {loop.device} loop beside the monitor: {found.mean:.4f} of that alone, 95 % interval"
        f" {found.low:.4f} to {found.high:.4f} of {given.pairs} pairs (to reach {TARGET}),"
        f" p99 of a step {slow:.2f} ms, alone {slow_alone:.2f} ms"
    )
    return found.high >= TARGET


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
