"""The judge on random histories: properties P1 to P4."""

from collections.abc import Sequence
from decimal import Decimal

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from support.histories import BEGIN, COOLDOWNS, EDITED, GAPS, MANY, Event, Run, played
from support.judging import SUBJECT, at
from token_monitor.core.alert import Alert
from token_monitor.core.judge import SubjectState, close, judge, observe
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, LimitMissingError, Rule
from token_monitor.core.words import Reason, State
from token_monitor.stores.codec import decode_state, encode_state


@MANY
@given(EDITED, COOLDOWNS)
def test_p1_trouble_was_announced_lately_or_as_badly_in_this_episode(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    said: list[tuple[float, Alert]] = []
    for seen in played(edits, cooldown).seen:
        said += [(seen.time, seen.alert)] if seen.alert else []
        standing = seen.after.standing
        if seen.judged and standing.state.rank > 0:
            assert standing.episode is not None
            lately = any(alert.state is standing.state and seen.time - time <= cooldown for time, alert in said)
            here = [alert for _, alert in said if alert.episode == standing.episode.id]
            assert lately or any(alert.state.rank >= standing.state.rank for alert in here)


@MANY
@given(EDITED, COOLDOWNS)
def test_p2_the_same_state_is_announced_at_most_once_per_cooldown(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    last: dict[State, float] = {}
    for seen in played(edits, cooldown).seen:
        if seen.alert and not seen.alert.reason.closes:
            state = seen.alert.state
            assert seen.time - last.get(state, float("-inf")) >= cooldown
            last[state] = seen.time


@MANY
@given(EDITED, COOLDOWNS)
def test_p3_an_episode_closes_once_and_in_silence_if_nothing_was_announced(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    run = played(edits, cooldown)
    for episode in {alert.episode for alert in run.alerts}:
        reasons = [alert.reason for alert in run.alerts if alert.episode == episode]
        assert reasons[0] is Reason.FIRST
        assert not any(reason.closes or reason is Reason.FIRST for reason in reasons[1:-1])
    for seen in run.seen:
        old, new = seen.before.standing.episode, seen.after.standing.episode
        ended = old is not None and new is None
        closing = seen.alert is not None and seen.alert.reason.closes
        assert closing == (ended and old is not None and old.told is not None)


@MANY
@given(EDITED, COOLDOWNS)
def test_p4_failures_and_late_answers_change_nothing_and_restarts_leave_the_sequence_identical(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    restarted, never_stopped = played(edits, cooldown), played(edits, cooldown, restarts=False)

    assert restarted.alerts == never_stopped.alerts
    assert restarted.state == never_stopped.state
    assert [str(alert.fields()) for alert in restarted.alerts] == [str(it.fields()) for it in never_stopped.alerts]
    assert all(seen.after == seen.before and not seen.alert for seen in restarted.seen if not seen.judged)


@MANY
@given(EDITED, COOLDOWNS)
def test_p4_a_history_without_its_failures_says_the_same(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    whole, bare = played(edits, cooldown), Run(cooldown)
    for seen in whole.seen:
        if seen.judged:
            bare.now = seen.time
            bare.sequence = seen.after.sequence - 1
            bare.play(seen.rule, [Event(0, seen.reading)])

    assert [evolve(alert, at=at(0).wall) for alert in bare.alerts] == [
        evolve(alert, at=at(0).wall) for alert in whole.alerts
    ]


@MANY
@given(EDITED, COOLDOWNS)
def test_no_two_alerts_share_an_id_and_no_two_stays_an_episode(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    run = played(edits, cooldown)
    ids = [alert.id for alert in run.alerts]
    stays = [
        seen.after.standing.episode.id
        for seen in run.seen
        if seen.after.standing.episode is not None and seen.before.standing.episode is None
    ]

    assert len(set(ids)) == len(ids)
    assert len(set(stays)) == len(stays)
    assert all((seen.after.standing.episode is None) == (seen.after.standing.state.rank == 0) for seen in run.seen)


@MANY
@given(EDITED, COOLDOWNS)
def test_a_rule_changed_closes_only_at_an_edit_that_the_old_rule_would_not_have_closed(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float
) -> None:
    for seen in played(edits, cooldown).seen:
        if seen.alert is None or not seen.alert.reason.closes:
            continue
        assert seen.before.rule is not None
        try:
            unedited, _ = judge(
                SUBJECT, seen.before.rule, seen.before, seen.reading, seen.after.sequence, at(seen.time), cooldown
            )
            would_close = unedited.standing.episode is None
        except LimitMissingError:
            would_close = False
        assert seen.alert.reason == ("recovered" if would_close else "rule_changed")


@MANY
@given(EDITED, COOLDOWNS, st.integers(0, 40))
def test_an_account_removed_and_back_keeps_its_stamps_and_nothing_else(
    edits: Sequence[tuple[Rule, Sequence[Event]]], cooldown: float, later: int
) -> None:
    run = played(edits, cooldown)
    closed, alert = close(SUBJECT, run.state, Reason.ACCOUNT_REMOVED, at(run.now))
    episode = run.state.standing.episode

    assert (alert is not None) == (episode is not None and episode.told is not None)
    assert alert is None or alert.id not in {earlier.id for earlier in run.alerts}
    fresh = SubjectState(evolve(SubjectState().standing, last=run.state.standing.last))
    reading, now = Reading("balance", Decimal("10.2"), "calls"), at(run.now + later)
    rule = Rule(Bound(Decimal(10)))
    assert judge(SUBJECT, rule, closed, reading, 2e9, now, cooldown)[0].standing == (
        judge(SUBJECT, rule, fresh, reading, 2e9, now, cooldown)[0].standing
    )


@MANY
@given(
    st.lists(st.tuples(GAPS.filter(bool), st.sampled_from(["ok", "critical"]), st.booleans()), max_size=40), COOLDOWNS
)
def test_a_subject_without_a_number_keeps_the_same_properties(
    history: Sequence[tuple[float, str, bool]], cooldown: float
) -> None:
    state, now, last, ids, open_ = SubjectState(), BEGIN, float("-inf"), set(), False
    for gap, seen, restart in history:
        now += gap
        state = decode_state(encode_state(state)) if restart else state
        state, alert = observe(SUBJECT, state, State(seen), at(now), cooldown)
        assert alert is None or alert.id not in ids
        if seen == "ok":
            assert (alert is not None) == open_
            open_ = False
        else:
            assert (alert is not None) == (now - last >= cooldown)
            open_ = open_ or alert is not None
            last = now if alert else last
        ids |= {alert.id} if alert else set()
