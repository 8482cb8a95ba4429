"""What one reading means: bounds, bands, flags (rules J2, J3)."""

from decimal import Decimal

import pytest

from support import judging
from token_monitor.core.reading import Reading
from token_monitor.core.rules import LimitMissingError, Rule, assess
from token_monitor.core.words import State, Trigger

LOW, CRITICAL, OK = State.LOW, State.CRITICAL, State.OK


def rule(warning: str | None = None, critical: str | None = None, margin: str = "5%") -> Rule:
    return judging.rule(f"{warning or '-'}/{critical or '-'}/{margin}")


def reading(value: str | None, limit: str | None = None, *, available: bool = True, unlimited: bool = False) -> Reading:
    return Reading(
        "balance",
        None if value is None else Decimal(value),
        "calls",
        limit=None if limit is None else Decimal(limit),
        available=available,
        unlimited=unlimited,
    )


def states(crossed: str) -> frozenset[State]:
    return frozenset(map(State, crossed.split()))


@pytest.mark.parametrize(
    ("crossed", "value", "state", "threshold", "left_crossed"),
    [
        ("", "10", "ok", "10", ""),
        ("", "9.9999999999999999999999999999999999999", "low", "10", "low"),
        ("low", "10", "low", "10", "low"),
        ("low", "10.4999999999999999999999999999999999999", "low", "10", "low"),
        ("low", "10.5", "ok", "10", ""),
        ("", "3", "low", "10", "low"),
        ("", "2.99", "critical", "3", "critical low"),
        ("critical low", "3.14", "critical", "3", "critical low"),
        ("critical low", "3.15", "low", "10", "low"),
        ("critical low", "10.5", "ok", "10", ""),
        ("critical low", "10.2", "low", "10", "low"),
        ("", "0.01", "critical", "3", "critical low"),
        ("", "0", "exhausted", "0", "critical low"),
        ("", "-0", "exhausted", "0", "critical low"),
        ("", "0.00", "exhausted", "0", "critical low"),
        ("", "0E+5", "exhausted", "0", "critical low"),
        ("critical low", "0.01", "critical", "3", "critical low"),
        ("", "-0.01", "arrears", "0", "critical low"),
    ],
)
def test_a_bound_is_entered_strictly_below_it_and_left_five_percent_above(
    crossed: str, value: str, state: str, threshold: str, left_crossed: str
) -> None:
    verdict = assess(rule("10", "3"), states(crossed), reading(value))

    assert (verdict.state, str(verdict.threshold)) == (state, threshold)
    assert verdict.crossed == states(left_crossed)
    assert verdict.trigger is Trigger.THRESHOLD


@pytest.mark.parametrize(
    ("margin", "limit", "left_at"),
    [
        ("5%", None, "10.5"),
        ("0", None, "10"),
        ("0%", None, "10"),
        ("2", None, "12"),
        ("50%", None, "15"),
        ("200%", None, "30"),
        ("5%", "1000", "10.5"),
        ("5%", "10.5", "10.5"),
        ("5%", "10.2", "10.2"),
        ("5%", "10", "10"),
        ("5%", "8", "10"),
        ("5%", "0", "10"),
        ("100", "50", "50"),
    ],
)
def test_a_bound_is_left_at_its_margin_or_with_a_full_account_but_never_below_itself(
    margin: str, limit: str | None, left_at: str
) -> None:
    judged, just_less = rule("10", margin=margin), Decimal(left_at) - Decimal("1e-20")

    assert judged.exit(Decimal(10), None if limit is None else Decimal(limit)) == Decimal(left_at)
    assert assess(judged, states("low"), reading(left_at, limit)).state is OK
    assert assess(judged, states("low"), reading(str(just_less), limit)).state is LOW


@pytest.mark.parametrize("margin", ["5%", "0", "5", "100%"])
@pytest.mark.parametrize("zero", ["0", "0%", "0.00"])
@pytest.mark.parametrize("value", ["0.01", "2", "7"])
def test_a_bound_of_zero_is_never_entered_not_even_on_the_way_out_of_arrears(
    margin: str, zero: str, value: str
) -> None:
    for judged in (rule(warning=zero, margin=margin), rule(critical=zero, margin=margin)):
        in_arrears = assess(judged, frozenset(), reading("-1", "100"))
        after = assess(judged, in_arrears.crossed, reading(value, "100"))

        assert in_arrears.state is State.ARREARS
        assert after.state is OK
        assert assess(judged, frozenset(), reading("0", "100")).state is State.EXHAUSTED


