"""What runs once, beside a running daemon or without one: a check of every account, a test of every channel."""

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import attrs
from attrs import frozen

from token_monitor.app import registry
from token_monitor.clock import SteadyClock
from token_monitor.config.settings import AccountSettings, Settings
from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError
from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Message
from token_monitor.core.ports import Change, LevelChannel
from token_monitor.core.texts import text
from token_monitor.core.view import QuantityView
from token_monitor.core.words import Kind, Language, Reason, State
from token_monitor.http import RequestsClient
from token_monitor.output import Output
from token_monitor.scheduler import Scheduler
from token_monitor.watch import World


def check(accounts: Sequence[AccountSettings]) -> list[QuantityView]:
    """Poll each account once with its primary credential, without memory, and send nothing."""
    tally = _Tally(account.name for account in accounts)
    clock = SteadyClock()
    world = World(clock, _Forgetful(), tally, threading.Event().wait, lambda _channels: None)
    monitors = registry.make_monitors(
        [attrs.evolve(account, failover=None) for account in accounts], world, RequestsClient()
    )
    scheduler = Scheduler(monitors, lambda: clock.now().steady)
    threading.Thread(target=scheduler.run, name="scheduler", daemon=True).start()
    tally.all_polled.wait()
    scheduler.stop()
    return [view for monitor in monitors for view in monitor.view().quantities]


@frozen
class Trial:
    """What came of a test alert. answer: what the receiver said, or why it did not take it."""

    channel: str
    delivered: bool
    answer: str


def test_alert(settings: Settings, output: Output, names: Iterable[str]) -> list[Trial]:
    """Send a marked alert through each of these channels (all of them if none is named), now and directly."""
    http, clock, notes = RequestsClient(), SteadyClock(), _Forgetful()
    channels = registry.make_channels(settings, http, clock, notes, output)
    levels = registry.make_level_channels(settings, http, clock, notes)
    senders = {name: channel.send for name, channel in channels.items()}
    senders |= {name: partial(_tell, channel) for name, channel in levels.items()}
    wanted = list(names) or list(senders)
    account = settings.accounts[0]
    return [_try(name, senders[name], _test_message(account.name, account.language)) for name in wanted]


def _tell(channel: LevelChannel, message: Message) -> str:
    return channel.sync([message], [])


def _try(name: str, send: Callable[[Message], str], message: Message) -> Trial:
    try:
        return Trial(name, delivered=True, answer=send(message))
    except ChannelError as error:
        return Trial(name, delivered=False, answer=error.reason)


def _test_message(account: str, language: Language) -> Message:
    alert = Alert(
        id=f"test-{uuid.uuid4().hex[:16]}",
        kind=Kind.TEST,
        subject=f"{account}/test",
        account=account,
        state=State.OK,
        reason=Reason.FIRST,
        episode="test",
        at=datetime.now(UTC),
    )
    return Message(alert, text(alert, language))


class _Tally:
    """Telemetry that tells when every account was polled."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self._waiting = set(accounts)
        self.all_polled = threading.Event()

    def polled(self, account: str, outcome: str, seconds: float) -> None:  # noqa: ARG002
        self._waiting.discard(account)
        if not self._waiting:
            self.all_polled.set()

    def alerted(self, alert: Alert) -> None: ...

    def delivered(self, channel: str, outcome: str) -> None: ...


class _Forgetful:
    """A store that remembers nothing."""

    def subjects(self) -> Mapping[Subject, SubjectState]:
        return {}

    def failures(self) -> Mapping[str, int]:
        return {}

    def failovers(self) -> Mapping[str, FailoverState]:
        return {}

    def commit(self, change: Change, now: float) -> None: ...

    def forget(self, accounts_kept: Iterable[str], before: float) -> None: ...

    def note(self, channel: str, episode: str) -> None: ...

    def keep_note(self, channel: str, episode: str, text: str, now: float) -> None: ...
