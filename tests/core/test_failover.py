"""When an account changes to another credential: tables of the decision."""

from decimal import Decimal

import pytest

from support.judging import reading
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.failover import (
    Decision,
    FailoverRule,
    FailoverState,
    Health,
    Move,
    Plan,
    compare,
    conclude,
    health,
    nobody,
    pick,
    plan,
    remember,
    returning,
    second,
)
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound
from token_monitor.core.words import Why

LABELS = ("primary", "spare1", "spare2")
LITTLE = (Health.BELOW, Health.RUNWAY)
PENNILESS = (Health.EXHAUSTED, Health.ARREARS, Health.REJECTED)
FAILING = (*LITTLE, *PENNILESS)


def rule(below: str | None = None, **more: object) -> FailoverRule:
    bound = None if below is None else Bound(Decimal(below.removesuffix("%")), percent=below.endswith("%"))
    return FailoverRule("balance", bound, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("below", "read", "found"),
    [
        (None, "1", "healthy"),
        (None, "0", "exhausted"),
        (None, "402", "exhausted"),
        (None, "7!", "exhausted"),
        (None, "-1", "arrears"),
        (None, "unlimited", "healthy"),
        ("5", "5", "healthy"),
        ("5", "4.99", "below"),
        ("5", "0", "exhausted"),
        ("5", "-1", "arrears"),
        ("5", "unlimited", "healthy"),
        ("10%", "10/100", "healthy"),
        ("10%", "9/100", "below"),
        ("10%", "9", "unreadable"),
        ("0", "0.01", "healthy"),
    ],
)
def test_a_reading_says_what_a_credential_is_good_for(below: str | None, read: str, found: str) -> None:
    assert health(rule(below), [reading(read)], None) == found


def test_a_rejection_is_told_from_every_other_failure() -> None:
    for failure in Failure:
        expected = Health.REJECTED if failure is Failure.REJECTED else Health.UNREADABLE
        assert health(rule(), [], SourceError(failure, "x")) is expected


def test_the_quantity_of_the_rule_decides_and_one_that_is_missing_says_nothing() -> None:
    both = [Reading("balance", Decimal(5), "calls"), Reading("weekly", Decimal(0), "calls")]
    assert health(rule(), both, None) is Health.HEALTHY
    assert health(FailoverRule("weekly"), both, None) is Health.EXHAUSTED
    assert health(FailoverRule("daily"), both, None) is Health.UNREADABLE
    assert health(FailoverRule("weekly"), [Reading("balance", None, "")], None) is Health.EXHAUSTED


def test_the_way_back_needs_more_than_the_threshold() -> None:
    for value, found in (("100", Health.BELOW), ("104", Health.BELOW), ("105", Health.HEALTHY)):
        assert health(rule("100"), [reading(value)], None, clear=True) is found
    assert health(rule(), [reading("1")], None, clear=True) is Health.HEALTHY


def test_a_credential_that_lasts_shorter_than_the_runway_asked_for_is_not_healthy() -> None:
    an_hour = FailoverRule("balance", Bound(Decimal(5)), runway=3600.0)
    rate = Decimal("0.01")  # 36 an hour
    for read, found in (
        ("36", Health.HEALTHY),
        ("35.99", Health.RUNWAY),
        ("4", Health.BELOW),
        ("0", Health.EXHAUSTED),
        ("unlimited", Health.HEALTHY),
    ):
        assert health(an_hour, [reading(read)], None, rate) is found
    for unknown in (None, Decimal(0)):
        assert health(an_hour, [reading("6")], None, unknown) is Health.HEALTHY


def test_the_way_back_needs_a_quarter_more_than_the_runway() -> None:
    an_hour, rate = FailoverRule("balance", runway=3600.0), Decimal("0.01")
    for value, found in (("44.9", Health.RUNWAY), ("45", Health.HEALTHY)):
        assert health(an_hour, [reading(value)], None, rate, clear=True) is found


def test_others_are_taken_to_be_spent_as_the_active_one_and_the_primary_no_slower_than_when_it_was_left() -> None:
    slow, fast = Decimal(1), Decimal(2)
    leaving = plan(rule(), LABELS, FailoverState(), Health.RUNWAY, 1000, {"primary": fast, "spare1": slow})
    assert (leaving.why, leaving.rate) == (Why.RUNWAY, fast)
    for rates, rate in (({"spare1": slow, "primary": fast}, fast), ({"spare1": slow}, slow), ({}, None)):
        assert plan(rule(back=True), LABELS, FailoverState("spare1"), Health.HEALTHY, 1000, rates).rate == rate


