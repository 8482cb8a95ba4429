"""P5: every delivery ends; what arrives twice is bounded by crashes and lost answers; order holds per subject."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from support.delivering import Crash, DeliveryBench
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
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


@settings(max_examples=300, deadline=None)
@given(
    histories,
    st.lists(st.sampled_from(list(ANSWERS)), max_size=40),
    st.sampled_from([None, Pace(20, 60.0), Pace(1, 1.0)]),
    st.sampled_from([None, 20, 40, 120, 1000]),
    st.booleans(),
)
def test_nothing_is_lost_duplicates_are_bounded_and_order_holds(
    history: list, script: list[str], pace: Pace | None, room: int | None, at_night: bool
) -> None:
    used: Counter[str] = Counter()

    def answer(_message: Message) -> ChannelError | Crash | None:
        kind = script.pop(0) if script else "ok"
        used[kind] += 1
        return ANSWERS[kind]()

    bench = DeliveryBench(answer, pace, room)
    if at_night:
        bench.keep_quiet()
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
    if at_night:
        bench.advance_to(8)
    for _ in range(40):
        run_through_crashes(bench, 400.0)

    assert bench.pending == 0
    assert bench.dead == 0
    ids = {alert.id for alert in bench.raised}
    lines = [line for message in bench.channel.reached for line in message.text.split("\n")]
    arrived = [line for line in lines if line in ids]
    assert set(arrived) == ids
    assert all(line.startswith("Held back during quiet hours (") for line in lines if line not in ids)
    messages = Counter(message.id for message in bench.channel.reached)
    assert sum(messages.values()) - len(messages) <= used["crash"] + used["lost answer"]
    assert all(len(message.text) <= (room or 0) for message in bench.channel.reached if message.group)
    assert len({message.text for message in bench.channel.reached}) == len(messages)
    for subject in {alert.subject for alert in bench.raised}:
        raised = [alert.id for alert in bench.raised if alert.subject == subject]
        assert [line for line in dict.fromkeys(arrived) if line in raised] == raised


def run_through_crashes(bench: DeliveryBench, seconds: float) -> None:
    end = bench.clock.steady + seconds
    while bench.clock.steady < end:
        try:
            bench.run(end - bench.clock.steady)
        except Crash:
            bench.restart()
