"""One step of one account: fetch → judge → store → emit."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
from attrs import evolve, field, frozen

from token_monitor.core.alert import Alert, headline
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.judge import Subject, SubjectState, current, judge, observe
from token_monitor.core.message import Message
from token_monitor.core.ports import Change, Clock, Source, StateStore, Telemetry
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Rule
from token_monitor.core.secret import Secret, redact
from token_monitor.core.texts import text
from token_monitor.core.time import Now
from token_monitor.core.view import AccountView, QuantityView
from token_monitor.core.words import Kind, Language, State
from token_monitor.fetcher import Fetcher

BACKOFF_CAP: Final = 3600.0

log = structlog.get_logger()


@frozen
class Watch:
    """What to watch of one account. Durations in seconds.

    resolve: reads the credential anew; raises ValueError with a message that does not hold it.
    rules: by quantity.
    channels: where its alerts go.
    """

    account: str
    source: Source
    resolve: Callable[[], Secret]
    rules: Mapping[str, Rule]
    channels: Sequence[str]
    interval: float
    timeout: float
    cooldown: float
    max_failures: int
    notify_when_blind: bool
    language: Language


@frozen
class World:
    """What the monitors of all accounts share.

    pause: waits that many seconds, and says whether the daemon is stopping.
    wake: tells these channels that there is something to deliver.
    route: of these channels, those that take the alert.
    """

    clock: Clock
    store: StateStore
    telemetry: Telemetry
    pause: Callable[[float], bool]
    wake: Callable[[Sequence[str]], None]
    route: Callable[[Alert, Sequence[str]], Sequence[str]] = lambda _alert, channels: channels


@frozen
class Poll:
    """What came of asking: readings, or an error.

    started: steady seconds; the sequence number of the readings (rule J10).
    scheduled: only scheduled polls count towards silent mode (rule J12).
    """

    started: float
    ended: float
    scheduled: bool
    readings: Sequence[Reading] = ()
    error: SourceError | None = None


@frozen
class _Memory:
    """The account as last judged; replaced whole."""

    subjects: Mapping[Subject, SubjectState]
    failures: int
    error: SourceError | None = None
    tried: bool = False
    missing: frozenset[str] = field(default=frozenset())


class AccountMonitor:
    """Watches one account. `fetch` may hang and be given up; `settle` is called once per poll, by whoever ends it."""

    def __init__(self, watch: Watch, world: World, subjects: Mapping[Subject, SubjectState], failures: int) -> None:
        self.watch = watch
        self._world = world
        self._fetcher = Fetcher(watch.source, watch.resolve, world.clock, world.pause, watch.timeout, watch.interval)
        self._crashes = 0
        self._said_silent = False
        self._lock = threading.Lock()
        self._credential = Subject(Kind.CREDENTIAL, watch.account)
        self._visibility = Subject(Kind.VISIBILITY, watch.account)
        self._quantities = {name: Subject(Kind.ACCOUNT, watch.account, name) for name in watch.rules}
        mine = (self._credential, self._visibility, *self._quantities.values())
        self._memory = _Memory({subject: subjects.get(subject, SubjectState()) for subject in mine}, failures)

    def fetch(self, *, scheduled: bool) -> Poll:
        """Ask the provider; may take as long as the deadline, or hang beyond it. Never raises."""
        started = self._world.clock.now().steady
        try:
            return self._poll(started, scheduled, readings=self._fetcher.fetch(started))
        except SourceError as error:
            return self._poll(started, scheduled, error=error)
        except Exception as error:
            log.exception("Internal error", account=self.watch.account)
            return self._poll(started, scheduled, error=SourceError(Failure.INTERNAL, redact(repr(error))))

    def failed(self, kind: Failure, message: str, started: float, *, scheduled: bool) -> Poll:
        """A poll that never came back, or never started."""
        return self._poll(started, scheduled, error=SourceError(kind, message))

    def settle(self, poll: Poll) -> float:
        """Judge, store and emit. Returns how many seconds the account must be left alone, beyond its schedule."""
        with self._lock:
            now = self._world.clock.now()
            error = poll.error or self._limit_missing(poll.readings)
            self._crashes = self._crashes + 1 if error is not None and error.kind is Failure.INTERNAL else 0
            if error is None:
                self._succeeded(poll, now)
            elif error.kind is Failure.REJECTED:
                self._rejected(error, now)
            else:
                self._failed(error, poll.scheduled, now)
            outcome = "ok" if error is None else error.kind.value
            self._world.telemetry.polled(self.watch.account, outcome, poll.ended - poll.started)
            return self._leave_alone(error)

    def crashed(self) -> float:
        """Settling a poll failed. Returns how many seconds the account must be left alone."""
        with self._lock:
            self._crashes += 1
            error = SourceError(Failure.INTERNAL, "internal error; see the log")
            self._memory = evolve(self._memory, error=error, tried=True)
            self._world.telemetry.polled(self.watch.account, error.kind.value, 0.0)
            return self._leave_alone(error)

    def _poll(
        self, started: float, scheduled: bool, *, readings: Sequence[Reading] = (), error: SourceError | None = None
    ) -> Poll:
        return Poll(started, self._world.clock.now().steady, scheduled, readings, error)

    def _limit_missing(self, readings: Sequence[Reading]) -> SourceError | None:
        for reading in readings:
            counted = reading.value is not None and not reading.unlimited
            if counted and reading.limit is None and self.watch.rules[reading.quantity].needs_limit:
                message = f"{reading.quantity}: a percentage threshold needs a limit, and the answer gives none"
                return SourceError(Failure.NO_LIMIT, message)
        return None

    def _succeeded(self, poll: Poll, now: Now) -> None:
        cooldown = self.watch.cooldown
        before = self._memory
        after: dict[Subject, SubjectState] = {}
        alerts: list[Alert | None] = []
        for subject in (self._visibility, self._credential):
            after[subject], alert = observe(subject, before.subjects[subject], State.OK, now, cooldown)
            alerts.append(alert)
        for reading in poll.readings:
            subject = self._quantities[reading.quantity]
            rule = self.watch.rules[reading.quantity]
            after[subject], alert = judge(subject, rule, before.subjects[subject], reading, poll.started, now, cooldown)
            alerts.append(alert)
            log.debug("Balance read", account=self.watch.account, quantity=reading.quantity, balance=reading.value)
        missing = frozenset(self._quantities) - {reading.quantity for reading in poll.readings}
        for quantity in sorted(missing - before.missing):
            log.warning("Quantity missing from the answer", account=self.watch.account, quantity=quantity)
        if before.failures >= self.watch.max_failures and alerts[0] is None:
            log.info(headline(Kind.VISIBILITY, State.OK), account=self.watch.account)
        self._said_silent = False
        self._store(after, 0, alerts, now, missing=missing)

    def _rejected(self, error: SourceError, now: Now) -> None:
        before = self._memory.subjects[self._credential]
        after, alert = observe(self._credential, before, State.CRITICAL, now, self.watch.cooldown)
        again = self._memory.error is not None and self._memory.error.kind is Failure.REJECTED
        self._log_failure(error, quiet=again)
        self._store({self._credential: after}, self._memory.failures, [alert], now, error)

    def _failed(self, error: SourceError, scheduled: bool, now: Now) -> None:
        failures = self._memory.failures + scheduled
        silent = failures >= self.watch.max_failures
        self._log_failure(error, failures=failures, quiet=silent)
        after: dict[Subject, SubjectState] = {}
        alert = None
        if silent and self.watch.notify_when_blind:
            before = self._memory.subjects[self._visibility]
            after[self._visibility], alert = observe(
                self._visibility, before, State.CRITICAL, now, self.watch.cooldown, remind=False
            )
        if silent and not self._said_silent:
            self._said_silent = True
            if alert is None:
                what = headline(Kind.VISIBILITY, State.CRITICAL)
                log.error(what, account=self.watch.account, failures=failures, kind=error.kind, error=str(error))
        self._store(after, failures, [alert], now, error)

    def _log_failure(self, error: SourceError, *, quiet: bool, **facts: int) -> None:
        say = log.debug if quiet else log.warning
        say("Balance check failed", account=self.watch.account, kind=error.kind, error=str(error), **facts)

    def _store(
        self,
        subjects: Mapping[Subject, SubjectState],
        failures: int,
        alerts: Sequence[Alert | None],
        now: Now,
        error: SourceError | None = None,
        missing: frozenset[str] = frozenset(),
    ) -> None:
        watch = self.watch
        raised = [alert for alert in alerts if alert is not None]
        note = str(error) if error is not None else ""
        messages = [
            (Message(alert, text(alert, watch.language, note)), self._world.route(alert, watch.channels))
            for alert in raised
        ]
        changed = {subject: state for subject, state in subjects.items() if state != self._memory.subjects[subject]}
        if changed or messages or failures != self._memory.failures:
            self._world.store.commit(Change(watch.account, changed, failures, messages), now.steady)
        self._memory = _Memory({**self._memory.subjects, **subjects}, failures, error, tried=True, missing=missing)
        for alert in raised:
            self._world.telemetry.alerted(alert)
        if raised:
            self._world.wake(watch.channels)

    def _leave_alone(self, error: SourceError | None) -> float:
        if error is None:
            return 0.0
        if self._crashes:
            return min(self.watch.interval * 2.0 ** min(self._crashes, 20), BACKOFF_CAP)
        return error.retry_after or 0.0

    def standing(self) -> list[Message]:
        """The alerts that stand now, for receivers of states."""
        memory = self._memory
        note = str(memory.error) if memory.error is not None else ""
        alerts = [current(subject, state) for subject, state in memory.subjects.items()]
        return [Message(alert, text(alert, self.watch.language, note)) for alert in alerts if alert is not None]

    def view(self) -> AccountView:
        """The account as it stands, for people and metrics."""
        memory = self._memory
        credential = memory.subjects[self._credential].standing.state
        reads = [state.read_at for state in memory.subjects.values() if state.read_at is not None]
        return AccountView(
            self.watch.account,
            [self._view(name, memory) for name in self._quantities],
            memory.tried,
            memory.failures,
            memory.failures >= self.watch.max_failures,
            credential,
            max(reads, default=None),
            {
                subject.name: state.standing.episode.id
                for subject, state in memory.subjects.items()
                if state.standing.episode is not None
            },
        )

    def _view(self, quantity: str, memory: _Memory) -> QuantityView:
        state = memory.subjects[self._quantities[quantity]]
        reading, standing = state.reading, state.standing
        error = str(memory.error) if memory.error is not None else None
        if quantity in memory.missing:
            error = "missing from the latest answer"
        return QuantityView(
            self.watch.account,
            quantity,
            standing.state,
            reading.value if reading else None,
            reading.limit if reading else None,
            reading.unit if reading else "",
            error,
            standing.episode.id if standing.episode else None,
            state.read_at,
            reading.reset_at if reading else None,
        )
