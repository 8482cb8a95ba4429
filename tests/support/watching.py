"""An account under watch whose provider is a script."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from support.clock import FakeClock
from token_monitor.core.alert import Alert, Switch
from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Message
from token_monitor.core.ports import Change
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.words import Language
from token_monitor.watch import Watch, World


def reading(value: object, quantity: str = "balance", **more: object) -> Reading:
    number = None if value is None else Decimal(str(value))
    return Reading(quantity, number, "calls", **more)  # type: ignore[arg-type]


class ScriptedSource:
    """Each fetch takes the next step: an exception is raised, a callable called, anything else is a balance."""

    quantities = ("balance",)

    def __init__(self, *steps: object, host: str = "provider.test") -> None:
        self.host = host
        self.steps = list(steps)
        self.asked: list[Secret] = []

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        self.asked.append(credential)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if callable(step):
            step = step()
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, list):
            return step
        return [step if isinstance(step, Reading) else reading(step)]


class MemoryStore:
    """A state store that keeps what it is given, for tests of what it is given."""

    def __init__(self) -> None:
        self.states: dict[Subject, SubjectState] = {}
        self.counts: dict[str, int] = {}
        self.remembered: dict[str, FailoverState] = {}
        self.switches: list[Switch] = []
        self.messages: list[tuple[Message, Sequence[str]]] = []

    def subjects(self) -> Mapping[Subject, SubjectState]:
        return dict(self.states)

    def failures(self) -> Mapping[str, int]:
        return dict(self.counts)

    def failovers(self) -> Mapping[str, FailoverState]:
        return dict(self.remembered)

    def commit(self, change: Change, now: float) -> None:
        self.states.update(change.subjects)
        if change.failover is not None:
            self.remembered[change.account] = change.failover
        if change.switch is not None:
            self.switches.append(change.switch)
        if change.failures is not None:
            self.counts[change.account] = change.failures
        self.messages.extend(change.messages)

    def forget(self, accounts_kept: Iterable[str], before: float) -> None:
        raise NotImplementedError

    @property
    def alerts(self) -> list[Alert]:
        return [message.alert for message, _ in self.messages]


class CountingTelemetry:
    def __init__(self) -> None:
        self.polls: list[tuple[str, str]] = []
        self.alerts: list[Alert] = []
        self.changed = threading.Condition()

    def polled(self, account: str, outcome: str, seconds: float) -> None:
        with self.changed:
            self.polls.append((account, outcome))
            self.changed.notify_all()

    def alerted(self, alert: Alert) -> None:
        self.alerts.append(alert)

    def delivered(self, channel: str, outcome: str) -> None:
        raise NotImplementedError

    def wait_for(self, condition: Callable[["CountingTelemetry"], bool], timeout: float = 10) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), timeout), self.polls

    def outcomes(self, account: str) -> list[str]:
        return [outcome for name, outcome in self.polls if name == account]


def make_world(clock: object, store: object, telemetry: object, woken: list[Sequence[str]] | None = None) -> World:
    wake = (lambda _channels: None) if woken is None else woken.append
    return World(clock, store, telemetry, lambda _seconds: False, wake)  # type: ignore[arg-type]


def make_watch(source: object, account: str = "facefusion", **changes: object) -> Watch:
    settings: dict[str, object] = {
        "resolve": lambda: Secret("credential-1"),
        "rules": {"balance": Rule(Bound(Decimal(10)), Bound(Decimal(3)))},
        "channels": ("stdout", "webhook"),
        "interval": 300.0,
        "timeout": 10.0,
        "cooldown": 1800.0,
        "max_failures": 3,
        "notify_when_blind": False,
        "language": Language.EN,
    }
    return Watch(account=account, source=source, **(settings | changes))  # type: ignore[arg-type]


__all__ = ["CountingTelemetry", "FakeClock", "MemoryStore", "ScriptedSource", "make_watch", "make_world", "reading"]