@pytest.mark.parametrize("back", [False, True])
def test_while_the_active_one_serves_nobody_else_is_asked_but_the_primary_if_the_account_is_to_return(
    back: bool,
) -> None:
    assert plan(rule(back=back), LABELS, FailoverState(), Health.HEALTHY, 1000) == Plan(Move.STAY)
    on_spare = plan(rule(back=back), LABELS, FailoverState("spare1", 0.0), Health.HEALTHY, 1000)
    assert on_spare == (Plan(Move.STAY, ("primary",), Why.TOPPED_UP) if back else Plan(Move.STAY))


@pytest.mark.parametrize("active", FAILING)
@pytest.mark.parametrize(
    ("label", "back", "asked"),
    [
        ("primary", False, ("spare1", "spare2")),
        ("spare1", False, ("spare2", "primary")),
        ("spare2", False, ("spare1", "primary")),
        ("spare2", True, ("primary", "spare1")),
    ],
)
def test_when_the_active_one_fails_all_others_are_asked_and_the_primary_is_the_last_resort(
    active: Health, label: str, back: bool, asked: tuple[str, ...]
) -> None:
    found = plan(rule(back=back), LABELS, FailoverState(label), active, 1000)
    assert found == Plan(Move.NONE_HEALTHY, asked, Why(active.value))


def test_a_balance_that_cannot_be_read_moves_nothing() -> None:
    assert plan(rule(), LABELS, FailoverState(), Health.UNREADABLE, 1000) == Plan(Move.BLIND)


def test_there_is_a_time_between_two_switches() -> None:
    state = FailoverState("spare1", switched_at=1000.0)
    for now, move in ((1059.9, Move.DWELL), (1060, Move.NONE_HEALTHY)):
        assert plan(rule(dwell=60), LABELS, state, Health.EXHAUSTED, now).move is move
    assert plan(rule(back=True), LABELS, state, Health.HEALTHY, 1059.9) == Plan(Move.STAY)


def test_only_healthy_ones_are_picked_in_the_order_of_the_plan() -> None:
    asked = Plan(Move.NONE_HEALTHY, ("spare1", "spare2", "spare3"), Why.BELOW)
    found = {"spare3": Health.HEALTHY, "spare1": Health.BELOW, "spare2": Health.HEALTHY}
    assert list(pick(asked, found)) == ["spare2", "spare3"]
    assert list(pick(asked, {})) == []


@pytest.mark.parametrize("why", [Why.EXHAUSTED, Why.ARREARS, Why.REJECTED])
def test_where_the_active_one_cannot_pay_at_all_a_little_is_better_than_nothing(why: Why) -> None:
    asked = Plan(Move.NONE_HEALTHY, ("spare1", "spare2", "spare3"), why)
    found = {"spare3": Health.HEALTHY, "spare1": Health.BELOW, "spare2": Health.EXHAUSTED}
    assert list(pick(asked, found)) == ["spare3", "spare1"]


@pytest.mark.parametrize("active", Health)
@pytest.mark.parametrize("found", Health)
def test_a_switch_needs_the_active_one_to_fail_again_and_the_other_to_do_again(active: Health, found: Health) -> None:
    decision = conclude("spare1", active, found)
    if active in (Health.HEALTHY, Health.UNREADABLE):
        assert decision == Decision(Move.UNCONFIRMED)
    elif found is Health.HEALTHY or (found in LITTLE and active not in LITTLE):
        assert decision == Decision(Move.SWITCH, "spare1", Why(active.value))
    else:
        assert decision is None


@pytest.mark.parametrize("found", [*Health, None])
@pytest.mark.parametrize("earlier", [*Health, None])
def test_the_way_back_needs_a_primary_that_is_healthy_at_two_polls(
    found: Health | None, earlier: Health | None
) -> None:
    decision = returning(*({} if health is None else {"primary": health} for health in (found, earlier)))
    both = found is Health.HEALTHY and earlier is Health.HEALTHY
    assert decision == (Decision(Move.SWITCH, "primary", Why.TOPPED_UP) if both else Decision(Move.STAY))


