"""What an alert is called and shows; the subjects without a number (rule J11)."""

from decimal import Decimal

import pytest
from attrs import evolve

from support.judging import COOLDOWN, SUBJECT, at, reading, rule, step
from token_monitor.core.judge import Subject, SubjectState, judge, observe
from token_monitor.core.number import to_json
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.words import Kind, State


class TestSubjectsWithoutANumber:
    """Rule J11."""

    @pytest.mark.parametrize(
        ("kind", "bad", "level", "good"),
        [
            (Kind.CREDENTIAL, "Credential rejected", "critical", "Credential accepted"),
            (Kind.VISIBILITY, "Balance check failing, silent mode", "error", "Balance check recovered"),
        ],
    )
    def test_they_have_episodes_of_their_own(self, kind: Kind, bad: str, level: str, good: str) -> None:
        subject, state, told = Subject(kind, "facefusion"), SubjectState(), []
        for second, seen in ((0, "ok"), (1, "critical"), (2, "critical"), (101, "critical"), (102, "ok"), (103, "ok")):
            state, alert = observe(subject, state, State(seen), at(second), COOLDOWN)
            if alert:
                told.append((alert.reason, alert.headline, alert.level, alert.measured))

        assert told == [
            ("first", bad, level, None),
            ("reminder", bad, level, None),
            ("recovered", good, "info", None),
        ]
        assert subject.name == f"facefusion/{kind}"

    def test_one_that_is_not_to_be_reminded_of_is_said_once(self) -> None:
        subject = Subject(Kind.VISIBILITY, "facefusion")
        state, first = observe(subject, SubjectState(), State.CRITICAL, at(0), COOLDOWN, remind=False)
        _, again = observe(subject, state, State.CRITICAL, at(1000), COOLDOWN, remind=False)

        assert first is not None
        assert again is None

    def test_their_fields_are_those_of_the_contract(self) -> None:
        _, alert = observe(Subject(Kind.CREDENTIAL, "a"), SubjectState(), State.CRITICAL, at(0), COOLDOWN)

        assert alert is not None
        assert alert.fields() == {
            "id": f"{alert.episode}-1",
            "kind": "credential",
            "subject": "a/credential",
            "account": "a",
            "state": "critical",
            "level": "critical",
            "reason": "first",
            "episode": alert.episode,
            "at": "2026-04-05T10:00:00.000Z",
        }


class TestIds:
    def test_a_replay_gives_the_same(self) -> None:
        assert ids("9", "2", "11") == ids("9", "2", "11")

    def test_each_alert_of_an_episode_has_its_own_and_all_name_the_episode(self) -> None:
        first, second, third = ids("9", "2", "11")

        assert (second, third) == (first.removesuffix("1") + "2", first.removesuffix("1") + "3")

    @pytest.mark.parametrize(
        "other",
        [
            evolve(SUBJECT, account="other"),
            evolve(SUBJECT, quantity="credits"),
            evolve(SUBJECT, label="spare1"),
            Subject(Kind.ACCOUNT, "facefusion/balance", "balance"),
        ],
    )
    def test_two_subjects_never_share_one(self, other: Subject) -> None:
        mine, theirs = (judge(s, rule("10"), SubjectState(), reading("9"), 1, at(1), 1)[1] for s in (SUBJECT, other))

        assert mine is not None
        assert theirs is not None
        assert mine.id != theirs.id

    def test_a_quantity_called_credential_shares_none_with_the_credential(self) -> None:
        quantity, credential = Subject(Kind.ACCOUNT, "a", "credential"), Subject(Kind.CREDENTIAL, "a")
        _, low = judge(quantity, rule("10"), SubjectState(), reading("9"), 1, at(1), COOLDOWN)
        _, rejected = observe(credential, SubjectState(), State.CRITICAL, at(1), COOLDOWN)

        assert low is not None
        assert rejected is not None
        assert low.id != rejected.id

    def test_two_episodes_judged_at_one_instant_share_none(self) -> None:
        state, seen = SubjectState(), []
        for sequence, read in enumerate(("9", "11", "9", "11"), start=1):
            state, alert = judge(SUBJECT, rule("10"), state, reading(read), sequence, at(50), 0)
            seen.append(alert.id if alert else None)

        assert None not in seen
        assert len(set(seen)) == 4


def test_the_fields_of_an_alert_are_those_of_the_contract_in_its_order_and_digit_for_digit() -> None:
    judged = Rule(Bound(Decimal("10.00")))
    read = Reading("balance", Decimal("0.10"), "calls", limit=Decimal("1E+3"))
    _, alert = judge(SUBJECT, judged, SubjectState(), read, 1, at(0), COOLDOWN)

    assert alert is not None
    assert to_json(alert.fields()) == (
        f'{{"id":"{alert.id}","kind":"account","subject":"facefusion/balance","account":"facefusion",'
        '"quantity":"balance","state":"low","level":"warning","reason":"first","trigger":"threshold",'
        '"balance":0.10,"threshold":10.00,"limit":1E+3,"unit":"calls","runway_seconds":null,'
        f'"episode":"{alert.episode}","at":"2026-04-05T10:00:00.000Z"}}'
    )


def test_fields_that_are_unknown_are_null() -> None:
    _, alert = step(SubjectState(), rule("10"), "402", 0.5)

    assert alert is not None
    assert '"balance":null,"threshold":0,"limit":null,' in to_json(alert.fields())


@pytest.mark.parametrize(
    ("read", "level", "headline"),
    [
        ("9", "warning", "Token balance low"),
        ("2", "critical", "Token balance critical"),
        ("0", "critical", "Token balance exhausted"),
        ("-1", "critical", "Token balance in arrears"),
    ],
)
def test_each_state_has_its_level_and_headline(read: str, level: str, headline: str) -> None:
    _, alert = step(SubjectState(), rule("10/3"), read, 1)

    assert alert is not None
    assert (alert.level, alert.headline) == (level, headline)


def ids(*reads: str) -> list[str]:
    state, found = SubjectState(), []
    for second, read in enumerate(reads, start=1):
        state, alert = step(state, rule("10/3"), read, second)
        if alert:
            found.append(alert.id)
    return found
