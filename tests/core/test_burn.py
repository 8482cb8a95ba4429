"""How fast a balance goes, and how long it lasts."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.judging import measured, rule, step
from token_monitor.core.burn import WINDOW, Burn, runway
from token_monitor.core.judge import SubjectState

HOUR = 3600.0


def burned(*readings: tuple[float, str]) -> Burn:
    burn = Burn()
    for moment, value in readings:
        burn = burn.read(Decimal(value), moment)
    return burn


def per_hour(burn: Burn) -> float | None:
    return None if burn.rate is None else round(float(burn.rate) * HOUR, 6)


def every(interval: float, values: Iterable[float]) -> Burn:
    return burned(*((number * interval, str(value)) for number, value in enumerate(values)))


def test_the_rate_is_what_was_spent_over_the_time_it_took() -> None:
    assert per_hour(every(300.0, [100, 99, 98, 97])) == 12


def test_nothing_is_said_before_ten_minutes_were_seen() -> None:
    assert every(60.0, range(100, 90, -1)).rate is None
    assert per_hour(every(60.0, range(100, 89, -1))) == 60


def test_a_top_up_is_no_spending_and_hides_none() -> None:
    assert per_hour(every(300.0, [10, 6, 106, 102])) == 32


def test_what_was_spent_before_the_window_is_forgotten() -> None:
    night = [(number * 300.0, "1000") for number in range(1, 13)]
    burst = burned((0.0, "5000"), *night)
    assert per_hour(burst) == 4000
    assert burst.read(Decimal(1000), 13 * 300.0).rate == 0


def test_readings_rarer_than_the_window_are_compared_with_the_one_before() -> None:
    assert per_hour(every(6 * HOUR, [100, 40, 34])) == 1


def test_after_a_pause_nothing_is_known_until_ten_minutes_were_seen_again() -> None:
    burn = every(300.0, [100, 99, 98, 97])
    stopped = burn.read(Decimal(50), 900.0 + 3601.0)
    assert stopped.rate is None
    assert per_hour(stopped.read(Decimal(49), 900.0 + 3601.0 + 600.0)) == 6


def test_a_poll_by_hand_makes_no_pause_of_an_interval_longer_than_the_window() -> None:
    polled = every(6 * HOUR, [100, 94, 88]).read(Decimal(88), 12 * HOUR + 1)
    assert polled.read(Decimal(82), 18 * HOUR).rate is not None


@given(st.lists(st.tuples(st.floats(0.1, 5000.0), st.integers(-1000, 1000)), min_size=1, max_size=200))
def test_it_remembers_a_few_marks_and_looks_back_at_least_the_window(steps: list[tuple[float, int]]) -> None:
    burn, moment, began = Burn(), 0.0, 0.0
    for number, (wait, value) in enumerate(steps):
        moment += wait
        began = moment if number == 0 else began
        burn = burn.read(Decimal(value), moment)
        assert len(burn.marks) <= 15
        assert [mark[0] for mark in burn.marks] == sorted(mark[0] for mark in burn.marks)
        assert burn.marks[-1][0] == moment
        began = moment if len(burn.marks) == 1 else began
        assert burn.marks[0][0] == began or moment - burn.marks[0][0] >= WINDOW
        assert burn.rate is None or burn.rate >= 0


@pytest.mark.parametrize(
    ("left", "rate", "seconds"),
    [
        ("9", "0.00025", 36000),
        ("5", "3", 1),
        ("0", "1", 0),
        ("-3", "1", 0),
        ("5", "0", None),
        ("5", "1E-25", None),
        ("5", None, None),
        (None, "1", None),
    ],
)
def test_the_runway(left: str | None, rate: str | None, seconds: int | None) -> None:
    assert runway(*(None if text is None else Decimal(text) for text in (left, rate))) == seconds


def test_an_alert_carries_the_runway_once_it_is_known() -> None:
    state, alert = SubjectState(), None
    for number, value in enumerate(["9.5", "9", "8.5"]):
        state, raised = step(state, rule("10/8.6"), value, 300.0 + number * 300.0)
        alert = raised or alert
    assert alert is not None
    assert alert.state == "critical"
    assert measured(alert).runway_seconds == 5100
    assert state.runway == 5100


def test_an_answer_without_a_number_leaves_the_rate_as_it_was() -> None:
    state = SubjectState()
    for number, value in enumerate(["30", "20", "10", "402"]):
        state, _ = step(state, rule("-"), value, 300.0 + number * 300.0)
    assert state.runway is None
    assert state.burn.rate is not None
    state, _ = step(state, rule("-"), "5", 1500.0)
    assert per_hour(state.burn) == 75
