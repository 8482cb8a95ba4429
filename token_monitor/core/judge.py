"""The judge: (rule, state, reading, now) → (state, alert). The rules are J1 to J13 of the specification."""

from datetime import datetime
from decimal import Decimal

from attrs import evolve, field, frozen

from token_monitor.core.alert import Alert, Measured
from token_monitor.core.burn import Burn, runway
from token_monitor.core.episode import Episode, Standing, advance
from token_monitor.core.reading import Reading
from token_monitor.core.rules import LimitMissingError, Rule, Verdict, assess
from token_monitor.core.time import Now
from token_monitor.core.words import PRIMARY, Kind, Reason, State, Trigger


@frozen
class Subject:
    """What is judged. Its state and history belong to (account, credential label, quantity) (rule J13).

    quantity: empty for the subjects `visibility` and `credential` of an account.
    """

    kind: Kind
    account: str
    quantity: str = ""
    label: str = PRIMARY

    @property
    def name(self) -> str:
        """What messages call it: `facefusion/balance`, `facefusion/credential`."""
        return f"{self.account}/{self.quantity or self.kind.value}"

    def seed(self, moment: float) -> str:
        """Names the episode that begins at `moment`. `name` would not do: a quantity may be called `credential`."""
        return "\0".join((self.kind, self.account, self.label, self.quantity, repr(moment)))


@frozen
class SubjectState:
    """What the judge remembers of a subject. Survives restarts; never lives on a settings object.

    sequence: the steady time at which the last judged request was started (rule J10).
    rule: the rule of the last judgement, to tell what an edit of the rule has caused (rule J9).
    reading, read_at: the last judged one and its wall time, for people.
    burn: how fast it goes.
    """

    standing: Standing = field(factory=Standing)
    crossed: frozenset[State] = frozenset()
    rule: Rule | None = None
    sequence: float = 0.0
    reading: Reading | None = None
    read_at: datetime | None = None
    burn: Burn = field(factory=Burn)

    @property
    def runway(self) -> int | None:
        """Seconds that what was last read lasts at the recent rate; None if that cannot be said."""
        return None if self.reading is None else runway(self.reading.value, self.burn.rate)


def judge(
    subject: Subject, rule: Rule, state: SubjectState, reading: Reading, sequence: float, now: Now, cooldown: float
) -> tuple[SubjectState, Alert | None]:
    """The state after `reading`, and the alert it raises, if any.

    sequence: the steady time at which the request of the reading was started; one not newer than the last is ignored.
    cooldown: seconds within which one state is announced at most once.
    Raises LimitMissingError: the rule has a percentage and the reading no limit.
    """
    if sequence <= state.sequence:
        return state, None
    edited = state.rule is not None and state.rule != rule
    verdict = assess(rule, _still_crossed(rule, state), reading)
    seed = subject.seed(sequence)
    standing, reason = advance(seed, state.standing, verdict.state, now, cooldown, remind=not verdict.in_band)
    if reason is Reason.RECOVERED and edited and _still_wrong(state, reading):
        reason = Reason.RULE_CHANGED
    burn = state.burn if reading.value is None else state.burn.read(reading.value, sequence)
    after = SubjectState(standing, verdict.crossed, rule, sequence, reading, now.wall, burn)
    if reason is None:
        return after, None
    episode = _announced_in(standing, state.standing)
    return after, _alert(subject, verdict.state, reason, episode, now.wall, _measured(verdict, reading, after.runway))


def observe(
    subject: Subject, state: SubjectState, seen: State, now: Now, cooldown: float, *, remind: bool = True
) -> tuple[SubjectState, Alert | None]:
    """The judge of the subjects without a number: `visibility` and `credential` (rule J11)."""
    standing, reason = advance(subject.seed(now.steady), state.standing, seen, now, cooldown, remind=remind)
    after = evolve(state, standing=standing)
    if reason is None:
        return after, None
    return after, _alert(subject, seen, reason, _announced_in(standing, state.standing), now.wall)


def close(subject: Subject, state: SubjectState, reason: Reason, now: Now) -> tuple[SubjectState, Alert | None]:
    """End the episode without a reading: the account or the rule is gone (rule J9). The stamps alone stay."""
    episode = state.standing.episode
    after = evolve(state, standing=evolve(state.standing, state=State.UNKNOWN, episode=None), crossed=frozenset())
    if episode is None or episode.told is None:
        return after, None
    measured = None
    if state.reading is not None:
        calm = state.rule.calm(state.reading.limit) if state.rule else Decimal(0)
        measured = _measured(Verdict(State.OK, Trigger.THRESHOLD, calm, frozenset()), state.reading)
    return after, _alert(subject, State.OK, reason, episode, now.wall, measured)


def current(subject: Subject, state: SubjectState) -> Alert | None:
    """The alert that stands now, if an episode is open (rule O9).

    What was announced of it does not matter: what the cooldown defers (rule J8) stands, and what gets better without a
    word (rule J7) stands as it is now. `at` is when the episode began; `reason` always `first`.
    """
    standing = state.standing
    episode = standing.episode
    if episode is None or episode.began is None or standing.state.rank == 0:
        return None
    measured = None
    if state.rule is not None and state.reading is not None:
        measured = _measured(assess(state.rule, state.crossed, state.reading), state.reading, state.runway)
    return _alert(subject, standing.state, Reason.FIRST, episode, episode.began, measured)


def _still_crossed(rule: Rule, state: SubjectState) -> frozenset[State]:
    """The crossed bounds that no edit has touched; others are judged afresh (rule J9)."""
    before = state.rule
    if before is None or before.margin != rule.margin:
        return frozenset()
    same = {State.LOW: before.warning == rule.warning, State.CRITICAL: before.critical == rule.critical}
    return frozenset(bound for bound in state.crossed if same[bound])


def _still_wrong(state: SubjectState, reading: Reading) -> bool:
    """Whether the rule before the edit would still hold the episode open."""
    assert state.rule is not None
    try:
        return assess(state.rule, state.crossed, reading).state.rank > 0
    except LimitMissingError:
        return True


def _announced_in(after: Standing, before: Standing) -> Episode:
    """The episode an announcement belongs to; one that closes belongs to the episode it ended."""
    episode = after.episode or before.episode
    assert episode is not None
    return episode


def _measured(verdict: Verdict, reading: Reading, lasts: int | None = None) -> Measured:
    return Measured(
        reading.quantity, verdict.trigger, reading.value, verdict.threshold, reading.limit, reading.unit, lasts
    )


def _alert(
    subject: Subject, state: State, reason: Reason, episode: Episode, at: datetime, measured: Measured | None = None
) -> Alert:
    number = episode.count + 1 if reason.closes else episode.count
    return Alert(
        id=f"{episode.id}-{number}",
        kind=subject.kind,
        subject=subject.name,
        account=subject.account,
        state=state,
        reason=reason,
        episode=episode.id,
        at=at,
        measured=measured,
        label=subject.label,
    )
