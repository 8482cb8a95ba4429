"""Every text an alert can become, in both languages."""

import string
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product

import pytest
from attrs import evolve

from token_monitor.core import phrases
from token_monitor.core.alert import Alert, Measured, Switch
from token_monitor.core.texts import text
from token_monitor.core.words import EVERY, Kind, Language, Reason, State, Trigger, Why

AT = datetime(2026, 4, 5, 10, tzinfo=UTC)
WRONG = (State.LOW, State.CRITICAL, State.EXHAUSTED, State.ARREARS)
OPENING = (Reason.FIRST, Reason.ESCALATED, Reason.REMINDER)
CLOSING = tuple(reason for reason in Reason if reason.closes)


def measured(
    balance: str | None = "5",
    threshold: str = "10",
    unit: str = "calls",
    quantity: str = "balance",
    trigger: Trigger = Trigger.THRESHOLD,
) -> Measured:
    value = None if balance is None else Decimal(balance)
    return Measured(quantity, trigger, value, Decimal(threshold), None, unit)


def alert(
    state: State = State.LOW,
    reason: Reason = Reason.FIRST,
    kind: Kind = Kind.ACCOUNT,
    numbers: Measured | None = None,
) -> Alert:
    return Alert("e-1", kind, "facefusion/x", "facefusion", state, reason, "e", AT, numbers)


def english(state: State, reason: Reason, numbers: Measured) -> str:
    return text(alert(state, reason, numbers=numbers), Language.EN)


def chinese(state: State, reason: Reason, numbers: Measured) -> str:
    return text(alert(state, reason, numbers=numbers), Language.ZH)


def every_alert() -> list[Alert]:
    numbers = [
        None,
        *(
            measured(*of)
            for of in product(
                ("5", "0", "-3", "1E+3", "0.10", None), ("10", "0"), ("calls", ""), ("balance", "balance_cny"), Trigger
            )
        ),
    ]
    of_accounts = [
        alert(state, reason, numbers=each)
        for states, reasons in ((WRONG, OPENING), ((State.OK, State.UNLIMITED), CLOSING))
        for state, reason, each in product(states, reasons, numbers)
    ]
    of_others = [
        alert(state, reason, kind)
        for kind in (Kind.VISIBILITY, Kind.CREDENTIAL)
        for state, reasons in ((State.CRITICAL, OPENING), (State.OK, CLOSING))
        for reason in reasons
    ]
    of_all_credentials = [
        evolve(alert(state, reason, Kind.CREDENTIAL), label=EVERY)
        for state, reasons in ((State.EXHAUSTED, OPENING), (State.OK, CLOSING))
        for reason in reasons
    ]
    switches = [
        evolve(alert(kind=Kind.CREDENTIAL), label="spare1", switch=Switch("facefusion", "primary", "spare1", why, AT))
        for why in Why
    ]
    of_spares = [evolve(each, label="spare1") for each in (*of_accounts, *of_others)]
    test = alert(State.OK, kind=Kind.TEST)
    return [*of_accounts, *of_others, *of_all_credentials, *switches, *of_spares, test]


def test_the_english_text_is_the_one_of_the_contract() -> None:
    expected = "[WARNING] facefusion: 5 calls left, below the warning threshold of 10."
    assert english(State.LOW, Reason.FIRST, measured()) == expected


def test_the_chinese_text_says_the_same() -> None:
    assert chinese(State.LOW, Reason.FIRST, measured()) == "【警告】facefusion：剩余 5 次调用，低于警告阈值 10。"


@pytest.mark.parametrize(
    ("seconds", "en", "zh"),
    [
        (None, "", ""),
        (0, "", ""),
        (20, " About 1 minute at the current rate.", "按目前速度约可用 1 分钟。"),
        (7199, " About 120 minutes at the current rate.", "按目前速度约可用 120 分钟。"),
        (31000, " About 9 hours at the current rate.", "按目前速度约可用 9 小时。"),
        (180000, " About 2 days at the current rate.", "按目前速度约可用 2 天。"),
    ],
)
def test_a_runway_is_added_when_it_is_known(seconds: int | None, en: str, zh: str) -> None:
    numbers = evolve(measured(), runway_seconds=seconds)
    plain_numbers = measured()
    assert english(State.LOW, Reason.FIRST, numbers) == english(State.LOW, Reason.FIRST, plain_numbers) + en
    assert chinese(State.LOW, Reason.FIRST, numbers) == chinese(State.LOW, Reason.FIRST, plain_numbers) + zh


