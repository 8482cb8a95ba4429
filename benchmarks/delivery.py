"""Sustained delivery of one channel, a webhook, to a receiver in a process of its own, from a durable store (a file).

Target: 200 alerts a second, of the worker alone and of the real daemon that finds all of them pending.
"""

import argparse
import json
import logging
import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog
from processes import daemon, warm_up_bytecode
from servers import Server, Stamps

from token_monitor.channels.webhook import Webhook, WebhookChannel
from token_monitor.clock import SteadyClock
from token_monitor.core.alert import Alert
from token_monitor.core.message import Message
from token_monitor.core.ports import Change
from token_monitor.core.url import Url
from token_monitor.core.words import Kind, Reason, State
from token_monitor.delivery import ChannelWorker
from token_monitor.http import RequestsClient
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

CHANNEL = "hook"
SUBJECTS = 100
TARGET = 200


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=5000)
    wanted = parser.parse_args().alerts
    warm_up_bytecode()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    alone, shares = worker_alone(wanted)
    print(f"{wanted} pending alerts, worker alone: {alone:.0f} alerts/s (>= {TARGET}); {shares}")
    whole = real_daemon(wanted)
    print(f"{wanted} pending alerts, the daemon, first to last arrival: {whole:.0f} alerts/s (>= {TARGET})")
    return min(alone, whole) >= TARGET


def worker_alone(wanted: int) -> tuple[float, str]:
    """Alerts a second, and where the time went."""
    spent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, receiver() as (url, arrived):
        store = filled(Path(folder), wanted)
        clock = SteadyClock(store.steady())
        channel = WebhookChannel(Webhook(Url(url)), RequestsClient(), clock)
        timed(channel, ["send"], "HTTP", spent)
        timed(store, ["next_delivery", "begin", "sent"], "store", spent)
        worker = ChannelWorker(CHANNEL, channel, store, Silent(), clock)
        begun = time.monotonic()
        while worker.step() is not None:
            pass
        seconds = time.monotonic() - begun
        assert len(arrived(wanted)) == wanted
        store.close()
    shares = ", ".join(f"{name} {100 * took / seconds:.0f} %" for name, took in spent.most_common())
    return wanted / seconds, f"of its time: {shares}"


def real_daemon(wanted: int) -> float:
    """Alerts a second, from the first to arrive to the last."""
    with tempfile.TemporaryDirectory() as folder, receiver() as (url, arrived):
        filled(Path(folder), wanted).close()
        account = {"name": "idle", "credential": "benchmark", "endpoint": f"{url}/balance", "channels": [CHANNEL]}
        config = Path(folder, "monitor.yaml")
        config.write_text(json.dumps({"accounts": [account], "channels": {CHANNEL: {"type": "webhook", "url": url}}}))
        with daemon({"TOKEN_MONITOR_CONFIG": str(config), "TOKEN_MONITOR_DATA": folder}):
            times = arrived(wanted)
    return (wanted - 1) / (times[-1] - times[0])


def filled(folder: Path, wanted: int) -> MonitorDb:
    """A store on the disk that owes so many alerts."""
    store = open_monitor_db(folder)
    assert store.durable
    now = SteadyClock(store.steady()).now()
    for number in range(wanted):
        alert = Alert(
            id=f"episode-{number}",
            kind=Kind.ACCOUNT,
            subject=f"account-{number % SUBJECTS}/balance",
            account=f"account-{number % SUBJECTS}",
            state=State.LOW,
            reason=Reason.FIRST,
            episode=f"episode-{number}",
            at=datetime.now(UTC),
        )
        text = f"[WARNING] {alert.account}: 5 left, below the warning threshold of 10."
        store.commit(Change(alert.account, messages=[(Message(alert, text), [CHANNEL])]), now.steady)
    return store


def timed(thing: object, methods: list[str], name: str, spent: Counter[str]) -> None:
    """Have the time in `methods` of `thing` added up."""
    for method in methods:
        setattr(thing, method, _stopwatch(getattr(thing, method), name, spent))


def _stopwatch(call: Callable[..., Any], name: str, spent: Counter[str]) -> Callable[..., Any]:
    def measured(*arguments: Any) -> Any:
        begun = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            spent[name] += time.perf_counter() - begun  # type: ignore[assignment]

    return measured


class Silent:
    """Counts nothing."""

    def polled(self, account: str, outcome: str, seconds: float) -> None: ...

    def alerted(self, alert: Alert) -> None: ...

    def delivered(self, channel: str, outcome: str) -> None: ...


@contextmanager
def receiver() -> Iterator[tuple[str, Callable[[int], list[float]]]]:
    """A receiver in a process of its own: its URL, and what waits for so many alerts and says when each came."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=serve, args=[far], daemon=True)
    process.start()

    def arrived(count: int) -> list[float]:
        near.send(count)
        times: list[float] = near.recv()
        return times

    try:
        yield near.recv(), arrived
    finally:
        process.kill()
        process.join()


def serve(pipe: Connection) -> None:
    """Every alert is another: one that came twice is not counted."""
    stamps, seen = Stamps(), set[str]()

    def answer(path: str, body: bytes) -> bytes:
        if path.endswith("/balance"):
            return b'{"balance": 100}'
        alert = json.loads(body)["alert"]["id"]
        if alert not in seen:
            seen.add(alert)
            stamps.add(alert)
        return b"{}"

    pipe.send(Server(answer).url + "/alerts")
    count = pipe.recv()
    assert stamps.wait_for(count, 60 + count / 20), f"{len(stamps.times)} of {count} arrived"
    pipe.send([at for _, at in stamps.times])


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
