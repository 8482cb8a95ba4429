"""Episodes that end by an edited rule or a removed account (rule J9)."""

import pytest

from support.judging import COOLDOWN, SUBJECT, at, measured, reading, rule, step
from token_monitor.core.judge import Subject, SubjectState, close, observe
from token_monitor.core.words import Kind, Level, Reason, State


class TestEditedRule:
    """Rule J9."""

    @pytest.mark.parametrize(
        ("before", "after", "low_at", "now_at", "reason", "threshold"),
        [
            ("10", "5", "9", "9", "rule_changed", "5"),
            ("10", "5", "9", "10.4", "rule_changed", "5"),
            ("10", "5", "9", "10.5", "recovered", "5"),
            ("10", "5", "9", "5", "rule_changed", "5"),
            ("10", "-", "9", "9", "rule_changed", "0"),
            ("10", "5%", "9", "9/100", "rule_changed", "5"),
            ("15%", "5", "9/100", "9", "rule_changed", "5"),
            ("10", "5", "0", "9", "rule_changed", "5"),
            ("10", "5", "9", "unlimited", "recovered", "5"),
            ("10/-/5", "10/-/1", "9", "12", "rule_changed", "10"),
        ],
    )
    def test_a_close_that_only_the_edit_caused_says_so(
        self, before: str, after: str, low_at: str, now_at: str, reason: str, threshold: str
    ) -> None:
        state, _ = step(SubjectState(), rule(before), low_at, 1)
        closed, alert = step(state, rule(after), now_at, 2)

        assert alert is not None
        assert (alert.reason, str(measured(alert).threshold)) == (reason, threshold)
        assert (alert.level, closed.standing.episode) == (Level.INFO, None)
        assert alert.headline == ("Token alert closed" if reason == "rule_changed" else "Token balance recovered")

    def test_it_judges_the_next_reading_at_once(self) -> None:
        state, none = step(SubjectState(), rule("10"), "15", 1)
        _, alert = step(state, rule("20"), "15", 2)

        assert none is None
        assert alert is not None
        assert (alert.reason, measured(alert).threshold) == (Reason.FIRST, 20)

    def test_it_does_not_lift_the_mute(self) -> None:
        state, _ = step(SubjectState(), rule("10"), "9", 1)

        assert step(state, rule("20"), "9", 2)[1] is None

    def test_a_close_without_an_announcement_is_silent(self) -> None:
        state, _ = step(SubjectState(), rule("10"), "9", 1)
        state, _ = step(state, rule("10"), "11", 2)
        state, muted = step(state, rule("10"), "9", 3)

        assert muted is None
        assert step(state, rule("5"), "9", 4)[1] is None

    def test_the_reading_after_the_edit_recovers_as_usual(self) -> None:
        state, _ = step(SubjectState(), rule("10"), "2", 1)
        state, silent = step(state, rule("5"), "2", 2)
        _, alert = step(state, rule("5"), "9", 3)

        assert silent is None
        assert alert is not None
        assert alert.reason is Reason.RECOVERED

    def test_the_same_rule_written_otherwise_is_no_edit(self) -> None:
        state, _ = step(SubjectState(), rule("10"), "9", 1)
        state, _ = step(state, rule("10.00"), "10.2", 2)

        assert state.standing.state is State.LOW


class TestClose:
    """Ending an episode without a reading."""

    @pytest.mark.parametrize(
        ("judged", "read", "threshold"),
        [("10/3", "2", "10"), ("-/3", "2", "3"), ("15%", "9/100", "15"), ("15%", "402", "0"), ("-", "0", "0")],
    )
    def test_it_says_the_last_balance_and_the_warning_bound(self, judged: str, read: str, threshold: str) -> None:
        state, _ = step(SubjectState(), rule(judged), read, 1)
        _, alert = close(SUBJECT, state, Reason.ACCOUNT_REMOVED, at(2))

        assert alert is not None
        assert (alert.reason, alert.state, alert.level) == ("account_removed", "ok", "info")
        assert alert.headline == "Token alert closed"
        assert str(measured(alert).threshold) == threshold
        assert measured(alert).balance == reading(read).value

    def test_it_is_said_once_and_only_of_what_was_announced(self) -> None:
        announced, _ = step(SubjectState(), rule("10"), "9", 1)
        closed, _ = close(SUBJECT, announced, Reason.ACCOUNT_REMOVED, at(2))
        back, _ = step(closed, rule("10"), "9", 3)

        assert close(SUBJECT, closed, Reason.ACCOUNT_REMOVED, at(3))[1] is None
        assert close(SUBJECT, back, Reason.ACCOUNT_REMOVED, at(4))[1] is None
        assert close(SUBJECT, SubjectState(), Reason.ACCOUNT_REMOVED, at(4))[1] is None

    def test_of_everything_the_stamps_alone_go_on_deciding(self) -> None:
        state, _ = step(SubjectState(), rule("10"), "9", 1)
        closed, _ = close(SUBJECT, state, Reason.ACCOUNT_REMOVED, at(2))

        assert closed.standing.state is State.UNKNOWN
        assert step(closed, rule("10"), "10.2", 3)[0].standing.state is State.OK
        assert step(closed, rule("10"), "9", 100)[1] is None
        assert step(closed, rule("10"), "9", 101)[1] is not None

    def test_a_subject_without_a_number_closes_without_one(self) -> None:
        subject = Subject(Kind.CREDENTIAL, "facefusion")
        state, _ = observe(subject, SubjectState(), State.CRITICAL, at(1), COOLDOWN)
        _, alert = close(subject, state, Reason.ACCOUNT_REMOVED, at(2))

        assert alert is not None
        assert (alert.measured, alert.headline) == (None, "Token alert closed")