@pytest.mark.parametrize("language", Language)
def test_every_alert_has_a_whole_text_in_every_language(language: Language) -> None:
    for each, note in product(every_alert(), ("", "timeout after 10s.")):
        said = text(each, language, note)
        assert "facefusion" in said
        assert said.endswith(("。", ".")), said
        assert len(said) > len("[WARNING] facefusion: "), said
        for fault in ("None", "  ", "..", "。。", "{", "}", "E+", " .", " ,", "\n"):
            assert fault not in said, said


def test_both_languages_have_the_same_sentences_with_the_same_blanks() -> None:
    def blanks(sentence: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}

    by_language = [
        {case: blanks(sentence) for case, sentence in phrases.SENTENCES[language].items()} for language in Language
    ]
    assert by_language[0] == by_language[1]


def test_no_sentence_is_left_unused() -> None:
    said = [text(each, Language.EN, "the cause") for each in every_alert()]
    near = measured("10.2")
    said += [text(alert(state, numbers=near), Language.EN) for state in (State.LOW, State.CRITICAL)]
    for sentence in phrases.SENTENCES[Language.EN].values():
        pieces = [piece for piece, *_ in string.Formatter().parse(sentence)]
        assert any(all(piece in line for piece in pieces) for line in said), sentence


def test_a_value_back_above_the_threshold_is_not_called_below_it() -> None:
    for state, balance in product((State.LOW, State.CRITICAL), ("10", "10.4")):
        said = english(state, Reason.FIRST, measured(balance))
        assert "below" not in said
        assert "not yet clear of" in said
        assert "低于" not in chinese(state, Reason.FIRST, measured(balance))


def test_a_reminder_says_that_it_is_still_so() -> None:
    for state, trigger in product(WRONG, Trigger):
        numbers = measured("5" if state is not State.EXHAUSTED else "0", trigger=trigger)
        assert "still" in english(state, Reason.REMINDER, numbers)
        assert "still" not in english(state, Reason.FIRST, numbers)
        assert "仍" in chinese(state, Reason.REMINDER, numbers)
    for kind in (Kind.VISIBILITY, Kind.CREDENTIAL):
        assert "still" in text(alert(State.CRITICAL, Reason.REMINDER, kind), Language.EN)


def test_every_state_worse_than_low_says_what_to_do() -> None:
    for state, trigger, reason in product((State.CRITICAL, State.EXHAUSTED, State.ARREARS), Trigger, OPENING):
        numbers = measured("2", trigger=trigger)
        assert "top" in english(state, reason, numbers).lower()
        assert "充值" in chinese(state, reason, numbers)


def test_exhausted_says_how_it_is_known() -> None:
    def said(trigger: Trigger, balance: str | None) -> str:
        return english(State.EXHAUSTED, Reason.FIRST, measured(balance, "0", trigger=trigger))

    assert said(Trigger.THRESHOLD, "0").startswith("[CRITICAL] facefusion: 0 calls left.")
    assert "the provider says the account is not available, with 7 calls left" in said(Trigger.FLAG, "7")
    assert "HTTP 402" in said(Trigger.STATUS, None)


def test_arrears_name_the_debt() -> None:
    said = english(State.ARREARS, Reason.ESCALATED, measured("-3.50", "0", "CNY"))
    assert said.startswith("[CRITICAL] facefusion: the balance is -3.50 CNY, the account is in debt")


def test_a_recovery_says_what_is_there_again() -> None:
    assert (
        english(State.OK, Reason.RECOVERED, measured("50"))
        == "[INFO] facefusion: recovered, 50 calls left (threshold 10)."
    )
    assert english(State.OK, Reason.RECOVERED, measured("50", "0")) == "[INFO] facefusion: recovered, 50 calls left."
    assert "no longer has a limit" in english(State.UNLIMITED, Reason.RECOVERED, measured("0", "0"))
    assert (
        chinese(State.OK, Reason.RECOVERED, measured("50")) == "【通知】facefusion：已恢复，剩余 50 次调用（阈值 10）。"
    )


