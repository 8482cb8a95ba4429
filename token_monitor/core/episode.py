"""When a subject's stay outside `ok` is announced (rules J5 to J8), the same for every kind of subject."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from attrs import evolve, field, frozen

from token_monitor.core.time import Now
from token_monitor.core.words import Reason, State


@frozen
class Episode:
    """One stay outside `ok`.

    told: the state last announced in it; None while nothing was.
    told_at: when, on the steady clock.
    count: how many alerts it has raised; numbers their ids.
    began: wall time of the first sight of it; None of one that was stored by a version that kept none.
    """

    id: str
    told: State | None = None
    told_at: float = 0.0
    count: int = 0
    began: datetime | None = None


@frozen
class Standing:
    """What is remembered of a subject between readings.

    last: when each state was last announced, on the steady clock; survives episodes (rule J5).
    """

    state: State = State.UNKNOWN
    episode: Episode | None = None
    last: Mapping[State, float] = field(factory=dict)


def advance(
    seed: str, standing: Standing, state: State, now: Now, cooldown: float, *, remind: bool = True
) -> tuple[Standing, Reason | None]:
    """`standing` after the subject was seen in `state`, and the reason to announce it, if there is one.

    seed: what names an episode that begins here, different for every beginning; the same in a replay (property P4).
    The episode of what is announced is that of the new standing, or of the old one if the reason closes it.
    """
    episode = standing.episode
    if state.rank == 0:
        closing = Reason.RECOVERED if episode is not None and episode.told else None
        return evolve(standing, state=state, episode=None), closing
    if episode is None:
        episode = Episode(hashlib.blake2b(seed.encode(), digest_size=8).hexdigest())
    episode = evolve(episode, began=episode.began or now.wall)
    reason = _reason(episode, standing.last, state, now, cooldown, remind)
    last = standing.last
    if reason is not None:
        episode = evolve(episode, told=state, told_at=now.steady, count=episode.count + 1)
        last = {**last, state: now.steady}
    return Standing(state, episode, last), reason


def _reason(
    episode: Episode, last: Mapping[State, float], state: State, now: Now, cooldown: float, remind: bool
) -> Reason | None:
    if state in last and now.steady - last[state] < cooldown:
        return None
    if episode.told is None:
        return Reason.FIRST
    if state.rank > episode.told.rank:
        return Reason.ESCALATED
    return Reason.REMINDER if remind and now.steady - episode.told_at >= cooldown else None
