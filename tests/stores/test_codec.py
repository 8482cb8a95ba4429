"""Stored text: nothing is lost, and a newer version's text does not stop an older daemon."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from support.stored import AT, in_episode, message
from token_monitor.core.alert import Alert, Measured
from token_monitor.core.episode import Episode, Standing
from token_monitor.core.judge import SubjectState
from token_monitor.core.message import Message
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.words import Kind, Reason, State, Trigger
from token_monitor.stores.codec import (
    UnreadableError,
    decode_message,
    decode_state,
    encode_message,
    encode_state,
)

decimals = st.decimals(allow_nan=False, allow_infinity=False)
seconds = st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(fold=0))
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\ud800"))  # half a pair: JSON can smuggle it in
states = st.sampled_from(State)
bounds = st.builds(Bound, decimals, st.booleans())
rules = st.builds(Rule, st.none() | bounds, st.none() | bounds, bounds)
readings = st.builds(
    Reading, texts, st.none() | decimals, texts, st.none() | decimals, st.none() | moments, st.booleans(), st.booleans()
)
episodes = st.builds(Episode, texts, st.none() | states, seconds, st.integers(0, 9), st.none() | moments)
standings = st.builds(Standing, states, st.none() | episodes, st.dictionaries(states, seconds))
subject_states = st.builds(
    SubjectState,
    standings,
    st.frozensets(states),
    st.none() | rules,
    seconds,
    st.none() | readings,
    st.none() | moments,
)
measurements = st.builds(
    Measured,
    texts,
    st.sampled_from(Trigger),
    st.none() | decimals,
    decimals,
    st.none() | decimals,
    texts,
    st.none() | st.integers(0, 10**9),
)
alerts = st.builds(
    Alert,
    texts,
    st.sampled_from(Kind),
    texts,
    texts,
    states,
    st.sampled_from(Reason),
    texts,
    moments,
    st.none() | measurements,
)


@given(subject_states)
def test_any_state_comes_back_as_it_was(state: SubjectState) -> None:
    again = decode_state(encode_state(state))
    assert again == state
    assert encode_state(again) == encode_state(state), "equal Decimals may differ in their digits"


@given(st.builds(Message, alerts, texts))
def test_any_message_comes_back_as_it_was(raised: Message) -> None:
    again = decode_message(encode_message(raised))
    assert again == raised
    assert encode_message(again) == encode_message(raised), "equal Decimals may differ in their digits"


@given(st.builds(Message, alerts, texts))
def test_stored_text_is_ascii_whatever_a_provider_says(raised: Message) -> None:
    assert encode_message(raised).isascii()


@pytest.mark.parametrize("digits", ["0.10", "1E+3", "-0.000", "12345678901234567890.12345678901234567890"])
def test_a_decimal_keeps_its_digits(digits: str) -> None:
    state = SubjectState(reading=Reading("balance", Decimal(digits), "calls"))
    again = decode_state(encode_state(state)).reading
    assert again is not None
    assert str(again.value) == digits


def test_a_moment_of_another_zone_comes_back_as_utc() -> None:
    state = SubjectState(read_at=datetime.fromisoformat("2026-04-05T18:00:00+08:00"))
    again = decode_state(encode_state(state)).read_at
    assert again == AT
    assert again.tzinfo is UTC


def test_a_field_that_a_newer_version_added_is_ignored() -> None:
    stored = json.loads(encode_message(message("e1-1")))
    stored["hint"] = stored["alert"]["urgency"] = stored["alert"]["measured"]["spread"] = 1
    assert decode_message(json.dumps(stored)) == message("e1-1")


def test_a_state_that_a_newer_version_added_is_left_out_and_the_rest_kept() -> None:
    stored = json.loads(encode_state(in_episode("e1")))
    stored["crossed"] = ["low", "spiking"]
    stored["standing"]["state"] = "spiking"
    stored["standing"]["last"]["spiking"] = 5.0
    again = decode_state(json.dumps(stored))
    assert again == evolve(
        in_episode("e1"),
        standing=evolve(in_episode("e1").standing, state=State.UNKNOWN),
        crossed=frozenset([State.LOW]),
    )


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "{}", '{"alert":{},"text":""}', '{"alert":null,"text":"x"}', '"text"', "5"],
)
def test_text_that_is_no_message_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        decode_message(text)


@pytest.mark.parametrize("text", ["", "null", "[]", "5", '{"standing":5}', '{"rule":{"warning":{"number":"x"}}}'])
def test_text_that_is_no_state_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError):
        decode_state(text)


def test_a_number_that_lost_its_digits_on_the_way_is_unreadable() -> None:
    stored = json.loads(encode_message(message("e1-1")))
    stored["alert"]["measured"]["balance"] = 0.1
    with pytest.raises(UnreadableError):
        decode_message(json.dumps(stored))
