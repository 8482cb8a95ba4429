"""What goes together (rules O1, O7)."""

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from support.messages import AT, low
from token_monitor.core import phrases
from token_monitor.core.alert import Alert
from token_monitor.core.grouping import fitting, together
from token_monitor.core.message import Delivery, Message
from token_monitor.core.texts import heading, language_of, text
from token_monitor.core.words import Language

TEXTS = st.lists(st.text("x", max_size=30), min_size=1, max_size=30)


def owed(texts: list[str]) -> list[Delivery]:
    """An alert a minute."""
    return [
        Delivery(number, "ops", evolve(low(each, number), alert=at(low(each, number), number)), created=float(number))
        for number, each in enumerate(texts)
    ]


def at(message: Message, minute: int) -> Alert:
    return evolve(message.alert, at=AT + timedelta(minutes=minute))


@given(TEXTS, st.integers(0, 400), st.sets(st.integers(0, 29)))
def test_as_many_go_together_as_fit_and_all_that_was_held_before_anything_else(
    texts: list[str], room: int, held: set[int]
) -> None:
    parts = owed(texts)
    found = fitting(
        parts, lambda message: len(message.text) <= room, lambda alert: (alert.at - AT).seconds // 60 in held
    )
    count = len(found.parts)
    assert list(found.parts) == parts[:count]
    held_back = max((number + 1 for number in held if number < len(parts)), default=0)
    line = len(phrases.HELD[Language.EN]) + 40
    if found.members:
        assert len(found.message.text) <= room
        assert (found.message.alerts, found.message.text.startswith("Held back")) == (count, held_back > 0)
        assert count <= (held_back or len(parts))
    if count < (held_back or len(parts)):
        assert sum(len(each) + 1 for each in texts[: count + 1]) + (line if held_back else 0) > room


def test_the_id_follows_from_the_members_and_a_digest_is_made_again_from_its_id() -> None:
    parts = owed(["a", "b"])
    group = fitting(parts, lambda _message: True)
    digest = fitting(parts, lambda _message: True, lambda _alert: True)
    assert group.message.id == fitting(parts, lambda _message: True).message.id != digest.message.id
    assert together(parts, group.message.group) == group
    assert together(parts, digest.message.group) == digest


@pytest.mark.parametrize("language", Language)
def test_a_text_tells_its_language(language: Language) -> None:
    assert language_of(text(low().alert, language)) is language


@pytest.mark.parametrize(
    ("language", "minutes", "expected"),
    [
        (Language.EN, 0, "Held back during quiet hours (2026-04-05 10:00 UTC):"),
        (Language.EN, 900, "Held back during quiet hours (2026-04-05 10:00 to 2026-04-06 01:00 UTC):"),
        (Language.ZH, 0, "免打扰时段内暂缓发送的告警（2026-04-05 10:00 UTC）："),
        (Language.ZH, 900, "免打扰时段内暂缓发送的告警（2026-04-05 10:00 至 2026-04-06 01:00 UTC）："),
    ],
)
def test_the_heading_of_a_digest_says_when_its_alerts_were_raised(
    language: Language, minutes: int, expected: str
) -> None:
    assert heading(AT, AT + timedelta(minutes=minutes), language) == expected
