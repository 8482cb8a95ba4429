"""P5: every delivery ends; what arrives twice is bounded by crashes and lost answers; order holds per subject."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from support.delivering import Crash, DeliveryBench
from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.words import Reason
from token_monitor.delivery import GATHER, PROBE_EVERY, WRONG_AFTER
from token_monitor.worker import LONGEST_BACKOFF

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


POISONS = [f"poison {number}" for number in range(1, 6)]

accounts = st.sampled_from(["poison 1", "poison 2", "a", "b", "c"])
incidents = st.lists(
    st.one_of(
        st.tuples(st.just("raise"), st.lists(accounts, min_size=1, max_size=4)),
        st.tuples(st.just("outage"), st.sampled_from([5.0, 90.0, 1000.0])),
        st.tuples(st.just("pass"), st.sampled_from([1.0, 299.0, 400.0])),
        st.tuples(st.just("restart"), st.none()),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(incidents, st.sampled_from([None, 40, 1000]))
def test_what_two_subjects_are_refused_for_delays_no_other_by_more_than_an_attempt(
    history: list, room: int | None
) -> None:
    bench = DeliveryBench(refuse_poison, room=room)
    gather = 0.0 if room is None else GATHER
    for event, given_ in history:
        match event:
            case "raise":
                for account in given_:
                    bench.raise_alert(account)
                bench.run(gather)
            case "outage":
                bench.channel.answer = lambda _message: ChannelError(Scope.RETRY, "refused")
                bench.run(given_)
                bench.channel.answer = refuse_poison
                bench.run(1.2 * LONGEST_BACKOFF)
            case "pass":
                bench.run(given_)
            case "restart":
                bench.restart()
                bench.run()
        assert set(texts(sound(bench.raised))) <= set(arrived(bench))
    assert len(arrived(bench)) == len(set(arrived(bench)))
    for account in "abc":
        assert [text for text in arrived(bench) if text.startswith(account)] == of(account, bench.raised)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("raise"), st.lists(st.sampled_from([*POISONS, "a", "b"]), min_size=1, max_size=7)),
            st.tuples(st.just("restart"), st.just([])),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([None, 40, 1000]),
)
def test_however_many_subjects_are_refused_no_other_waits_for_more_than_two_probes_of_each(
    history: list, room: int | None
) -> None:
    bench = DeliveryBench(refuse_poison, room=room)
    for event, accounts_ in history:
        if event == "restart":
            bench.restart()
        for account in accounts_:
            bench.raise_alert(account)
        bench.run((1 + 2 * len(POISONS)) * PROBE_EVERY)
        assert set(texts(sound(bench.raised))) <= set(arrived(bench))


def refuse_poison(message: Message) -> ChannelError | None:
    return ChannelError(Scope.CHANNEL, "HTTP 404") if "poison" in message.text else None


def arrived(bench: DeliveryBench) -> list[str]:
    return [text for message in bench.channel.reached for text in message.text.split("\n")]


def texts(alerts: list[Alert]) -> list[str]:
    return [alert.id for alert in alerts]


def sound(alerts: list[Alert]) -> list[Alert]:
    return [alert for alert in alerts if not alert.account.startswith("poison")]


def of(account: str, alerts: list[Alert]) -> list[str]:
    return [alert.id for alert in alerts if alert.account == account]


@settings(max_examples=200, deadline=None)
@given(incidents)
def test_while_all_is_refused_a_start_costs_three_attempts_beside_the_probes_and_none_is_lost(history: list) -> None:
    bench = DeliveryBench(lambda _message: ChannelError(Scope.CHANNEL, "HTTP 401"))
    begun = bench.clock.steady
    restarts = 0
    for event, given_ in history:
        match event:
            case "raise":
                for account in given_:
                    bench.raise_alert(account)
                bench.run()
            case "restart":
                restarts += 1
                bench.restart()
                bench.run()
            case _:
                bench.run(given_)
    probes = (bench.clock.steady - begun) / PROBE_EVERY
    assert len(bench.channel.attempts) <= WRONG_AFTER * (1 + restarts) + probes
    assert (bench.pending, bench.dead) == (len(bench.raised), 0)
    bench.channel.answer = lambda _message: None
    bench.run(PROBE_EVERY)
    assert set(bench.channel.arrived) == set(bench.raised)
    assert bench.dead == 0


def run_through_crashes(bench: DeliveryBench, seconds: float) -> None:
    end = bench.clock.steady + seconds
    while bench.clock.steady < end:
        try:
            bench.run(end - bench.clock.steady)
        except Crash:
            bench.restart()
