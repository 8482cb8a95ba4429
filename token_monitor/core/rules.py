"""Thresholds with hysteresis (rules J2, J3): what a reading means, given which bounds it had already crossed."""

from decimal import Context, Decimal
from typing import Final

from attrs import frozen

from token_monitor.core.number import plain
from token_monitor.core.reading import Reading
from token_monitor.core.words import State, Trigger

# Every sum and product of numbers within the bounds of `core.number` fits, so that none is rounded.
_EXACT: Final = Context(prec=250)


class LimitMissingError(ValueError):
    """A percentage was asked for, and the reading has no limit to take it of."""


@frozen
class Bound:
    """A number of units, or a percentage of the limit."""

    number: Decimal
    percent: bool = False

    def of(self, whole: Decimal | None) -> Decimal:
        """The bound in units. Raises LimitMissingError for a percentage of nothing."""
        if not self.percent:
            return self.number
        if whole is None:
            raise LimitMissingError
        return _EXACT.divide(_EXACT.multiply(self.number, whole), Decimal(100))

    def __str__(self) -> str:
        return plain(self.number) + "%" * self.percent


MARGIN: Final = Bound(Decimal(5), percent=True)


@frozen
class Rule:
    """When a quantity is `low` and when `critical`.

    margin: how far above a bound the value must rise to have left it; a percentage is of the bound itself.
    """

    warning: Bound | None = None
    critical: Bound | None = None
    margin: Bound = MARGIN

    @property
    def needs_limit(self) -> bool:
        return any(bound is not None and bound.percent for bound in (self.warning, self.critical))

    def exit(self, threshold: Decimal, limit: Decimal | None) -> Decimal:
        """The value at which a crossed threshold is left; a full account always leaves it."""
        above = _EXACT.add(threshold, self.margin.of(threshold.copy_abs()))
        return above if limit is None else min(above, max(threshold, limit))

    def calm(self, limit: Decimal | None) -> Decimal:
        """The bound to show when nothing is wrong, in units: the warning bound; 0 where it is unknown."""
        bound = self.warning or self.critical
        if bound is None or (bound.percent and limit is None):
            return Decimal(0)
        return bound.of(limit)


@frozen
class Verdict:
    """What a rule says of a reading.

    threshold: the bound of `state` in units; 0 for exhausted and arrears; the warning bound when nothing is wrong.
    crossed: the bounds entered and not left, to be handed back with the next reading.
    in_band: the value is back above the bound but has not left it; no reminders there.
    """

    state: State
    trigger: Trigger
    threshold: Decimal
    crossed: frozenset[State]
    in_band: bool = False


def assess(rule: Rule, crossed: frozenset[State], reading: Reading) -> Verdict:
    """The verdict of `rule` on `reading`. Raises LimitMissingError for a percentage without a limit."""
    if reading.unlimited:
        return Verdict(State.UNLIMITED, Trigger.THRESHOLD, rule.calm(reading.limit), frozenset())
    if reading.value is None:
        return Verdict(State.EXHAUSTED, Trigger.STATUS, Decimal(0), crossed)
    value = reading.value
    thresholds = {
        state: bound.of(reading.limit)
        for state, bound in ((State.CRITICAL, rule.critical), (State.LOW, rule.warning))
        if bound is not None
    }
    now_crossed = frozenset(
        state
        for state, threshold in thresholds.items()
        if threshold > 0 and (value < threshold or (state in crossed and value < rule.exit(threshold, reading.limit)))
    )
    if value < 0:
        return Verdict(State.ARREARS, Trigger.THRESHOLD, Decimal(0), now_crossed)
    if value == 0:
        return Verdict(State.EXHAUSTED, Trigger.THRESHOLD, Decimal(0), now_crossed)
    if not reading.available:
        return Verdict(State.EXHAUSTED, Trigger.FLAG, Decimal(0), now_crossed)
    for state, threshold in thresholds.items():
        if state in now_crossed:
            return Verdict(state, Trigger.THRESHOLD, threshold, now_crossed, in_band=value >= threshold)
    return Verdict(State.OK, Trigger.THRESHOLD, rule.calm(reading.limit), now_crossed)
