import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_monitor.core.time import human_duration, parse_duration


@given(st.integers(0, 10**9))
def test_a_duration_as_people_read_it_is_read_back_as_the_same(seconds):
    assert parse_duration(human_duration(seconds)) == seconds
    assert parse_duration(str(seconds)) == seconds


@given(*(st.none() | st.integers(0, 9999) for _ in range(4)))
def test_every_combination_of_days_hours_minutes_and_seconds_adds_up(days, hours, minutes, seconds):
    parts = [(days, "d", 86400), (hours, "h", 3600), (minutes, "m", 60), (seconds, "s", 1)]
    text = "".join(f"{count}{unit}" for count, unit, _ in parts if count is not None)
    if text:
        assert parse_duration(text) == sum((count or 0) * size for count, _, size in parts)


@given(st.text(alphabet="0123456789dhms.-+ e", max_size=12) | st.text(max_size=8))
def test_any_text_is_a_duration_of_at_least_nothing_or_a_value_error(text):
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < float("inf")
    assert text[0].isdecimal()
    assert text.isascii()


DOCUMENTED = {"300": 300, "0.5": 0.5, "30s": 30, "5m": 300, "1h30m": 5400, "2d": 172800, "1.5s": 1.5, "0": 0}


@pytest.mark.parametrize(("text", "seconds"), DOCUMENTED.items())
def test_the_documented_notations(text, seconds):
    assert parse_duration(text) == seconds


REFUSED = "|s|5 m|30s5m|1h30|-5|1e3|5M|٣|.5|1.5h|5m\n|9999999999999999"


@pytest.mark.parametrize("text", REFUSED.split("|"))
def test_other_notations_are_refused(text):
    with pytest.raises(ValueError, match="a duration such as"):
        parse_duration(text)
