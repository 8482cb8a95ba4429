"""Random histories of one subject, and their replay through the judge."""

from collections.abc import Sequence
from decimal import Decimal

from attrs import evolve, field, frozen, mutable
from hypothesis import settings
from hypothesis import strategies as st

from support.judging import SUBJECT, at
from token_monitor.core.alert import Alert
from token_monitor.core.judge import SubjectState, judge
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, LimitMissingError, Rule
from token_monitor.stores.codec import decode_state, encode_state

COOLDOWNS = st.sampled_from([0.0, 1.0, 10.0, 30.0, 1800.0, 1e9])
BEGIN = 1_775_383_200.25

MANY = settings(max_examples=500, deadline=None)


@frozen
class Event:
    """gap: seconds since the one before. sequence_step: 0 or less is a request not newer than the last judged.
    failed: the poll gave no reading. restart: the state is stored and loaded before it.
    """

    gap: float
    reading: Reading
    sequence_step: float = 1.0
    failed: bool = False
    restart: bool = False


@frozen
class Seen:
    """One event, and what the judge made of it. judged: it reached the judge and counted."""

    time: float
    judged: bool
    before: SubjectState
    after: SubjectState
    alert: Alert | None
    reading: Reading
    rule: Rule


@mutable
class Run:
    """One subject's history, replayed through the judge."""

    cooldown: float
    restarts: bool = True
    state: SubjectState = field(factory=lambda: SubjectState(sequence=BEGIN))
    now: float = BEGIN
    sequence: float = BEGIN
    seen: list[Seen] = field(factory=list)

    def play(self, rule: Rule, events: Sequence[Event]) -> "Run":
        for event in events:
            self.now += event.gap
            before = self.state
            if event.restart and self.restarts:
                self.state = decode_state(encode_state(self.state))
            alert, judged = (None, False) if event.failed else self._judge(rule, event)
            self.seen.append(Seen(self.now, judged, before, self.state, alert, event.reading, rule))
        return self

    def _judge(self, rule: Rule, event: Event) -> tuple[Alert | None, bool]:
        sequence = self.sequence + event.sequence_step
        try:
            self.state, alert = judge(SUBJECT, rule, self.state, event.reading, sequence, at(self.now), self.cooldown)
        except LimitMissingError:
            return None, False
        judged = event.sequence_step > 0
        self.sequence = max(self.sequence, sequence)
        return alert, judged

    @property
    def alerts(self) -> list[Alert]:
        return [seen.alert for seen in self.seen if seen.alert]


# Values on, just beside and between bounds and the ends of bands, and the odd ones.
NEAR = [
    "-1", "-0.01", "0", "-0", "0.01", "1", "2.99", "3", "3.01", "3.14", "3.15", "5", "9.99", "10", "10.2", "10.49",
    "10.5", "10.51", "12", "14.99", "15", "15.7", "15.75", "20", "99", "100", "1E+3",
    "12345678901234567890123456789.01",
]  # fmt: skip
LIMITS = [None, Decimal(100), Decimal(100), Decimal(100), Decimal("10.2"), Decimal(8), Decimal(0)]
ORDINARY = [Reading("balance", Decimal(text), "calls", limit) for text in NEAR for limit in LIMITS]
ODD = [
    *(evolve(reading, available=False) for reading in ORDINARY[::9]),
    *(evolve(reading, value=None) for reading in ORDINARY[::9]),
    *(evolve(reading, unlimited=True) for reading in ORDINARY[::19]),
]
# Drawn as one choice each: the fewer the choices, the more histories a second holds.
READINGS = st.sampled_from(ORDINARY + ODD)
GAPS = st.sampled_from([0.0, 0.0, 0.3, 1.0, 5.0, 9.999, 10.0, 29.9, 30.0, 300.0, 1800.0, 86400.0])
ASKED = [
    (step, failed, restart)
    for step in (1.0, 1.0, 1.0, 0.001)
    for failed in (False, False, False, True)
    for restart in (False, True)
] + [(0.0, False, False), (-1.0, False, True)]
EVENT = st.tuples(GAPS, READINGS, st.sampled_from(ASKED)).map(lambda drawn: Event(drawn[0], drawn[1], *drawn[2]))
EVENTS = st.lists(EVENT, max_size=30)
NUMBERS = st.sampled_from(["0", "3", "10", "15"]).map(lambda text: Bound(Decimal(text)))
PERCENTS = st.sampled_from(["0", "3", "10", "33.3", "100"]).map(lambda text: Bound(Decimal(text), percent=True))
MARGINS = st.sampled_from([Bound(Decimal(5), percent=True)] * 3 + [Bound(Decimal(0)), Bound(Decimal(2))])
RULES = st.builds(
    Rule,
    warning=NUMBERS | NUMBERS | PERCENTS | st.none(),
    critical=NUMBERS | NUMBERS | PERCENTS | st.none(),
    margin=MARGINS | st.just(Bound(Decimal(50), percent=True)),
)
EDITED = st.lists(st.tuples(RULES, st.lists(EVENT, max_size=10)), min_size=1, max_size=3)


def played(edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float, *, restarts: bool = True) -> Run:
    run = Run(cooldown, restarts)
    for rule, events in edits:
        run.play(rule, events)
    return run
