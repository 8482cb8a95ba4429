"""When an account changes to another credential: (rule, what the readings say, the last switch) → decision.

A decision is made in two rounds: `plan` says whom to ask besides the active credential, `pick` whom of them to ask once
more together with the active one, and `conclude` or `nobody` what to do. The way back to the primary takes two polls
instead (`returning`).
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from typing import Final

from attrs import field, frozen

from token_monitor.core.burn import runway
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, LimitMissingError, Rule, assess
from token_monitor.core.words import PRIMARY, State, Why

_CANNOT_PAY: Final = (Why.EXHAUSTED, Why.ARREARS, Why.REJECTED)
_CLEAR: Final = 1.25
"""How much longer than the limit a balance must last to have left it (rule J4)."""

_UNKNOWN: Final[Mapping[str, Decimal]] = {}

Pair = tuple[str, str]
"""Two labels, in the order of the alphabet."""


class Health(StrEnum):
    """What a credential is good for."""

    HEALTHY = "healthy"
    BELOW = "below"
    RUNWAY = "runway"
    EXHAUSTED = "exhausted"
    ARREARS = "arrears"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"


class Move(StrEnum):
    """What is decided."""

    STAY = "stay"
    BLIND = "blind"
    DWELL = "dwell"
    UNCONFIRMED = "unconfirmed"
    UNDECIDED = "undecided"
    NONE_BETTER = "none_better"
    NONE_HEALTHY = "none_healthy"
    UNPUBLISHED = "unpublished"
    SWITCH = "switch"


@frozen
class FailoverRule:
    """When a credential has to be left, and how.

    quantity: the one whose reading decides.
    below: a credential with less than this is left, and is none to change to; None: only one that cannot pay at all.
    runway: a credential that lasts shorter than this is left, and is none to change to; seconds. Others are taken to be
        spent at the rate of the active one, for that is where the spending goes.
    back: return to the primary once it was healthy at two polls in a row; its value must then be clear of `below` and
        `runway` by the usual margins.
    dry_run: only say what would be done.
    dwell: seconds from one switch to the next, at least.
    """

    quantity: str
    below: Bound | None = None
    runway: float | None = None
    back: bool = False
    dry_run: bool = False
    dwell: float = 60.0

    def bounds(self) -> Rule:
        """What concerns the balance alone, as a rule of the judge."""
        return Rule(warning=self.below)


@frozen
class FailoverState:
    """What is remembered of the credentials of one account. Survives restarts.

    label: of the active one. switched_at: when it became that, in steady seconds; None: it always was.
    seen: the values last read of several credentials at one moment, by label.
    shared: those that turned out to be paid from one balance.
    would: from, to and why of the switch that a dry run told last, while it still would be made.
    left: of the credential that was active when it was removed from the settings, until that switch is told.
    """

    label: str = PRIMARY
    switched_at: float | None = None
    seen: Mapping[str, Decimal] = field(factory=dict)
    shared: tuple[Pair, ...] = ()
    would: tuple[str, ...] = ()
    left: str = ""


@frozen
class Plan:
    """Whom to ask, the one to be preferred first; and what to do if nobody is to be asked.

    why: what a switch would be for. rate: at which the active credential is spent, in units a second, if that is known.
    """

    move: Move
    ask: Sequence[str] = ()
    why: Why | None = None
    rate: Decimal | None = None


@frozen
class Decision:
    """target, why: of a switch, made or not."""

    move: Move
    target: str | None = None
    why: Why | None = None

    @property
    def can_pay(self) -> bool | None:
        """Whether the credential that is in use from now on can pay, where that is known."""
        match self.move:
            case Move.STAY | Move.NONE_BETTER | Move.SWITCH:
                return True
            case Move.NONE_HEALTHY:
                return False
            case Move.UNPUBLISHED:
                return self.why not in _CANNOT_PAY
        return None


def health(
    rule: FailoverRule,
    readings: Sequence[Reading],
    error: SourceError | None,
    rate: Decimal | None = None,
    *,
    clear: bool = False,
) -> Health:
    """What a credential is good for, by what came of asking with it.

    rate: at which it is spent, in units a second; None while that is not known.
    clear: a value above the limits is not enough, it must have left them (rules J3, J4).
    """
    if error is not None:
        return Health.REJECTED if error.kind is Failure.REJECTED else Health.UNREADABLE
    if any(reading.value is None and not reading.unlimited for reading in readings):
        return Health.EXHAUSTED
    reading = next((reading for reading in readings if reading.quantity == rule.quantity), None)
    if reading is None:
        return Health.UNREADABLE
    try:
        state = assess(rule.bounds(), frozenset({State.LOW} if clear else ()), reading).state
    except LimitMissingError:
        return Health.UNREADABLE
    if state is State.OK and rule.runway is not None:
        lasts = runway(reading.value, rate)
        if lasts is not None and lasts < rule.runway * (_CLEAR if clear else 1):
            return Health.RUNWAY
    return _HEALTH[state]


_HEALTH = {
    State.OK: Health.HEALTHY,
    State.UNLIMITED: Health.HEALTHY,
    State.LOW: Health.BELOW,
    State.EXHAUSTED: Health.EXHAUSTED,
    State.ARREARS: Health.ARREARS,
}


def plan(
    rule: FailoverRule,
    labels: Sequence[str],
    state: FailoverState,
    active: Health,
    now: float,
    rates: Mapping[str, Decimal] = _UNKNOWN,
) -> Plan:
    """Whom to ask, if the active credential is found to be `active`.

    labels: of all credentials, in the order of preference. now: steady seconds.
    rates: at which each is spent or was when it was used last, in units a second, by label, as far as that is known.
    The primary is the last resort, unless the account is to return to it anyway.
    """
    rate = rates.get(state.label)
    resting = state.switched_at is not None and now - state.switched_at < rule.dwell
    if active is Health.UNREADABLE:
        return Plan(Move.BLIND)
    if active is Health.HEALTHY:
        if rule.back and state.label != PRIMARY and not resting:
            return Plan(Move.STAY, (PRIMARY,), Why.TOPPED_UP, _highest(rates, state.label, PRIMARY))
        return Plan(Move.STAY)
    if resting:
        return Plan(Move.DWELL)
    others = [label for label in labels if label != state.label]
    if not rule.back:
        others.sort(key=lambda label: label == PRIMARY)
    return Plan(Move.NONE_HEALTHY, tuple(others), Why(active.value), rate)


def _highest(rates: Mapping[str, Decimal], *labels: str) -> Decimal | None:
    """Of the rates that are known. A pause in spending makes no credential last longer than when it was left."""
    return max((rates[label] for label in labels if label in rates), default=None)


def pick(plan: Plan, found: Mapping[str, Health]) -> Iterator[str]:
    """Those of whom it asked that will do, in its order, the best first."""
    return (label for health in _good_enough(plan.why) for label in plan.ask if found.get(label) is health)


def _good_enough(why: Why | None) -> Sequence[Health]:
    """A little is better than nothing: where the active one cannot pay at all, one that is below a limit will do."""
    return (Health.HEALTHY, Health.RUNWAY, Health.BELOW) if why in _CANNOT_PAY else (Health.HEALTHY,)


def conclude(target: str, active: Health, found: Health) -> Decision | None:
    """The decision after both were asked once more; None: `target` will not do, the next may."""
    if active in (Health.HEALTHY, Health.UNREADABLE):
        return Decision(Move.UNCONFIRMED)
    why = Why(active.value)
    return Decision(Move.SWITCH, target, why) if found in _good_enough(why) else None


def returning(found: Mapping[str, Health], earlier: Mapping[str, Health]) -> Decision:
    """Whether to return to the primary: it is healthy, and was at the poll before. There is no hurry."""
    healthy = found.get(PRIMARY) is Health.HEALTHY and earlier.get(PRIMARY) is Health.HEALTHY
    return Decision(Move.SWITCH, PRIMARY, Why.TOPPED_UP) if healthy else Decision(Move.STAY)


def nobody(plan: Plan, active: Health, found: Mapping[str, Health]) -> Decision:
    """What to make of it that none of those that were asked will do, while the active one is `active`.

    If that can still pay it is used on. Else nobody can: all are bad, or some are not known.
    """
    if active in (Health.BELOW, Health.RUNWAY):
        return Decision(Move.NONE_BETTER)
    known = all(found.get(label, Health.UNREADABLE) is not Health.UNREADABLE for label in plan.ask)
    return Decision(Move.NONE_HEALTHY if known else Move.UNDECIDED)


def remember(earlier: Mapping[str, Health], found: Mapping[str, Health], active: str) -> dict[str, Health]:
    """What is known of the credentials until the next poll: the last answer of each, while the active one fails."""
    before = {} if found.get(active) is Health.HEALTHY else earlier
    return {**before, **{label: health for label, health in found.items() if health is not Health.UNREADABLE}}


def second(label: str, again: Mapping[str, Health], earlier: Mapping[str, Health]) -> Health:
    """What a credential said the second time it was asked.

    If it gave no answer, what is known from earlier polls stands in: two answers, and none in between that differs.
    """
    found = again.get(label, Health.UNREADABLE)
    return earlier.get(label, Health.UNREADABLE) if found is Health.UNREADABLE else found


def compare(state: FailoverState, values: Mapping[str, Decimal]) -> tuple[Mapping[str, Decimal], tuple[Pair, ...]]:
    """`seen` and `shared` after these values were read at one moment.

    Two credentials share a balance if both had one value, and at a later moment both one lower value: spent, as far as
    anybody can see from outside. A rise proves nothing, for two accounts may be topped up alike, nor does an end at 0,
    where all meet. Values that differ prove the opposite.
    """
    shared = set(state.shared)
    for pair in combinations(sorted(values), 2):
        one, other = pair
        before = state.seen.get(one)
        if values[one] != values[other]:
            shared.discard(pair)
        elif before is not None and before == state.seen.get(other) and 0 < values[one] < before:
            shared.add(pair)
    return {**state.seen, **values}, tuple(sorted(shared))
