"""The credentials of one account: which is active, and what is done when it fails."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import structlog
from attrs import evolve, frozen

from token_monitor.core import failover as core
from token_monitor.core.alert import Switch
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.failover import Decision, FailoverState, Health, Move
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.core.time import Now
from token_monitor.core.words import Why
from token_monitor.fetcher import Fetcher
from token_monitor.search import Search
from token_monitor.step import Step
from token_monitor.watch import Poll, Watch, World

REVIEW_EVERY: Final = 86400.0

log = structlog.get_logger()


@frozen
class Finding:
    """What a poll of the active credential came to.

    target: what the credential to change to said when it was asked the second time.
    state: what to remember; it counts once it is given to `accept`.
    note: what each credential was found to be, for people.
    """

    decision: Decision
    state: FailoverState
    target: Poll | None = None
    note: str = ""


@frozen
class Outcome:
    """What follows for the account.

    state: what to remember of its credentials. switch: for the audit, a dry run's too.
    """

    state: FailoverState
    switch: Switch | None = None


class Failover:
    """Asks the active credential, and finds another when it fails. Called by one thread at a time.

    known: what the store remembers; a label that is no longer in the settings gives way to the primary.
    """

    def __init__(self, watch: Watch, world: World, known: FailoverState | None) -> None:
        self._watch = watch
        self._world, self._clock = world, world.clock
        self._rule = watch.failover if watch.spares else None
        self.labels = tuple(watch.credentials)
        self._fetchers = {
            label: Fetcher(watch.source, resolve, world.clock, world.pause, watch.timeout, watch.interval)
            for label, resolve in watch.credentials.items()
        }
        search = Search(watch, self._rule, self._fetch, world.clock) if self._rule else None
        self._search = search  # 2 KB, which a thousand accounts without spares need not hold
        self._reviewed: float | None = None
        self._not_written = ""
        self._undecided = False
        self._none_better = ""
        self.state = self._valid(known or FailoverState())

    def _valid(self, known: FailoverState) -> FailoverState:
        here = {label: value for label, value in known.seen.items() if label in self.labels}
        shared = tuple(pair for pair in known.shared if set(pair) <= set(self.labels))
        if known.label in self.labels:
            return evolve(known, seen=here, shared=shared)
        log.warning("Credential no longer in the settings", account=self._watch.account, credential_label=known.label)
        return FailoverState(seen=here, shared=shared, left=known.label)

    @property
    def active(self) -> str:
        """The label of the credential that is asked."""
        return self.state.label

    @property
    def accepted(self) -> Secret | None:
        """What the provider took last as the active credential; None: nothing since the start."""
        return self._fetchers[self.active].accepted

    def fetch(self, started: float) -> Sequence[Reading]:
        """The readings of the active credential. Raises SourceError."""
        return self._fetch(self.active, started)

    def _fetch(self, label: str, started: float) -> Sequence[Reading]:
        readings = self._fetchers[label].fetch(started)
        for reading in readings:
            rules = [self._watch.rules[reading.quantity]]
            if self._rule is not None and self._rule.quantity == reading.quantity:
                rules.append(self._rule.bounds())
            counted = reading.value is not None and not reading.unlimited
            if counted and reading.limit is None and any(rule.needs_limit for rule in rules):
                message = f"{reading.quantity}: a percentage threshold needs a limit, and the answer gives none"
                raise SourceError(Failure.NO_LIMIT, message)
        return readings

    def consider(self, poll: Poll, rates: Mapping[str, Decimal]) -> Finding | None:
        """What follows from a poll of the active credential; None: nothing ever does, for there is no other.

        rates: at which the credentials are spent, in units a second, as far as that is known.
        Asks the others if it must: that takes at most about 3 times the timeout of a poll.
        """
        if self._rule is None or self._search is None:
            return None
        active = core.health(self._rule, poll.readings, poll.error, rates.get(self.active))
        plan = core.plan(self._rule, self.labels, self.state, active, self._clock.now().steady, rates)
        if not plan.ask:
            self._search.saw(self.active, active)
            return self._remarked(Finding(Decision(plan.move), self.state))
        found = self._search.find(plan, self.active, active, poll)
        state = self._compared(found.first)
        note = ", ".join([found.note, *(f"{one} and {other} share one balance" for one, other in state.shared)])
        return self._published(self._remarked(Finding(found.decision, state, found.target, note)))

    def _remarked(self, finding: Finding) -> Finding:
        """The same, in the log where there is nobody to change to.

        But people must be told where for a second time nobody was found for one that cannot pay, whatever the reason.
        """
        move = finding.decision.move
        if finding.decision.can_pay:
            self._undecided = False
            self._remark_none_better(finding.note if move is Move.NONE_BETTER else "")
        if move is not Move.UNDECIDED:
            return finding
        if self._undecided:
            return evolve(finding, decision=Decision(Move.NONE_HEALTHY))
        self._undecided = True
        log.warning("No other credential found yet", account=self._watch.account, found=finding.note)
        return finding

    def _remark_none_better(self, found: str) -> None:
        """It is no alert: the active one can pay, and its own thresholds warn. found: empty where there is no need."""
        if found not in ("", self._none_better):
            log.warning(
                "No better credential", account=self._watch.account, credential_label=self.active, found=found
            )  # fmt: skip
        self._none_better = found

    def _published(self, finding: Finding) -> Finding:
        """The same, with the new credential in its file; or no switch: the program that reads it goes on as before."""
        decision = finding.decision
        assert self._rule is not None
        if decision.move is not Move.SWITCH or decision.target is None or self._rule.dry_run:
            return finding
        problem = self._kept_from_file(self.active, decision.target, decision.why)
        if problem is None:
            return finding
        if self._world.pause(0.0):
            return evolve(finding, decision=Decision(Move.BLIND))
        return evolve(finding, decision=evolve(decision, move=Move.UNPUBLISHED), note=f"{finding.note}; but {problem}")

    def _kept_from_file(self, origin: str, target: str, why: Why | None) -> str | None:
        """Have `target` published. What prevents that, said in the log too unless we are stopping; None: nothing."""
        if self._world.publisher is None:
            return None
        secret = self._fetchers[target].accepted
        assert secret is not None
        problem = self._world.publisher.replace(self._watch.account, secret)
        if problem is None:
            self._not_written = ""
        elif problem != self._not_written and not self._world.pause(0.0):
            self._not_written = problem
            log.error(
                "Credential not switched", account=self._watch.account, error=problem,
                credential_from=origin, credential_to=target, credential_why=why,
            )  # fmt: skip
        return problem

    def replaces_removed(self, finding: Finding | None) -> bool:
        """Whether a credential that was removed from the settings is to be left now: another is in its file."""
        if not self.state.left:
            return False
        if finding is not None and finding.decision.move is Move.SWITCH and self._rule and not self._rule.dry_run:
            return True
        return self.accepted is not None and not self._kept_from_file(self.state.left, self.active, Why.REMOVED)

    def leave_removed(self, step: Step, now: Now) -> Outcome:
        """Have `step` say that the credential that was removed has been left. See `replaces_removed`."""
        switch = Switch(self._watch.account, self.state.left, self.active, Why.REMOVED, now.wall)
        step.switched(switch, None)
        return Outcome(evolve(self.state, left=""), switch)

    def follow(self, finding: Finding | None, step: Step, now: Now) -> Outcome:
        """Have `step` do what was decided, or in a dry run only say it."""
        if finding is None:
            return Outcome(self.state)
        finding = evolve(finding, state=evolve(finding.state, left=self.state.left))  # which was told since, perhaps
        move = finding.decision.move
        state = evolve(finding.state, would=()) if move is Move.STAY else finding.state
        outcome = self._switch(finding, step, now) if move is Move.SWITCH else Outcome(state)
        can_pay = finding.decision.can_pay
        if can_pay is not None:
            step.can_pay(can_pay, finding.note)
        if move is Move.UNCONFIRMED:
            log.info("Credential failed once, not twice", account=self._watch.account, credential_label=self.active)
        return outcome

    def _switch(self, finding: Finding, step: Step, now: Now) -> Outcome:
        decision = finding.decision
        assert self._rule is not None
        assert decision.target is not None
        assert decision.why is not None
        switch = Switch(self._watch.account, self.active, decision.target, decision.why, now.wall, self._rule.dry_run)
        if switch.dry_run:
            return self._said_only(switch, finding.state)
        step.switched(switch, finding.target)
        return Outcome(evolve(finding.state, label=switch.target, switched_at=now.steady, would=()), switch)

    def _said_only(self, switch: Switch, state: FailoverState) -> Outcome:
        """A switch of a dry run is said and audited the first time it would happen."""
        would = (switch.origin, switch.target, switch.why.value)
        if state.would == would:
            return Outcome(state)
        log.warning(
            "Credential would be switched, this is a dry run",
            account=switch.account,
            credential_from=switch.origin,
            credential_to=switch.target,
            credential_why=switch.why,
        )
        return Outcome(evolve(state, would=would), switch)

    def review(self, finding: Finding | None) -> FailoverState | None:
        """Once a day while all is well: ask every credential, and say which spare would be none. None: not now.

        A spare that is found dead when it is needed is found too late.
        """
        now = self._clock.now().steady
        if self._rule is None or self._search is None or finding is None or finding.decision.move is not Move.STAY:
            return None
        if self._reviewed is not None and now - self._reviewed < REVIEW_EVERY:
            return None
        self._reviewed = now
        answers = self._search.everyone()
        for label in self.labels:
            poll = answers.get(label)
            health = Health.UNREADABLE if poll is None else core.health(self._rule, poll.readings, poll.error)
            if label != self.active and health is not Health.HEALTHY:
                cause = "no answer" if poll is None else str(poll.error) if poll.error else None
                log.warning(
                    "Spare credential cannot be used", account=self._watch.account, credential_label=label,
                    health=health, error=cause,
                )  # fmt: skip
        return self._compared(answers)

    def accept(self, state: FailoverState) -> None:
        """From now on this is so: it is stored."""
        self.state = state

    def _compared(self, polls: Mapping[str, Poll]) -> FailoverState:
        values: dict[str, Decimal] = {}
        for label, poll in polls.items():
            for reading in poll.readings:
                if self._rule is not None and reading.quantity == self._rule.quantity and reading.value is not None:
                    values[label] = reading.value
        seen, shared = core.compare(self.state, values)
        for pair in set(shared) - set(self.state.shared):
            log.warning("Credentials share one balance", account=self._watch.account, credential_labels=pair)
        return evolve(self.state, seen=seen, shared=shared)
