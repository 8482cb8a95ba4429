"""What stands now, for receivers of states: the judge's memory as one alert."""

from datetime import timedelta

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from support.judging import BEGIN, COOLDOWN, SUBJECT, at, measured, rule, step
from token_monitor.core.judge import Subject, SubjectState, close, current, observe
from token_monitor.core.words import Kind, Level, Reason, State, Trigger


def after(*reads: str, judged: str = "10/3") -> SubjectState:
    """One reading a second."""
    state = SubjectState()
    for second, read in enumerate(reads, 1):
        state, _ = step(state, rule(judged), read, second)
    return state


def test_nothing_stands_before_the_first_reading_nor_while_all_is_well() -> None:
    assert current(SUBJECT, SubjectState()) is None
    assert current(SUBJECT, after("50")) is None
    assert current(SUBJECT, after("5", "50")) is None


def test_it_is_the_state_of_now_for_better_and_for_worse() -> None:
    for reads, state, threshold in (
        (("5",), State.LOW, 10),
        (("5", "2"), State.CRITICAL, 3),
        (("5", "2", "0"), State.EXHAUSTED, 0),
        (("5", "2", "0", "8"), State.LOW, 10),
        (("2", "3.1"), State.CRITICAL, 3),
        (("5", "10.4"), State.LOW, 10),
    ):
        alert = current(SUBJECT, after(*reads))
        assert alert is not None, reads
        assert (alert.state, measured(alert).threshold) == (state, threshold), reads
        assert str(measured(alert).balance) == reads[-1]


def test_a_worse_state_that_the_cooldown_keeps_from_being_announced_stands_all_the_same() -> None:
    state = after("2", "50", "5", "2")
    told = state.standing.episode
    assert told is not None
    assert told.told is State.LOW
    alert = current(SUBJECT, state)
    assert alert is not None
    assert alert.level is Level.CRITICAL


def test_an_episode_of_which_the_cooldown_lets_nothing_be_told_stands_from_its_first_reading() -> None:
    state = after("5", "50", "5", "4")
    assert state.standing.episode is not None
    assert state.standing.episode.told is None
    alert = current(SUBJECT, state)
    assert alert is not None
    assert (alert.episode, alert.state) == (state.standing.episode.id, State.LOW)
    assert alert.at == BEGIN + timedelta(seconds=3)
    assert current(SUBJECT, after("5", "50", "5", "50")) is None
    assert current(SUBJECT, close(SUBJECT, state, Reason.CREDENTIAL_SWITCHED, at(9))[0]) is None


def test_a_402_stands_with_the_balance_unknown() -> None:
    alert = current(SUBJECT, after("402"))
    assert alert is not None
    assert (measured(alert).balance, measured(alert).trigger) == (None, Trigger.STATUS)


def test_its_beginning_is_that_of_the_episode_whatever_follows() -> None:
    state = after("5")
    for second, read in ((2, "2"), (3 + COOLDOWN, "2"), (4 + COOLDOWN, "8")):
        state, _ = step(state, rule("10/3"), read, second)
        alert = current(SUBJECT, state)
        assert alert is not None
        assert alert.at == BEGIN + timedelta(seconds=1)
    first = alert.episode
    state, _ = step(state, rule("10/3"), "50", 5 + COOLDOWN)
    state, _ = step(state, rule("10/3"), "5", 6 + 2 * COOLDOWN)
    again = current(SUBJECT, state)
    assert again is not None
    assert again.episode != first
    assert again.at == BEGIN + timedelta(seconds=6 + 2 * COOLDOWN)


def test_an_episode_stored_by_a_version_that_kept_no_beginning_stands_from_the_next_reading_on() -> None:
    state = after("5")
    assert state.standing.episode is not None
    old = evolve(state, standing=evolve(state.standing, episode=evolve(state.standing.episode, began=None)))
    assert current(SUBJECT, old) is None
    alert = current(SUBJECT, step(old, rule("10/3"), "5", 2)[0])
    assert alert is not None
    assert alert.at == BEGIN + timedelta(seconds=2)


def test_a_state_that_this_version_does_not_know_does_not_stand() -> None:
    state = after("5")
    assert current(SUBJECT, evolve(state, standing=evolve(state.standing, state=State.UNKNOWN))) is None


def test_subjects_without_a_number_stand_too() -> None:
    for kind, level in ((Kind.VISIBILITY, Level.ERROR), (Kind.CREDENTIAL, Level.CRITICAL)):
        subject = Subject(kind, "facefusion")
        state, _ = observe(subject, SubjectState(), State.CRITICAL, at(1), COOLDOWN)
        alert = current(subject, state)
        assert alert is not None
        assert (alert.kind, alert.level, alert.measured) == (kind, level, None)
        state, _ = observe(subject, state, State.OK, at(2), COOLDOWN)
        assert current(subject, state) is None


def test_what_was_closed_without_a_reading_does_not_stand() -> None:
    state, _ = close(SUBJECT, after("5"), Reason.RULE_CHANGED, at(9))
    assert current(SUBJECT, state) is None


READS = st.sampled_from(["50", "10.4", "10", "9.9", "5", "3.1", "3", "2.9", "0", "0!", "5!", "-1", "402", "unlimited"])


@given(st.lists(st.tuples(READS, st.integers(1, 150)), max_size=30))
def test_it_stands_exactly_while_an_episode_is_open_and_says_what_was_judged(history: list[tuple[str, int]]) -> None:
    state, second, began = SubjectState(), 0, None
    for read, wait in history:
        second += wait
        state, raised = step(state, rule("10/3"), read, second)
        began = None if state.standing.state.rank == 0 else began or at(second).wall
        alert = current(SUBJECT, state)
        assert (alert and alert.at) == began
        if alert is not None:
            assert alert.state is state.standing.state
            assert (raised is None) or (raised.measured, raised.episode) == (alert.measured, alert.episode)