def test_an_episode_closed_by_the_settings_is_not_called_recovered() -> None:
    for reason, kind in product((Reason.RULE_CHANGED, Reason.ACCOUNT_REMOVED), (Kind.ACCOUNT, Kind.VISIBILITY)):
        numbers = measured() if kind is Kind.ACCOUNT else None
        assert "recovered" not in text(alert(State.OK, reason, kind, numbers), Language.EN)


def test_a_quantity_that_is_not_the_balance_is_named() -> None:
    numbers = measured("5", "50", "CNY", "balance_cny")
    in_deepseek = evolve(alert(numbers=numbers), account="deepseek")
    assert text(in_deepseek, Language.EN).startswith("[WARNING] deepseek (balance_cny): 5 CNY left")
    assert text(in_deepseek, Language.ZH).startswith("【警告】deepseek（balance_cny）：剩余 5 CNY")


def test_a_number_is_written_without_an_exponent() -> None:
    assert "1000 calls left" in english(State.LOW, Reason.FIRST, measured("1E+3", "2E+3"))
    assert "threshold of 2000" in english(State.LOW, Reason.FIRST, measured("1E+3", "2E+3"))


def test_a_quantity_without_a_unit_leaves_no_gap() -> None:
    assert english(State.LOW, Reason.FIRST, measured(unit="")) == (
        "[WARNING] facefusion: 5 left, below the warning threshold of 10."
    )


def test_blindness_and_a_rejected_credential_give_the_last_error() -> None:
    for kind in (Kind.VISIBILITY, Kind.CREDENTIAL):
        said = text(alert(State.CRITICAL, kind=kind), Language.EN, "no answer within 10s.")
        assert " Last error: no answer within 10s. " in said
        assert "最近一次错误：no answer within 10s。" in text(
            alert(State.CRITICAL, kind=kind), Language.ZH, "no answer within 10s."
        )


def test_braces_in_a_name_or_note_are_just_characters() -> None:
    odd = evolve(alert(State.CRITICAL, kind=Kind.VISIBILITY), account="{amount}")
    assert text(odd, Language.EN, "{threshold}").startswith("[ERROR] {amount}: ")


def test_a_test_alert_is_marked_as_one() -> None:
    tested = alert(State.OK, kind=Kind.TEST)
    assert text(tested, Language.EN).startswith("[TEST] facefusion: this is a test alert, nothing is wrong.")
    assert text(tested, Language.ZH).startswith("【测试】facefusion：这是一条测试告警")


def test_a_switch_names_both_credentials_by_their_labels_and_why() -> None:
    switch = Switch("facefusion", "primary", "spare1", Why.EXHAUSTED, AT)
    switched = evolve(alert(kind=Kind.CREDENTIAL), label="spare1", switch=switch)
    assert text(switched, Language.EN) == (
        "[WARNING] facefusion: switched from credential primary to spare1, because primary has no credit left. "
        "Top primary up while spare1 lasts."
    )
    assert "从 primary 切换到 spare1" in text(switched, Language.ZH)


def test_without_any_healthy_credential_it_is_said_what_each_was_found_to_be() -> None:
    none = evolve(alert(State.EXHAUSTED, kind=Kind.CREDENTIAL), label=EVERY)
    said = text(none, Language.EN, "primary: exhausted, spare1: rejected")
    assert said.startswith("[CRITICAL] facefusion: no credential can be used. What was found: primary: exhausted, ")
    assert said.endswith("Requests fail until one is topped up or replaced: do it now.")
    assert "：没有可用的凭证。检查结果：primary: exhausted。充值或更换前请求会失败" in text(
        none, Language.ZH, "primary: exhausted"
    )


def test_a_balance_of_a_spare_says_whose_it_is() -> None:
    of_spare = evolve(alert(numbers=measured(quantity="balance_cny")), label="spare1")
    assert text(of_spare, Language.EN).startswith("[WARNING] facefusion (balance_cny, spare1): 5 calls left")
    assert text(evolve(alert(numbers=measured()), label="spare1"), Language.EN).startswith(
        "[WARNING] facefusion (spare1)"
    )


def test_an_episode_that_ended_with_its_credential_is_not_called_recovered() -> None:
    for kind in (Kind.ACCOUNT, Kind.CREDENTIAL):
        left = alert(State.OK, Reason.CREDENTIAL_SWITCHED, kind, measured() if kind is Kind.ACCOUNT else None)
        assert text(left, Language.EN) == "[INFO] facefusion: alert closed because another credential is used now."
        assert left.headline == "Token alert closed"
