"""The real worker and store in front of a real channel, on the real clock."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

import pytest

from support.delivering import CHANNEL, DeliveryBench, NoTelemetry
from token_monitor import worker
from token_monitor.core.errors import ChannelError
from token_monitor.core.message import Message
from token_monitor.core.ports import Channel
from token_monitor.core.time import Now
from token_monitor.core.words import Reason
from token_monitor.delivery import ChannelWorker


class Watched:
    """A channel, and what became of its attempts."""

    pace = None

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.failures: list[ChannelError] = []

    @property
    def ambiguous(self) -> int:
        return sum(error.ambiguous for error in self.failures)

    def send(self, message: Message) -> str:
        try:
            return self._channel.send(message)
        except ChannelError as error:
            self.failures.append(error)
            raise


class GoingClock:
    """Goes on from `start` in real time."""

    def __init__(self, start: Now) -> None:
        self._start = start
        self._begun = time.monotonic()

    def now(self) -> Now:
        gone = time.monotonic() - self._begun
        return Now(self._start.wall + timedelta(seconds=gone), self._start.steady + gone)


class LiveDelivery:
    """Delivers from `__enter__` to `__exit__`. Backs off for at most a second, to be done today."""

    def __init__(self, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker, "FIRST_BACKOFF", 0.2)
        monkeypatch.setattr(worker, "LONGEST_BACKOFF", 1.0)
        self.bench = DeliveryBench()
        self.channel = Watched(channel)
        clock = GoingClock(self.bench.clock.now())
        self.worker = ChannelWorker(CHANNEL, self.channel, self.bench.store, NoTelemetry(), clock)
        self._thread = threading.Thread(target=self.worker.run, daemon=True)

    def raise_alerts(self, count: int, subjects: int = 10) -> None:
        """In turns, each subject's one after the other."""
        known = {alert.account for alert in self.bench.raised}
        for number in range(count):
            account = f"account-{number % subjects}"
            self.bench.raise_alert(account, Reason.ESCALATED if account in known else Reason.FIRST)
            known.add(account)
        self.worker.wake()

    def wait_until(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, (self.bench.pending, [str(one) for one in self.channel.failures])
            time.sleep(0.01)

    def wait_until_delivered(self) -> None:
        self.wait_until(lambda: self.bench.pending == 0)
        assert self.bench.dead == 0

    def check(self, arrived: list[tuple[str, str]]) -> int:
        """`arrived`: subject and alert id, in order. Nothing may be missing or out of order.

        Returns the duplicates: at most as many as attempts with an unknown outcome.
        """
        raised = [(alert.subject, alert.id) for alert in self.bench.raised]
        assert set(arrived) == set(raised)
        first = list(dict.fromkeys(arrived))
        for subject in {subject for subject, _ in raised}:
            assert [one for one in first if one[0] == subject] == [one for one in raised if one[0] == subject]
        duplicates = len(arrived) - len(first)
        assert duplicates <= self.channel.ambiguous
        return duplicates

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.worker.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        self.bench.store.close()
