"""Readings in, alerts out: histories through the whole judge (rules J2 to J10)."""

import pytest

from support.judging import COOLDOWN, SUBJECT, at, measured, reading, rule, step
from token_monitor.core.judge import SubjectState, judge
from token_monitor.core.rules import LimitMissingError

# First the rule, then a line per reading: the second, what was read, and the alert expected: reason state threshold.
# How rules and readings are written: `support.judging`.
HISTORIES = {
    "low is strictly below the bound, and left above the band": """
        10
        0 10
        1 9.99 -> first low 10
        2 10
        3 10.49
        4 10.5 -> recovered ok 10
    """,
    "an account that is full again has left the band": """
        10
        0 9/10.2 -> first low 10
        1 10.1/10.2
        2 10.2/10.2 -> recovered ok 10
    """,
    "a limit below the bound leaves at the bound": """
        10
        0 7/8 -> first low 10
        1 9.9/8
        2 10/8 -> recovered ok 10
    """,
    "an absolute margin": """
        10/-/2
        0 9 -> first low 10
        1 11.99
        2 12 -> recovered ok 10
    """,
    "each worse state at once, with its own bound": """
        10/3
        0 9.99 -> first low 10
        1 2.99 -> escalated critical 3
        2 0 -> escalated exhausted 0
        3 -0.01 -> escalated arrears 0
        4 11 -> recovered ok 10
    """,
    "an insufficient top-up is silent": """
        10/3
        0 0 -> first exhausted 0
        1 2
        2 9
        3 10.2
        4 10.5 -> recovered ok 10
    """,
    "percentages resolve against the limit of the reading": """
        15%/5%
        0 15/100
        1 14.99/100 -> first low 15
        2 14.99/1000 -> escalated critical 50
        3 52.4/1000
        4 157.5/1000 -> recovered ok 150
    """,
    "without thresholds only exhausted and arrears alert": """
        -
        0 0.01
        1 0 -> first exhausted 0
        2 0.01 -> recovered ok 0
        3 -5 -> first arrears 0
        4 5!
        5 5 -> recovered ok 0
        101 5! -> first exhausted 0
    """,
    "a bound of 0 is never low": """
        0/-/5
        0 -1 -> first arrears 0
        1 2 -> recovered ok 0
    """,
    "an answer of 402 is exhausted, and the next number decides again": """
        10/3
        0 402 -> first exhausted 0
        1 402
        2 10 -> recovered ok 10
        100 402 -> first exhausted 0
        101 9
        200 9 -> reminder low 10
    """,
    "unlimited recovers, and tells the bound that it was judged by": """
        10
        0 9 -> first low 10
        1 unlimited -> recovered unlimited 10
        2 unlimited
    """,
    "a reminder each cooldown, but not in the band": """
        10
        0 9 -> first low 10
        99 8
        100 8 -> reminder low 10
        200 10.2
        300 10.2
        301 9 -> reminder low 10
    """,
    "a first announcement in the band, of a fall that was deferred": """
        10
        0 9 -> first low 10
        1 11 -> recovered ok 10
        2 9
        3 10.2
        101 10.2 -> first low 10
    """,
    "an escalation muted by the cooldown is made up for": """
        10/3
        0 2 -> first critical 3
        1 11 -> recovered ok 10
        2 9 -> first low 10
        3 2
        99 2
        100 2 -> escalated critical 3
    """,
    "what was told is the last announced state, not the worst": """
        10/3
        0 2 -> first critical 3
        100 9 -> reminder low 10
        101 2 -> escalated critical 3
    """,
}


@pytest.mark.parametrize("name", HISTORIES)
def test_history(name: str) -> None:
    rule_line, *lines = HISTORIES[name].strip().splitlines()
    judged, state = rule(rule_line.strip()), SubjectState()
    for line in lines:
        seen, _, expected = line.partition(" -> ")
        second, read = seen.split()
        state, alert = step(state, judged, read, float(second))
        told = f"{alert.reason} {alert.state} {measured(alert).threshold}" if alert else ""
        assert told == expected.strip(), line
        assert (state.standing.episode is None) == (state.standing.state.rank == 0), line


@pytest.mark.parametrize(
    ("read", "trigger", "balance"),
    [("9", "threshold", "9"), ("0", "threshold", "0"), ("50!", "flag", "50"), ("402", "status", "None")],
)
def test_an_alert_says_what_triggered_it_and_the_number_as_read(read: str, trigger: str, balance: str) -> None:
    _, alert = step(SubjectState(), rule("10"), read, 1)

    assert alert is not None
    assert measured(alert).trigger == trigger
    assert str(measured(alert).balance) == balance


def test_a_missing_limit_is_an_error_that_leaves_everything_as_it_was() -> None:
    state, _ = step(SubjectState(), rule("15%"), "10/100", 1)

    with pytest.raises(LimitMissingError):
        step(state, rule("15%"), "10", 2)
    assert step(state, rule("15%"), "10/100", 101)[1] is not None


@pytest.mark.parametrize("sequence", [4.0, 5.0])
def test_a_reading_asked_for_before_the_last_judged_one_is_ignored(sequence: float) -> None:
    state, _ = judge(SUBJECT, rule("10"), SubjectState(), reading("50"), 5.0, at(6), COOLDOWN)

    assert judge(SUBJECT, rule("10"), state, reading("0"), sequence, at(7), COOLDOWN) == (state, None)
    assert judge(SUBJECT, rule("10"), state, reading("0"), 5.1, at(7), COOLDOWN)[1] is not None


def test_the_state_keeps_the_reading_for_people() -> None:
    state, _ = step(SubjectState(), rule("10"), "50/100", 3)

    assert (state.reading, state.read_at, state.sequence) == (reading("50/100"), at(3).wall, 3)
