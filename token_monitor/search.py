"""Looks for another credential of an account whose active one fails: asks all others, then the best of them twice."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from token_monitor.asking import Panel, Round
from token_monitor.core import failover as core
from token_monitor.core.failover import Decision, FailoverRule, Health, Plan
from token_monitor.core.ports import Clock
from token_monitor.core.reading import Reading
from token_monitor.core.words import PRIMARY, Why
from token_monitor.watch import Poll, Watch

_NO_ANSWER: Final = Health.UNREADABLE


@frozen
class Found:
    """What a search came to.

    first: what each credential said that was asked, all at about one moment.
    target: of the one to change to, the latest readings.
    note: what each was found to be, for people.
    """

    decision: Decision
    first: Mapping[str, Poll]
    target: Poll | None
    note: str


class Search:
    """The credentials of one account. Called by one thread at a time.

    fetch: the readings of one of them, by the deadline counted from a moment in steady seconds; raises SourceError.
    """

    def __init__(
        self, watch: Watch, rule: FailoverRule, fetch: Callable[[str, float], Sequence[Reading]], clock: Clock
    ) -> None:
        self._labels = tuple(watch.credentials)
        self._rule = rule
        self._timeout = watch.timeout
        self._clock = clock
        self._panel = Panel(watch.account, fetch, clock, watch.timeout)
        self._earlier: Mapping[str, Health] = {}

    def saw(self, active: str, health: Health) -> None:
        """A poll of the active credential after which nobody else was asked."""
        self._earlier = core.remember(self._earlier, {active: health}, active)

    def everyone(self) -> Mapping[str, Poll]:
        """What each credential says; those that give no answer in time are left out."""
        return self._panel.ask(self._labels).answers()

    def find(self, plan: Plan, active: str, health: Health, poll: Poll) -> Found:
        """What to do about the active credential, of which `poll` told that it is `health`.

        Takes at most about 3 times the timeout of a poll.
        """
        started = self._clock.now().steady
        asked = self._panel.ask(plan.ask)
        first, known = {active: poll}, {active: health}
        if plan.why is not Why.TOPPED_UP:
            return self._confirmed(plan, active, asked, first, known, started)
        answers = asked.answers()
        first |= answers
        known |= self._healths(plan, answers)
        decision = core.returning(known, self._earlier)
        self._earlier = core.remember(self._earlier, known, active)
        return Found(decision, first, answers.get(PRIMARY), self._note(known, first))

    def _confirmed(
        self, plan: Plan, active: str, asked: Round, first: dict[str, Poll], known: dict[str, Health], started: float
    ) -> Found:
        """What to do, after the active one and the best of the others were asked once more; if that fails, the next."""
        second: dict[str, Poll] = {}
        verdicts: dict[str, Health] = {}
        target = None
        for label in self._best_first(plan, asked, first, known):
            if self._clock.now().steady - started > 2 * self._timeout:
                verdicts[label] = _NO_ANSWER
                continue
            again = self._panel.ask((active, label)).answers()
            healths = self._healths(plan, again)
            known |= {one: health for one, health in healths.items() if health is not _NO_ANSWER}
            second |= again
            verdicts |= {one: core.second(one, healths, self._earlier) for one in (active, label)}
            decision = core.conclude(label, verdicts[active], verdicts[label])
            if decision is not None:
                target = _read(again.get(label)) or first[label]
                found = known | verdicts
                break
        else:
            found = dict.fromkeys(self._labels, _NO_ANSWER) | known | verdicts
            decision = core.nobody(plan, found[active], found)
        self._earlier = core.remember(self._earlier, known, active)
        return Found(decision, first, target, self._note(found, first | second))

    def _best_first(self, plan: Plan, asked: Round, first: dict[str, Poll], known: dict[str, Health]) -> Iterator[str]:
        """Those that may do, as soon as it is known of each that none is better. Adds to `first` and `known`."""
        tried: set[str] = set()
        while True:
            answers = asked.answers(lambda polls: self._settled(plan, polls, tried))
            new = {label: poll for label, poll in answers.items() if label not in first}
            first |= new
            known |= self._healths(plan, new)
            best = next((label for label in core.pick(plan, known) if label not in tried), None)
            if best is None:
                return
            tried.add(best)
            yield best

    def _note(self, found: Mapping[str, Health], polls: Mapping[str, Poll]) -> str:
        return ", ".join(_told(label, found[label], polls.get(label)) for label in self._labels if label in found)

    def _settled(self, plan: Plan, polls: Mapping[str, Poll], tried: Container[str]) -> bool:
        """Whether the first of the others to be preferred is known: all before it have answered, and it is healthy."""
        found = self._healths(plan, polls)
        for label in plan.ask:
            if label in tried:
                continue
            if label not in found:
                return False
            if found[label] is Health.HEALTHY:
                return True
        return True

    def _healths(self, plan: Plan, polls: Mapping[str, Poll]) -> dict[str, Health]:
        return {
            label: core.health(self._rule, poll.readings, poll.error, plan.rate, clear=plan.why is Why.TOPPED_UP)
            for label, poll in polls.items()
        }


def _read(poll: Poll | None) -> Poll | None:
    """The poll, if it gave readings."""
    return poll if poll is not None and poll.error is None else None


def _told(label: str, health: Health, poll: Poll | None) -> str:
    """`spare1: rejected`, or `spare2: not known (HTTP 503)`."""
    if health is not _NO_ANSWER:
        return f"{label}: {health}"
    cause = "no answer in time" if poll is None else poll.error
    return f"{label}: not known ({cause})" if cause else f"{label}: not known"
