"""The judge against a model written from the rules' text.

The model keeps no state but what was read and what was said, looks back over all of it, and counts in fractions.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from hypothesis import given

from support.histories import COOLDOWNS, EVENTS, MANY, RULES, Event, Run
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule

RANKS = {"ok": 0, "unlimited": 0, "low": 1, "critical": 2, "exhausted": 3, "arrears": 4}


@MANY
@given(RULES, EVENTS, COOLDOWNS)
def test_the_judge_agrees_with_a_model_that_looks_back_at_the_whole_history(
    rule: Rule, events: Sequence[Event], cooldown: float
) -> None:
    seen = [one for one in Run(cooldown).play(rule, events).seen if one.judged]
    expected = list(announcements(rule, [(one.time, one.reading) for one in seen], cooldown))

    assert [(str(one.after.standing.state), str(one.alert.reason) if one.alert else None) for one in seen] == expected


def announcements(
    rule: Rule, history: Sequence[tuple[float, Reading]], cooldown: float
) -> Iterator[tuple[str, str | None]]:
    """State and reason of each reading, by rules J5 to J8."""
    said: list[tuple[float, int, int]] = []  # when, which rank, in which episode
    episode, inside = 0, False
    for count, (time, _reading) in enumerate(history, start=1):
        state, in_band = model_state(rule, [reading for _, reading in history[:count]])
        rank, reason = RANKS[state], None
        here = [(when, what) for when, what, where in said if where == episode] if inside else []
        if rank == 0:
            reason, inside = ("recovered" if here else None), False
        else:
            episode, inside = (episode if inside else episode + 1), True
            muted = any(what == rank and time - when < cooldown for when, what, _ in said)
            told = here[-1][1] if here else 0
            if rank > told and not muted:
                reason = "escalated" if here else "first"
            elif rank <= told and not muted and not in_band and time - here[-1][0] >= cooldown:
                reason = "reminder"
            if reason:
                said.append((time, rank, episode))
        yield state, reason


def model_state(rule: Rule, readings: Sequence[Reading]) -> tuple[str, bool]:
    """The state of the last of `readings`, and whether it is in the band, by rules J2 and J3."""
    now = readings[-1]
    if now.unlimited:
        return "unlimited", False
    if now.value is None:
        return "exhausted", False
    if now.value < 0:
        return "arrears", False
    if now.value == 0 or not now.available:
        return "exhausted", False
    for state, bound in (("critical", rule.critical), ("low", rule.warning)):
        if bound is not None and below(bound, rule.margin, readings):
            return state, Fraction(now.value) >= in_units(bound, now.limit)
    return "ok", False


def below(bound: Bound, margin: Bound, readings: Sequence[Reading]) -> bool:
    """Looking back from the last reading: was the bound entered more lately than it was left?"""
    for reading in reversed(readings):
        if reading.unlimited:
            return False
        if reading.value is None:
            continue
        value, enter = Fraction(reading.value), in_units(bound, reading.limit)
        if enter == 0:
            return False
        if value < enter:
            return True
        leave = enter + in_units(margin, Decimal(0)) + (enter * Fraction(margin.number) / 100 if margin.percent else 0)
        if reading.limit is not None:
            leave = min(leave, max(enter, Fraction(reading.limit)))
        if value >= leave:
            return False
    return False


def in_units(bound: Bound, limit: Decimal | None) -> Fraction:
    if not bound.percent:
        return Fraction(bound.number)
    assert limit is not None
    return Fraction(bound.number) * Fraction(limit) / 100
