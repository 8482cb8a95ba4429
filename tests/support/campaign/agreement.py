"""Whether a receiver of states holds what the daemon says, and how long it took to."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from attrs import frozen

Status = Callable[[], Any]
"""What the daemon says at `/api/v1/status`, now."""

WITHIN = 360.0  # what nobody speaks for any more ends after 5 minutes; and a minute to be told so
AT_ONCE = 5.0
_AGAIN = 0.1


def standing(status: Any) -> frozenset[str]:
    """The alerts of balances that stand by the daemon's own word."""
    return frozenset(
        named(entry, "warning" if entry["state"] == "low" else "critical", entry["episode"])
        for entry in status["accounts"]
        if entry["episode"] is not None
    )


def named(of: Mapping[str, str], severity: str, episode: str) -> str:
    """One alert: its labels, and which of those that had them."""
    return f"{of['account']}/{of['quantity']} {severity} {episode}"


@frozen
class Agreement:
    """What one wait for it came to. lost: stand, and are not held. left: are held, and do not stand.

    held: seconds until all that stood was held. agreed: until nothing else was, either.
    """

    lost: frozenset[str]
    left: frozenset[str]
    held: float
    agreed: float


class Watch:
    """Looks at both. Of what differs it knows since when, in seconds from its beginning."""

    def __init__(self, status: Status, holds: Callable[[], frozenset[str]]) -> None:
        self._status = status
        self._holds = holds
        self._begun = time.monotonic()
        self._differs: dict[str, float] = {}
        self.lost: frozenset[str] = frozenset()
        self.left: frozenset[str] = frozenset()

    def look(self) -> float:
        """The seconds at which it looked. What stands may change all the while: such a look does not count."""
        while True:
            before, there, now = standing(self._status()), self._holds(), time.monotonic() - self._begun
            if before == standing(self._status()):
                self.lost, self.left = before - there, there - before
                self._differs = {alert: self._differs.get(alert, now) for alert in before ^ there}
                return now

    def until(self, agree: Callable[[], bool], within: float) -> float:
        """Look until they do, or `within` is over; the seconds at which it ended."""
        while (now := self.look()) < within and not agree():
            time.sleep(_AGAIN)
        return now

    def lasting(self, now: float) -> frozenset[str]:
        """What has differed for so long that it is nobody's way from one to the other."""
        return frozenset(alert for alert, since in self._differs.items() if now - since > AT_ONCE)


def agreement(
    status: Status, holds: Callable[[], frozenset[str]], watched: float = 0.0, within: float = WITHIN
) -> Agreement:
    """Wait until they agree, and then watch for `watched` seconds whether they go on to, at once after every change."""
    watch = Watch(status, holds)
    held = watch.until(lambda: not watch.lost, within)
    agreed = watch.until(lambda: not (watch.lost or watch.left), within)
    lost, left = watch.lost, watch.left
    while (now := watch.look()) < agreed + watched:
        lost |= watch.lost & watch.lasting(now)
        left |= watch.left & watch.lasting(now)
        time.sleep(_AGAIN)
    return Agreement(lost, left, held, agreed)


@frozen
class LevelVerdict:
    """Of one receiver of states. begun: alerts that it was told to stand. ended: and of these, told to have ended.

    held, agreed: the slowest, as in `Agreement`.
    """

    channel: str
    what: str
    begun: int
    ended: int
    lost: Sequence[str]
    left: Sequence[str]
    held: float
    agreed: float
    faults: Mapping[str, int]

    @property
    def good(self) -> bool:
        return not (self.lost or self.left)


def judge_level(
    channel: str, what: str, told: Set[tuple[str, bool]], agreements: Sequence[Agreement], faults: Counter[str]
) -> LevelVerdict:
    """told: each alert that it took, and whether as one that stands."""
    begun = {alert for alert, stands in told if stands}
    return LevelVerdict(
        channel=channel,
        what=what,
        begun=len(begun),
        ended=sum((alert, False) in told for alert in begun),
        lost=sorted({alert for each in agreements for alert in each.lost}),
        left=sorted({alert for each in agreements for alert in each.left}),
        held=max((each.held for each in agreements), default=0.0),
        agreed=max((each.agreed for each in agreements), default=0.0),
        faults=faults,
    )
