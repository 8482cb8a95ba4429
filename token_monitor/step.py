"""What one poll makes of an account: its memory before, and what is to be stored and said."""

from collections.abc import Mapping

import structlog
from attrs import field, frozen

from token_monitor.core.alert import Alert, Switch, headline
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.judge import Subject, SubjectState, judge, observe
from token_monitor.core.message import Message
from token_monitor.core.switching import leave
from token_monitor.core.texts import text
from token_monitor.core.time import Now
from token_monitor.core.words import EVERY, Kind, State
from token_monitor.watch import Poll, Watch

log = structlog.get_logger()


@frozen
class Memory:
    """An account as last judged; replaced whole.

    subjects: those of every credential. failures: failed polls in a row.
    error: of the latest poll. found: what each credential was last found to be, if none could be used.
    missing: quantities that the latest answer lacked.
    silent_said: the beginning of silent mode was told since the start.
    """

    subjects: Mapping[Subject, SubjectState]
    failures: int
    error: SourceError | None = None
    tried: bool = False
    missing: frozenset[str] = field(default=frozenset())
    silent_said: bool = False
    found: str = ""


class Step:
    """From one memory to the next.

    label: of the credential that was asked.
    """

    def __init__(self, watch: Watch, before: Memory, label: str, now: Now) -> None:
        self._watch = watch
        self._before = before
        self._now = now
        self.label = label
        self.subjects: dict[Subject, SubjectState] = {}
        self.messages: list[Message] = []
        self.failures = before.failures
        self.error: SourceError | None = None
        self._missing: frozenset[str] = frozenset()
        self._silent_said = before.silent_said
        self._found = before.found

    @property
    def changed(self) -> dict[Subject, SubjectState]:
        """The states that are not what they were."""
        before = self._before.subjects
        return {subject: state for subject, state in self.subjects.items() if state != before.get(subject)}

    @property
    def moved(self) -> bool:
        """Whether something else stands than before, be it announced or not."""
        before = self._before.subjects
        return any(
            state.standing.state.rank != before.get(subject, SubjectState()).standing.state.rank
            for subject, state in self.subjects.items()
        )

    def after(self) -> Memory:
        """The next memory."""
        return Memory(
            {**self._before.subjects, **self.subjects},
            self.failures,
            self.error,
            tried=True,
            missing=self._missing,
            silent_said=self._silent_said,
            found=self._found,
        )

    def succeeded(self, poll: Poll) -> None:
        """The credential was accepted and there are readings."""
        account, before = self._watch.account, self._before
        was_silent = self.failures >= self._watch.max_failures
        seen_again = self._observe(Subject(Kind.VISIBILITY, account), State.OK)
        self._observe(Subject(Kind.CREDENTIAL, account, label=self.label), State.OK)
        for reading in poll.readings:
            subject = Subject(Kind.ACCOUNT, account, reading.quantity, self.label)
            rule, cooldown = self._watch.rules[reading.quantity], self._watch.cooldown
            judged = judge(subject, rule, self._state(subject), reading, poll.started, self._now, cooldown)
            self._take(subject, *judged)
            log.debug("Balance read", account=account, quantity=reading.quantity, balance=reading.value)
        self._missing = frozenset(self._watch.rules) - {reading.quantity for reading in poll.readings}
        for quantity in sorted(self._missing - before.missing):
            log.warning("Quantity missing from the answer", account=account, quantity=quantity)
        if was_silent and not seen_again:
            log.info(headline(Kind.VISIBILITY, State.OK), account=account)
        self._silent_said = False
        self.failures, self.error = 0, None

    def rejected(self, error: SourceError) -> None:
        """The provider refuses the credential."""
        before = self._before.error
        self._fail(error, quiet=before is not None and before.kind is Failure.REJECTED)
        self._observe(Subject(Kind.CREDENTIAL, self._watch.account, label=self.label), State.CRITICAL)

    def failed(self, error: SourceError, *, scheduled: bool) -> None:
        """Nothing is known."""
        self.failures += scheduled
        silent = self.failures >= self._watch.max_failures
        self._fail(error, quiet=silent, failures=self.failures)
        if not silent:
            return
        told = self._watch.notify_when_blind and self._observe(
            Subject(Kind.VISIBILITY, self._watch.account), State.CRITICAL, remind=False
        )
        if not self._silent_said and not told:
            what = headline(Kind.VISIBILITY, State.CRITICAL)
            log.error(what, account=self._watch.account, failures=self.failures, kind=error.kind, error=str(error))
        self._silent_said = True

    def switched(self, switch: Switch, poll: Poll | None) -> None:
        """Another credential is active now. poll: what it gave."""
        subjects, alerts = leave(switch, {**self._before.subjects, **self.subjects}, self._now)
        self.subjects |= subjects
        for alert in alerts:
            self._say(alert)
        self.label = switch.target
        if poll is not None:
            self.succeeded(poll)

    def can_pay(self, one: bool, found: str) -> None:
        """Whether one of all the credentials can be used. found: what each of them was found to be."""
        self._found = "" if one else found
        everyone = Subject(Kind.CREDENTIAL, self._watch.account, label=EVERY)
        self._observe(everyone, State.OK if one else State.EXHAUSTED)

    def _state(self, subject: Subject) -> SubjectState:
        return self.subjects.get(subject) or self._before.subjects.get(subject, SubjectState())

    def _observe(self, subject: Subject, seen: State, *, remind: bool = True) -> bool:
        """Whether that is announced."""
        observed = observe(subject, self._state(subject), seen, self._now, self._watch.cooldown, remind=remind)
        self._take(subject, *observed)
        return observed[1] is not None

    def _take(self, subject: Subject, state: SubjectState, alert: Alert | None) -> None:
        self.subjects[subject] = state
        if alert is not None:
            self._say(alert)

    def _say(self, alert: Alert) -> None:
        self.messages.append(worded(alert, self._watch, self.error, self._found))

    def _fail(self, error: SourceError, *, quiet: bool, **facts: int) -> None:
        self.error = error
        say = log.debug if quiet else log.warning
        say("Balance check failed", account=self._watch.account, kind=error.kind, error=str(error), **facts)


def worded(alert: Alert, watch: Watch, error: SourceError | None, found: str) -> Message:
    """The alert with its text. error: the last one. found: what each credential was found to be."""
    note = found if alert.label == EVERY else "" if error is None else str(error)
    return Message(alert, text(alert, watch.language, note))
