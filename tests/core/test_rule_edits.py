"""An edit of one bound leaves the other as it was (rules J3, J9)."""

from decimal import Decimal

import pytest
from attrs import evolve

from support.clock import FakeClock
from support.watching import reading
from token_monitor.core.judge import Subject, SubjectState, judge
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.words import Kind, State

RULE = Rule(warning=Bound(Decimal(10)))


@pytest.mark.parametrize(
    ("edited", "state"),
    [
        (evolve(RULE, critical=Bound(Decimal(3))), State.LOW),
        (evolve(RULE, warning=Bound(Decimal("10.1"))), State.OK),
        (evolve(RULE, margin=Bound(Decimal(1), percent=True)), State.OK),
    ],
)
def test_a_crossed_bound_stays_crossed_within_its_band_unless_it_was_edited_itself(edited: Rule, state: State) -> None:
    clock = FakeClock()
    subject, memory = Subject(Kind.ACCOUNT, "a", "balance"), SubjectState()
    memory, _ = judge(subject, RULE, memory, reading(9), 1, clock.now(), 1800)
    memory, _ = judge(subject, edited, memory, reading("10.2"), 2, clock.now(), 1800)
    assert memory.standing.state is state