@pytest.mark.parametrize(
    ("warning", "critical", "value", "limit", "state", "threshold"),
    [
        ("15%", None, "15", "100", "ok", "15"),
        ("15%", None, "14.99", "100", "low", "15"),
        ("15%", None, "29.99", "200", "low", "30"),
        ("12.5%", None, "0.1", "1", "low", "0.125"),
        ("15%", "5%", "4.99", "100", "critical", "5"),
        ("15%", "50", "20", "1000", "critical", "50"),
        ("15%", "50", "149", "1000", "low", "150"),
        ("15%", "50", "40", "100", "critical", "50"),
        ("10", "50%", "40", "100", "critical", "50"),
        ("10", "1%", "9", "100", "low", "10"),
        ("15%", None, "0.1", "0", "ok", "0"),
        ("15%", None, "3", "-100", "ok", "-15"),
        (None, "3", "2", None, "critical", "3"),
        (None, "3", "4", None, "ok", "3"),
        (None, None, "0.000001", None, "ok", "0"),
        (None, None, "0", None, "exhausted", "0"),
    ],
)
def test_percentages_are_of_the_limit_and_mixed_with_numbers_the_worse_state_wins(
    warning: str | None, critical: str | None, value: str, limit: str | None, state: str, threshold: str
) -> None:
    verdict = assess(rule(warning, critical), frozenset(), reading(value, limit))

    assert (verdict.state, verdict.threshold) == (state, Decimal(threshold))


@pytest.mark.parametrize(("warning", "critical"), [("15%", None), (None, "15%"), ("15%", "3"), ("10", "1%")])
@pytest.mark.parametrize("value", ["50", "0", "-1"])
def test_a_percentage_without_a_limit_is_an_error_and_no_verdict(
    warning: str | None, critical: str | None, value: str
) -> None:
    judged = rule(warning, critical)

    assert judged.needs_limit
    with pytest.raises(LimitMissingError):
        assess(judged, frozenset(), reading(value))


def test_a_percentage_needs_no_limit_where_there_is_no_number_to_compare() -> None:
    assert assess(rule("15%"), frozenset(), reading(None)).state is State.EXHAUSTED
    assert assess(rule("15%"), frozenset(), reading("0", unlimited=True)).state is State.UNLIMITED


def test_the_percentage_of_a_forty_digit_limit_is_not_rounded() -> None:
    full = "1234567890123456789012345678901234567.899"

    assert assess(rule("100%"), frozenset(), reading(full, full)).state is OK
    assert assess(rule("100%"), frozenset(), reading(full, full)).threshold == Decimal(full)
    assert rule().exit(Decimal(full), None) == Decimal("1296296284629629628462962962846296296.29395")


@pytest.mark.parametrize(
    ("value", "available", "state", "trigger"),
    [
        ("50", False, "exhausted", "flag"),
        ("9", False, "exhausted", "flag"),
        ("0", False, "exhausted", "threshold"),
        ("-1", False, "arrears", "threshold"),
        (None, True, "exhausted", "status"),
        (None, False, "exhausted", "status"),
    ],
)
def test_a_provider_that_will_not_serve_is_exhausted_whatever_the_number(
    value: str | None, available: bool, state: str, trigger: str
) -> None:
    verdict = assess(rule("10", "3"), frozenset(), reading(value, available=available))

    assert (verdict.state, verdict.trigger, verdict.threshold) == (state, trigger, 0)
    assert not verdict.in_band


def test_an_answer_without_a_number_neither_enters_nor_leaves_a_bound() -> None:
    for crossed in ("", "low", "critical low"):
        assert assess(rule("10", "3"), states(crossed), reading(None)).crossed == states(crossed)


@pytest.mark.parametrize("value", ["-1", "0", "5", None])
def test_unlimited_outranks_every_number_and_leaves_every_bound(value: str | None) -> None:
    verdict = assess(rule("10"), states("low"), reading(value, available=False, unlimited=True))

    assert (verdict.state, verdict.threshold, verdict.crossed) == (State.UNLIMITED, 10, frozenset())


@pytest.mark.parametrize(
    ("crossed", "value", "in_band"),
    [
        ("low", "9.99", False),
        ("low", "10", True),
        ("low", "10.49", True),
        ("low", "10.5", False),
        ("critical low", "3.1", True),
        ("critical low", "2.9", False),
        ("low", "5", False),
        ("low", "0", False),
    ],
)
def test_the_band_is_from_the_bound_of_the_state_to_where_it_is_left(crossed: str, value: str, in_band: bool) -> None:
    assert assess(rule("10", "3"), states(crossed), reading(value)).in_band is in_band


@pytest.mark.parametrize(
    ("warning", "critical", "limit", "shown"),
    [
        ("10", "3", None, "10"),
        (None, "3", None, "3"),
        ("15%", "3", "200", "30"),
        ("15%", None, None, "0"),
        (None, None, "100", "0"),
    ],
)
def test_when_nothing_is_wrong_the_warning_bound_is_shown(
    warning: str | None, critical: str | None, limit: str | None, shown: str
) -> None:
    assert rule(warning, critical).calm(None if limit is None else Decimal(limit)) == Decimal(shown)


@pytest.mark.parametrize(("written", "text"), [("10", "10"), ("15%", "15%"), ("0.10", "0.10"), ("1E+3", "1000")])
def test_a_bound_prints_as_people_write_it(written: str, text: str) -> None:
    assert str(judging.bound(written)) == text
