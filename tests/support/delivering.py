"""A channel that is a script, and an outbox of real rows."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from support.clock import FakeClock
from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.ports import Change
from token_monitor.core.routing import QuietHours, ZonedTime
from token_monitor.core.words import Kind, Reason, State
from token_monitor.delivery import ChannelWorker
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

CHANNEL = "ops"
NIGHT = QuietHours(ZonedTime.parse("22:00"), ZonedTime.parse("08:00"))


class Crash(BaseException):
    """The process dies here."""


class ScriptedChannel:
    """`answer` decides what becomes of each message; what arrived is kept, whatever the sender learns of it."""

    def __init__(self, answer: Callable[[Message], ChannelError | Crash | None], pace: Pace | None = None) -> None:
        self.pace = pace
        self.answer = answer
        self.arrived: list[Alert] = []
        self.attempts: list[Alert] = []
        self.messages: list[Message] = []
        self.reached: list[Message] = []

    def send(self, message: Message) -> str:
        self.attempts.append(message.alert)
        self.messages.append(message)
        verdict = self.answer(message)
        reached = verdict is None or isinstance(verdict, Crash) or verdict.ambiguous
        if reached:
            self.arrived.append(message.alert)
            self.reached.append(message)
        if verdict is not None:
            raise verdict
        return "ok"


class ScriptedGroupChannel(ScriptedChannel):
    """Takes several alerts as one message. room: its characters."""

    def __init__(
        self, answer: Callable[[Message], ChannelError | Crash | None], pace: Pace | None = None, room: int = 10_000
    ) -> None:
        super().__init__(answer, pace)
        self.room = room

    def fits(self, message: Message) -> bool:
        return len(message.text) <= self.room


class NoTelemetry:
    def polled(self, account: str, outcome: str, seconds: float) -> None: ...

    def alerted(self, alert: Alert) -> None: ...

    def delivered(self, channel: str, outcome: str) -> None: ...


class DeliveryBench:
    """One channel's worker on a real store, restartable.

    room: the characters of a message that may hold several alerts; None: each goes by itself.
    """

    def __init__(
        self,
        answer: Callable[[Message], ChannelError | Crash | None] = lambda _message: None,
        pace: Pace | None = None,
        room: int | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.quiet: QuietHours | None = None
        self.store: MonitorDb = open_monitor_db(None)
        self.channel = ScriptedChannel(answer, pace) if room is None else ScriptedGroupChannel(answer, pace, room)
        self.raised: list[Alert] = []
        self._episodes: dict[str, tuple[str, int]] = {}
        self.restart()

    def restart(self) -> None:
        self.worker = ChannelWorker(CHANNEL, self.channel, self.store, NoTelemetry(), self.clock, self.quiet)

    def raise_alert(
        self,
        account: str,
        reason: Reason = Reason.FIRST,
        channels: Sequence[str] = (CHANNEL,),
        state: State = State.LOW,
    ) -> Alert:
        """Store an alert of the account's open episode; `first` opens one."""
        episode, count = self._episodes.get(account, (f"{account}-episode-0", 0))
        if reason is Reason.FIRST:
            episode, count = f"{account}-episode-{len(self.raised)}", 0
        self._episodes[account] = (episode, count + 1)
        state = State.OK if reason.closes else state
        now = self.clock.now().wall
        alert = Alert(
            f"{episode}-{count + 1}", Kind.ACCOUNT, f"{account}/balance", account, state, reason, episode, now
        )
        subject = Subject(Kind.ACCOUNT, account, "balance")
        change = Change(account, {subject: SubjectState()}, messages=[(Message(alert, alert.id), channels)])
        self.store.commit(change, self.clock.steady)
        self.raised.append(alert)
        return alert

    def run(self, seconds: float = 0.0) -> None:
        """Let the worker do all it would do in that time."""
        end = self.clock.steady + seconds
        while True:
            wait = self.worker.step()
            if wait is None or self.clock.steady + wait > end:
                break
            self.clock.advance(wait)
        self.clock.advance(max(0.0, end - self.clock.steady))

    def keep_quiet(self) -> None:
        """From now on there are quiet hours, and it is one hour before midnight."""
        self.quiet = NIGHT
        self.restart()
        self.advance_to(23)

    def advance_to(self, hour: int) -> None:
        """To the next time that the clock says so."""
        now = self.clock.wall
        then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        self.clock.advance(((then - now) % timedelta(days=1)).total_seconds())

    @property
    def pending(self) -> int:
        backlog = self.store.backlogs().get(CHANNEL)
        return backlog.pending if backlog else 0

    @property
    def dead(self) -> int:
        backlog = self.store.backlogs().get(CHANNEL)
        return backlog.dead if backlog else 0
