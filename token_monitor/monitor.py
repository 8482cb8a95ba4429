"""One step of one account: fetch → judge → store → emit."""

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import structlog
from attrs import evolve

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import Subject, SubjectState, current
from token_monitor.core.message import Message
from token_monitor.core.ports import Change
from token_monitor.core.reading import Reading
from token_monitor.core.secret import redact
from token_monitor.core.time import Now
from token_monitor.core.view import AccountView, QuantityView
from token_monitor.core.words import EVERY, Kind
from token_monitor.failover import Failover, Finding, Outcome
from token_monitor.step import Memory, Step, worded
from token_monitor.watch import Poll, Watch, World

BACKOFF_CAP: Final = 3600.0

log = structlog.get_logger()


class AccountMonitor:
    """Watches one account. `fetch` may hang and be given up; `settle` is called once per poll, by whoever ends it."""

    def __init__(
        self,
        watch: Watch,
        world: World,
        subjects: Mapping[Subject, SubjectState],
        failures: int,
        failover: FailoverState | None = None,
    ) -> None:
        self.watch = watch
        self._world = world
        self._known = failover
        self._failover = Failover(watch, world, failover)
        self._crashes = 0
        self._lock = threading.Lock()
        mine = [Subject(Kind.VISIBILITY, watch.account)]
        if watch.spares:  # without, an episode of it is being closed, and nobody would judge it any more
            mine.append(Subject(Kind.CREDENTIAL, watch.account, label=EVERY))
        for label in self._failover.labels:
            mine.append(Subject(Kind.CREDENTIAL, watch.account, label=label))
            mine += [Subject(Kind.ACCOUNT, watch.account, quantity, label) for quantity in watch.rules]
        self._memory = Memory({subject: subjects.get(subject, SubjectState()) for subject in mine}, failures)

    def fetch(self, *, scheduled: bool) -> Poll:
        """Ask the provider; may take as long as the deadline, or hang beyond it. Never raises."""
        started = self._world.clock.now().steady
        try:
            return self._poll(started, scheduled, readings=self._failover.fetch(started))
        except SourceError as error:
            return self._poll(started, scheduled, error=error)
        except Exception as error:
            log.exception("Internal error", account=self.watch.account)
            return self._poll(started, scheduled, error=SourceError(Failure.INTERNAL, redact(repr(error))))

    def failed(self, kind: Failure, message: str, started: float, *, scheduled: bool) -> Poll:
        """A poll that never came back, or never started."""
        return self._poll(started, scheduled, error=SourceError(kind, message))

    def settle(self, poll: Poll) -> float:
        """Judge, store and emit. Returns how many seconds the account must be left alone, beyond its schedule.

        Where the credential fails and there are others, they are asked here: the deadline of the poll has been met.
        """
        with self._lock:
            error = poll.error
            self._crashes = self._crashes + 1 if error is not None and error.kind is Failure.INTERNAL else 0
            finding = self._failover.consider(poll, self._rates(poll))  # may take a while
            self._leave_removed(finding)
            now = self._world.clock.now()
            step = Step(self.watch, self._memory, self._failover.active, now)
            if error is None:
                step.succeeded(poll)
            elif error.kind is Failure.REJECTED:
                step.rejected(error)
            else:
                step.failed(error, scheduled=poll.scheduled)
            self._store(step, self._failover.follow(finding, step, now), now)
            self._publish()
            outcome = "ok" if error is None else error.kind.value
            self._world.telemetry.polled(self.watch.account, outcome, poll.ended - poll.started)
            self._store_review(finding)
            return self._leave_alone(error)

    def _leave_removed(self, finding: Finding | None) -> None:
        """A credential that was in use when it was removed from the settings is left by a switch, as any other."""
        if self._failover.replaces_removed(finding):
            now = self._world.clock.now()
            step = Step(self.watch, self._memory, self._failover.state.left, now)
            self._store(step, self._failover.leave_removed(step, now), now)

    def _rates(self, poll: Poll) -> Mapping[str, Decimal]:
        """How fast each credential is spent as of `poll`, as far as that is known and decides anything."""
        decides = self.watch.failover and self.watch.failover.quantity
        states = self._memory.subjects.items()
        burns = {subject.label: state.burn for subject, state in states if subject.quantity == decides}
        for reading in poll.readings:
            if reading.quantity == decides and reading.value is not None:
                burns[self._failover.active] = burns[self._failover.active].read(reading.value, poll.started)
        return {label: burn.rate for label, burn in burns.items() if burn.rate is not None}

    def crashed(self) -> float:
        """Settling a poll failed. Returns how many seconds the account must be left alone."""
        with self._lock:
            self._crashes += 1
            error = SourceError(Failure.INTERNAL, "internal error; see the log")
            self._memory = evolve(self._memory, error=error, tried=True)
            self._world.telemetry.polled(self.watch.account, error.kind.value, 0.0)
            return self._leave_alone(error)

    def start(self) -> None:
        """Before the first poll: publish what the store remembers as the active credential.

        If that has left the settings the primary is active, and the store is told; people are when the file has it.
        """
        if self._known is not None and self._known != self._failover.state:
            change = Change(self.watch.account, failover=self._failover.state)
            self._world.store.commit(change, self._world.clock.now().steady)
        self._publish()

    def _poll(
        self, started: float, scheduled: bool, *, readings: Sequence[Reading] = (), error: SourceError | None = None
    ) -> Poll:
        return Poll(started, self._world.clock.now().steady, scheduled, readings, error)

    def _store(self, step: Step, outcome: Outcome, now: Now) -> None:
        watch, store = self.watch, self._world.store
        messages = [(message, self._world.route(message.alert, watch.channels)) for message in step.messages]
        state = outcome.state if outcome.state != self._failover.state else None
        if step.changed or messages or state or outcome.switch or step.failures != self._memory.failures:
            change = Change(watch.account, step.changed, step.failures, messages, state, outcome.switch)
            store.commit(change, now.steady)
        self._failover.accept(outcome.state)
        self._memory = step.after()
        for message in step.messages:
            self._world.telemetry.alerted(message.alert)
        if messages or step.moved:
            self._world.wake({*watch.channels, *(name for _, channels in messages for name in channels)})

    def _publish(self) -> None:
        """Have the active credential published, and whatever else is to be seen.

        It is what the provider took last. What it refuses, or was not asked about yet, is no help to anybody.
        """
        publisher, accepted = self._world.publisher, self._failover.accepted
        if publisher is None:
            return
        if accepted is not None:
            publisher.credential(self.watch.account, accepted)
        else:
            credentials = dict(self.watch.credentials)
            active = credentials.pop(self._failover.active)
            publisher.begin(self.watch.account, active, list(credentials.values()))
        publisher.changed()

    def _store_review(self, finding: Finding | None) -> None:
        state = self._failover.review(finding)
        if state is not None and state != self._failover.state:
            self._world.store.commit(Change(self.watch.account, failover=state), self._world.clock.now().steady)
            self._failover.accept(state)

    def _leave_alone(self, error: SourceError | None) -> float:
        if error is None:
            return 0.0
        if self._crashes:
            return min(self.watch.interval * 2.0 ** min(self._crashes, 20), BACKOFF_CAP)
        return error.retry_after or 0.0

    def standing(self) -> list[Message]:
        """The alerts that stand now, for receivers of states.

        Of an account that cannot be seen only where that is wanted now: the episode may be of earlier settings.
        """
        memory, blind = self._memory, self.watch.notify_when_blind
        wanted = [each for each in memory.subjects.items() if blind or each[0].kind is not Kind.VISIBILITY]
        alerts = [current(subject, state) for subject, state in wanted]
        return [worded(alert, self.watch, memory.error, memory.found) for alert in alerts if alert is not None]

    def view(self) -> AccountView:
        """The account as it stands, for people and metrics."""
        memory, label = self._memory, self._failover.active
        states = memory.subjects
        credential = states[Subject(Kind.CREDENTIAL, self.watch.account, label=label)].standing.state
        every = states.get(Subject(Kind.CREDENTIAL, self.watch.account, label=EVERY), SubjectState())
        everyone = every.standing.state
        reads = [state.read_at for state in states.values() if state.read_at is not None]
        return AccountView(
            self.watch.account,
            [self._view(name, label, memory) for name in self.watch.rules],
            memory.tried,
            memory.failures,
            memory.failures >= self.watch.max_failures,
            everyone if everyone.rank > credential.rank else credential,
            max(reads, default=None),
            self.watch.interval,
            {
                subject.name: state.standing.episode.id
                for subject, state in states.items()
                if state.standing.episode is not None
            },
            label,
            self._failover.state.shared,
        )

    def _view(self, quantity: str, label: str, memory: Memory) -> QuantityView:
        state = memory.subjects[Subject(Kind.ACCOUNT, self.watch.account, quantity, label)]
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
            state.runway,
        )
