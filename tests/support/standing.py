"""Accounts under watch whose alerts stand at a receiver of states: monitors, and a worker that is driven by hand."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from attrs import frozen

from support.clock import FakeClock
from support.watching import CountingTelemetry, MemoryStore, ScriptedSource, make_watch, make_world
from token_monitor.core.message import Message
from token_monitor.core.ports import Clock, LevelChannel
from token_monitor.core.time import Now
from token_monitor.level import LevelWorker
from token_monitor.monitor import AccountMonitor


@frozen
class Synced:
    """One call: (account, level) of what was told."""

    firing: list[tuple[str, str]]
    resolved: list[tuple[str, str]]


class ScriptedLevelChannel:
    """`answer` decides what becomes of each call."""

    def __init__(self, answer: Callable[[], Exception | None] = lambda: None) -> None:
        self.answer = answer
        self.calls: list[Synced] = []
        self.messages: list[tuple[Sequence[Message], Sequence[Message]]] = []

    def sync(self, firing: Sequence[Message], resolved: Sequence[Message]) -> str:
        self.calls.append(Synced(_told(firing), _told(resolved)))
        self.messages.append((firing, resolved))
        error = self.answer()
        if error is not None:
            raise error
        return "ok"


class Telemetry(CountingTelemetry):
    def __init__(self) -> None:
        super().__init__()
        self.outcomes_told: list[str] = []

    def delivered(self, channel: str, outcome: str) -> None:
        self.outcomes_told.append(outcome)


class SkewedClock:
    """The wall time of this machine, wrong by `skew` seconds; the steady time goes when it is told to."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew
        self.steady = 1e6

    def now(self) -> Now:
        return Now(datetime.now(UTC) + timedelta(seconds=self.skew), self.steady)

    def advance(self, seconds: float) -> None:
        self.steady += seconds


class StandingBench:
    """Monitors and the worker. `poll` lets an account read a balance; nothing is told before `step`."""

    def __init__(self, channel: LevelChannel | None = None, clock: Clock | None = None) -> None:
        self.channel = ScriptedLevelChannel()
        self.clock = clock or FakeClock()
        self.store = MemoryStore()
        self.telemetry = Telemetry()
        self.sources: dict[str, ScriptedSource] = {}
        self.monitors: dict[str, AccountMonitor] = {}
        self.worker = self._worker(channel or self.channel)
        self._to = channel or self.channel

    def restart(self) -> None:
        """A new process: what it remembers is in the store."""
        self.monitors.clear()
        for account in self.sources:
            self._watch(account)
        self.worker = self._worker(self._to)

    def poll(self, account: str, balance: object, after: float = 1.0, **changes: object) -> None:
        """A balance, or an exception."""
        if account not in self.sources:
            self.sources[account] = ScriptedSource(balance)
            self._watch(account, **changes)
        self.sources[account].steps = [balance]
        self.clock.advance(after)  # type: ignore[attr-defined]
        monitor = self.monitors[account]
        monitor.settle(monitor.fetch(scheduled=True))

    def sync(self) -> float:
        self.worker.wake()
        return self.worker.step()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)  # type: ignore[attr-defined]

    def _watch(self, account: str, **changes: object) -> None:
        world = make_world(self.clock, self.store, self.telemetry)
        watch = make_watch(self.sources[account], account, **changes)
        self.monitors[account] = AccountMonitor(watch, world, self.store.subjects(), 0)

    def _worker(self, channel: LevelChannel) -> LevelWorker:
        return LevelWorker("am", channel, self._standing, self.telemetry, self.clock)

    def _standing(self) -> list[Message]:
        return [message for monitor in self.monitors.values() for message in monitor.standing()]


def _told(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(message.alert.account, message.alert.level.value) for message in messages]
