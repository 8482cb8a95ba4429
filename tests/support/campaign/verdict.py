"""What was owed to a channel, beside what arrived."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from support.campaign.counterpart import Arrival, serials


@frozen
class Owed:
    """One row of the outbox. at: wall time, in seconds."""

    channel: str
    subject: str
    alert: str
    fate: str
    why: str | None
    text: str
    at: float

    @classmethod
    def of(cls, row: Sequence[str]) -> "Owed":
        channel, subject, alert, fate, why, message = row
        stored = json.loads(message)
        at = datetime.fromisoformat(stored["alert"]["at"]).timestamp()
        return cls(channel, subject, alert, fate, why, stored["text"], at)


@frozen
class Verdict:
    """Of one channel. Lists hold alert ids.

    lost: stored, not superseded, and never taken. dead: given up, with why. strange: taken, and not owed.
    twice: once for each time it came again, in `again` messages; altered: and it was not the same.
    disordered: taken for the first time before an older one of its subject. slowest: seconds from a return of the
    receiver to the arrival of the last alert that was pending then.
    """

    channel: str
    what: str
    alerts: int
    superseded: int
    lost: Sequence[str]
    dead: Sequence[str]
    strange: Sequence[str]
    twice: Sequence[str]
    again: int
    altered: Sequence[str]
    disordered: Sequence[str]
    slowest: float
    faults: Mapping[str, int]

    @property
    def good(self) -> bool:
        return not (self.lost or self.strange or self.altered or self.disordered)


def judge(
    channel: str,
    what: str,
    owed: Iterable[Owed],
    arrivals: Sequence[Arrival],
    returns: Sequence[float],
    faults: Counter[str],
) -> Verdict:
    """arrivals: in the order in which they were taken. returns: when the receiver was back for good, in each round."""
    rows = [row for row in owed if row.channel == channel]
    known = {mark: row.alert for row in rows for mark in (row.alert, *serials(row.text))}
    bodies, first, strange = _taken(arrivals, known)
    due = [row for row in rows if row.fate != "superseded"]
    strange += [row.alert for row in rows if row.fate == "superseded" and row.alert in first]
    return Verdict(
        channel=channel,
        what=what,
        alerts=len(due),
        superseded=len(rows) - len(due),
        lost=[row.alert for row in due if row.alert not in first],
        dead=[f"{row.alert} ({row.why})" for row in rows if row.fate == "dead"],
        strange=strange,
        twice=[alert for alert, all_of in bodies.items() for _ in all_of[1:]],
        again=len(arrivals) - len({arrival.body for arrival in arrivals}),
        altered=[alert for alert, all_of in bodies.items() if len(set(all_of)) > 1],
        disordered=_disordered(due, list(first)),
        slowest=max((_slowest(due, first, back) for back in returns), default=0.0),
        faults=faults,
    )


def _taken(
    arrivals: Sequence[Arrival], known: Mapping[str, str]
) -> tuple[Mapping[str, Sequence[str]], Mapping[str, float], list[str]]:
    """By alert: the bodies it came in, when it first came; and the marks that nobody knows."""
    bodies: dict[str, list[str]] = defaultdict(list)
    first: dict[str, float] = {}
    strange = []
    for arrival in arrivals:
        for mark in arrival.marks:
            if mark not in known:
                strange.append(mark)
                continue
            bodies[known[mark]].append(arrival.body)
            first.setdefault(known[mark], arrival.at)
    return bodies, first, strange


def _disordered(due: Sequence[Owed], came: Sequence[str]) -> list[str]:
    place = {alert: number for number, alert in enumerate(came)}
    last: dict[str, int] = {}
    found = []
    for row in due:
        if row.alert not in place:
            continue
        if place[row.alert] < last.get(row.subject, -1):
            found.append(row.alert)
        last[row.subject] = max(place[row.alert], last.get(row.subject, -1))
    return found


def _slowest(due: Sequence[Owed], first: Mapping[str, float], back: float) -> float:
    pending = [first[row.alert] for row in due if row.at <= back < first.get(row.alert, 0.0)]
    return max((at - back for at in pending), default=0.0)
