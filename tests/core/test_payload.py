"""The JSON that machines receive."""

import json

from support.messages import low
from token_monitor.core.payload import payload


def test_it_holds_what_people_read_and_what_programs_read():
    message = low("余额不足")
    content = json.loads(payload(message))
    assert list(content) == ["text", "alert"]
    assert content["text"] == "余额不足"
    assert list(content["alert"]) == list(message.alert.fields())


def test_the_same_message_gives_the_same_bytes():
    assert payload(low()) == payload(low())


def test_half_a_character_pair_becomes_valid_utf8():
    assert json.loads(payload(low("\ud800")).decode("utf-8"))["text"] == "\ud800"
