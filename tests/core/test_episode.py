"""When a stay outside `ok` is announced (rules J5 to J8), in states alone."""

from datetime import UTC, datetime

import pytest

from token_monitor.core.episode import Standing, advance
from token_monitor.core.time import Now
from token_monitor.core.words import State

COOLDOWN = 100.0

# Each line: the steady second, the state seen, `band` where no reminder is wanted, and the reason expected.
HISTORIES = {
    "a subject that is well says nothing": """
        0 ok
        9 unlimited
    """,
    "a first sight that is already bad is announced": """
        0 critical -> first
    """,
    "the same state is repeated once per cooldown": """
        0 low -> first
        99.9 low
        100 low -> reminder
        199 low
        200 low -> reminder
    """,
    "a worse state is announced at once": """
        0 low -> first
        0.1 critical -> escalated
        0.2 exhausted -> escalated
        0.3 arrears -> escalated
    """,
    "an easing is silent, and so is an insufficient top-up": """
        0 arrears -> first
        1 exhausted
        2 critical
        3 low
        99 low
    """,
    "an easing that lasts is reminded of in its own state": """
        0 critical -> first
        50 low
        100 low -> reminder
    """,
    "what was told is the last announcement, not the worst": """
        0 critical -> first
        100 low -> reminder
        110 critical -> escalated
    """,
    "a reminder waits for the latest announcement of the episode, whatever its state": """
        0 low -> first
        90 critical -> escalated
        100 low
        189 low
        190 low -> reminder
    """,
    "an escalation to a state announced lately waits, and is announced when the cooldown has passed": """
        0 low -> first
        10 critical -> escalated
        20 ok -> recovered
        30 critical
        105 low -> first
        109 critical
        110 critical -> escalated
    """,
    "a muted state does not hold back a worse one that is not": """
        0 low -> first
        10 ok -> recovered
        20 low
        30 critical -> first
    """,
    "recovery is said once": """
        0 low -> first
        10 ok -> recovered
        11 ok
        12 unlimited
    """,
    "unlimited is a recovery too": """
        0 low -> first
        10 unlimited -> recovered
    """,
    "an episode of which nothing was announced ends in silence": """
        0 low -> first
        10 ok -> recovered
        20 low
        30 ok
    """,
    "falling again within the cooldown is deferred": """
        0 low -> first
        10 ok -> recovered
        20 low
        99 low
        101 low -> first
        102 ok -> recovered
    """,
    "a recovery does not lengthen the mute": """
        0 low -> first
        99 ok -> recovered
        100 low -> first
    """,
    "the band is not reminded of": """
        0 low -> first
        100 low band
        500 low band
        501 low -> reminder
    """,
    "a first announcement may come in the band": """
        0 low -> first
        10 ok -> recovered
        20 low
        30 low band
        120 low band -> first
    """,
    "an escalation may come in the band": """
        0 critical -> first
        1 ok -> recovered
        2 exhausted -> first
        3 ok -> recovered
        98 low -> first
        99 critical
        100 critical band -> escalated
    """,
}


@pytest.mark.parametrize("name", HISTORIES)
def test_history(name: str) -> None:
    standing = Standing()
    for line in HISTORIES[name].strip().splitlines():
        seen, _, expected = line.partition(" -> ")
        second, state, *band = seen.split()
        standing, reason = advance(line, standing, State(state), at(float(second)), COOLDOWN, remind=not band)
        assert (reason or "") == expected.strip(), line


def test_with_no_cooldown_every_sight_of_trouble_is_announced() -> None:
    standing, reasons = Standing(), []
    for state in (State.LOW, State.LOW, State.CRITICAL, State.LOW, State.OK, State.LOW):
        standing, reason = advance("s", standing, state, at(5), 0)
        reasons.append(reason)

    assert reasons == ["first", "reminder", "escalated", "reminder", "recovered", "first"]


def test_only_the_stamps_survive_an_episode() -> None:
    low, _ = advance("s", Standing(), State.LOW, at(7), COOLDOWN)
    well, _ = advance("s", low, State.OK, at(8), COOLDOWN)

    assert well == Standing(State.OK, None, {State.LOW: 7})


def test_an_episode_keeps_its_id_and_counts_what_it_announced() -> None:
    first, _ = advance("one", Standing(), State.LOW, at(0), COOLDOWN)
    muted, _ = advance("two", first, State.LOW, at(1), COOLDOWN)
    worse, _ = advance("three", muted, State.CRITICAL, at(2), COOLDOWN)

    episodes = [standing.episode for standing in (first, muted, worse) if standing.episode is not None]
    assert [episode.count for episode in episodes] == [1, 1, 2]
    assert len({episode.id for episode in episodes}) == 1


def test_wall_time_decides_nothing() -> None:
    standing, _ = advance("s", Standing(), State.LOW, at(0), COOLDOWN)
    back, forth = datetime(1999, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)

    assert advance("s", standing, State.LOW, Now(forth, 99), COOLDOWN)[1] is None
    assert advance("s", standing, State.LOW, Now(back, 100), COOLDOWN)[1] == "reminder"


def at(steady: float) -> Now:
    return Now(datetime(2026, 4, 5, 10, tzinfo=UTC), steady)