def test_that_no_credential_helps_is_said_only_of_those_that_are_known() -> None:
    asked = Plan(Move.NONE_HEALTHY, ("spare1", "spare2"), Why.EXHAUSTED)
    for active in PENNILESS:
        for bad in FAILING:
            assert nobody(asked, active, {"spare1": bad, "spare2": Health.REJECTED}) == Decision(Move.NONE_HEALTHY)
            assert nobody(asked, active, {"spare1": bad, "spare2": Health.UNREADABLE}) == Decision(Move.UNDECIDED)
            assert nobody(asked, active, {"spare1": bad}) == Decision(Move.UNDECIDED)


@pytest.mark.parametrize("active", LITTLE)
@pytest.mark.parametrize("other", [*Health, None])
def test_one_that_can_still_pay_is_used_on_while_none_is_better_whatever_is_known_of_the_others(
    active: Health, other: Health | None
) -> None:
    asked = Plan(Move.NONE_HEALTHY, ("spare1",), Why(active.value))
    decision = nobody(asked, active, {} if other is None else {"spare1": other})
    assert (decision, decision.can_pay) == (Decision(Move.NONE_BETTER), True)


@pytest.mark.parametrize(
    ("move", "why", "can_pay"),
    [
        (Move.STAY, None, True),
        (Move.SWITCH, Why.EXHAUSTED, True),
        (Move.NONE_BETTER, None, True),
        (Move.NONE_HEALTHY, None, False),
        (Move.UNPUBLISHED, Why.EXHAUSTED, False),
        (Move.UNPUBLISHED, Why.ARREARS, False),
        (Move.UNPUBLISHED, Why.REJECTED, False),
        (Move.UNPUBLISHED, Why.BELOW, True),
        (Move.UNPUBLISHED, Why.RUNWAY, True),
        (Move.UNPUBLISHED, Why.TOPPED_UP, True),
        (Move.UNDECIDED, None, None),
        (Move.UNCONFIRMED, None, None),
        (Move.BLIND, None, None),
        (Move.DWELL, None, None),
    ],
)
def test_a_decision_tells_whether_the_account_can_pay(move: Move, why: Why | None, can_pay: bool | None) -> None:
    assert Decision(move, None, why).can_pay is can_pay


def test_where_the_second_reading_gives_no_answer_the_poll_before_stands_in() -> None:
    earlier = {"primary": Health.EXHAUSTED}
    assert second("primary", {"primary": Health.HEALTHY}, earlier) is Health.HEALTHY
    assert second("primary", {"primary": Health.UNREADABLE}, earlier) is Health.EXHAUSTED
    assert second("primary", {}, earlier) is Health.EXHAUSTED
    assert second("spare1", {}, earlier) is Health.UNREADABLE


def test_answers_are_remembered_as_long_as_the_active_one_fails() -> None:
    earlier = {"primary": Health.REJECTED, "spare1": Health.HEALTHY, "spare2": Health.BELOW}
    blind = remember(earlier, {"primary": Health.UNREADABLE, "spare1": Health.UNREADABLE}, "primary")
    assert blind == earlier
    assert remember(earlier, {"primary": Health.EXHAUSTED, "spare1": Health.ARREARS}, "primary") == {
        "primary": Health.EXHAUSTED,
        "spare1": Health.ARREARS,
        "spare2": Health.BELOW,
    }
    assert remember(earlier, {"primary": Health.HEALTHY}, "primary") == {"primary": Health.HEALTHY}


@pytest.mark.parametrize(
    ("rounds", "shared"),
    [
        ([(9, 9)], False),
        ([(9, 9), (9, 9)], False),
        ([(9, 9), (7, 7)], True),
        ([(9, 9), (0, 0)], False),
        ([(9, 8), (7, 7)], False),
        ([(9, 8), (7, 6)], False),
        ([(0, 0), (100, 100)], False),
        ([(9, 9), (7, 7), (7, 7)], True),
        ([(9, 9), (7, 7), (7, 6)], False),
    ],
)
def test_two_credentials_share_a_balance_if_it_falls_for_both_alike(
    rounds: list[tuple[int, int]], shared: bool
) -> None:
    state = FailoverState()
    for one, other in rounds:
        seen, pairs = compare(state, {"b": Decimal(one), "a": Decimal(other)})
        state = FailoverState(seen=seen, shared=pairs)
    assert state.shared == ((("a", "b"),) if shared else ())


def test_one_that_was_not_read_keeps_what_was_known() -> None:
    state = FailoverState(seen={"a": Decimal(9), "b": Decimal(9)}, shared=(("a", "b"),))
    seen, shared = compare(state, {"a": Decimal(3)})
    assert (seen, shared) == ({"a": 3, "b": 9}, (("a", "b"),))
