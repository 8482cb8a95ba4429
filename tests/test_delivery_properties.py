"""P5: every delivery ends; what arrives twice is bounded by crashes and lost answers; order holds per subject."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from support.delivering import Crash, DeliveryBench

from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.words import Reason

ANSWERS = {
    "ok": lambda: None,
    "down": lambda: ChannelError(Scope.RETRY, "refused"),
    "lost answer": lambda: ChannelError(Scope.RETRY, "the connection broke", ambiguous=True),
    "slow down": lambda: ChannelError(Scope.RETRY, "HTTP 429", retry_after=30),
    "wrong token": lambda: ChannelError(Scope.CHANNEL, "HTTP 403"),
    "crash": Crash,
}

raising = st.tuples(
    st.just("raise"), st.sampled_from("abc"), st.sampled_from([Reason.FIRST, Reason.ESCALATED, Reason.RECOVERED])
)
passing = st.tuples(st.just("pass"), st.sampled_from([0.5, 5.0, 60.0, 400.0]))
histories = st.lists(st.one_of(raising, passing), min_size=1, max_size=25)


def first_arrivals(arrived: list[Alert], subject: str) -> list[str]:
    return list(dict.fromkeys(alert.id for alert in arrived if alert.subject == subject))


@settings(max_examples=300, deadline=None)
@given(histories, st.lists(st.sampled_from(list(ANSWERS)), max_size=40))
def test_nothing_is_lost_duplicates_are_bounded_and_order_holds(history: list, script: list[str]) -> None:
    used: Counter[str] = Counter()

    def answer(_message: Message) -> ChannelError | Crash | None:
        kind = script.pop(0) if script else "ok"
        used[kind] += 1
        return ANSWERS[kind]()

    bench = DeliveryBench(answer)
    opened: set[str] = set()
    for event in history:
        if event[0] == "raise":
            _, account, reason = event
            if reason is Reason.FIRST or account in opened:
                bench.raise_alert(account, reason)
                opened.add(account)
                if reason is Reason.RECOVERED:
                    opened.discard(account)
            continue
        run_through_crashes(bench, event[1])
    for _ in range(40):
        run_through_crashes(bench, 400.0)

    assert bench.pending == 0
    assert bench.dead == 0
    arrived = Counter(alert.id for alert in bench.channel.arrived)
    assert set(arrived) == {alert.id for alert in bench.raised}
    assert sum(arrived.values()) - len(arrived) <= used["crash"] + used["lost answer"]
    for subject in {alert.subject for alert in bench.raised}:
        raised = [alert.id for alert in bench.raised if alert.subject == subject]
        assert first_arrivals(bench.channel.arrived, subject) == raised


def run_through_crashes(bench: DeliveryBench, seconds: float) -> None:
    end = bench.clock.steady + seconds
    while bench.clock.steady < end:
        try:
            bench.run(end - bench.clock.steady)
        except Crash:
            bench.restart()
