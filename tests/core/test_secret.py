"""Secrets print nowhere (and what others wrote is masked)."""

import copy
import gc
import io
import json
import logging
import pickle
import pprint
import re
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from attrs import asdict, evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from token_monitor.core.http import Request
from token_monitor.core.number import to_json
from token_monitor.core.secret import Secret, redact

CANARY = "canary-7f3a9c"

pytestmark = pytest.mark.usefixtures("no_other_secrets")


@frozen
class Holder:
    name: str
    secret: Secret


WAYS_TO_PRINT: dict[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "format": format,
    "format with a width": lambda secret: format(secret, ">40"),
    "f-string": lambda secret: f"{secret} {secret!s} {secret!r} {secret!a} {secret:<20}",
    "str.format": lambda secret: "{} {!r}".format(secret, secret),  # noqa: UP032
    "percent": lambda secret: "%s %r %a" % (secret, secret, secret),  # noqa: UP031
    "in a list": lambda secret: str([secret]),
    "in a dict, as a key too": lambda secret: str({secret: secret}),
    "pprint": lambda secret: pprint.pformat({"a": [secret]}),
    "json, default=str": lambda secret: json.dumps({"a": secret}, default=str),
    "json, default=repr": lambda secret: json.dumps({"a": secret}, default=repr),
    "our json": lambda secret: to_json({"a": secret}),
    "in attrs": lambda secret: repr(Holder("x", secret)),
    "in attrs as a dict": lambda secret: str(asdict(Holder("x", secret))),
    "in an evolved attrs": lambda secret: repr(evolve(Holder("x", secret), name="y")),
    "in a request": lambda secret: repr(Request("GET", secret, {"Authorization": secret})),
    "logging": lambda secret: logged("%s %r", secret, secret),
    "an exception": lambda secret: repr(ValueError(secret)) + str(KeyError(secret)),
}


@pytest.mark.parametrize("way", WAYS_TO_PRINT)
def test_a_secret_prints_as_stars(way: str) -> None:
    printed = WAYS_TO_PRINT[way](Secret(CANARY))

    assert "canary" not in printed
    assert "***" in printed


COPIES: dict[str, Callable[[object], object]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {level}": lambda it, level=level: pickle.dumps(it, level) for level in range(6)},  # type: ignore[misc]
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("inside", [False, True])
def test_a_secret_is_neither_pickled_nor_copied(way: str, inside: bool) -> None:
    secret = Secret(CANARY)
    if inside and way == "copy":
        assert copy.copy([secret])[0] is secret
        return
    with pytest.raises(TypeError) as caught:
        COPIES[way]([secret] if inside else secret)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "misuse",
    [
        lambda secret: secret + "x",
        lambda secret: "x" + secret,
        lambda secret: ", ".join([secret]),
        lambda secret: secret < secret,
        lambda secret: secret[0],
        len,
        int,
        json.dumps,
        lambda secret: secret.valve,
        vars,
        bytes,
    ],
)
def test_using_a_secret_as_text_fails_without_showing_it(misuse: Callable[[Secret], object]) -> None:
    with pytest.raises((TypeError, AttributeError)) as caught:
        misuse(Secret(CANARY))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_traceback_that_shows_local_variables_does_not_show_it() -> None:
    def fails(secret: Secret, holder: Holder) -> None:
        raise RuntimeError(f"it broke with {secret} and {holder}")

    try:
        fails(Secret(CANARY), Holder("x", Secret(CANARY)))
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = ***" in shown
    assert "canary" not in shown.replace("CANARY", "").replace('"canary"', "")


def test_only_reveal_gives_it_out() -> None:
    assert Secret(CANARY).reveal() == CANARY


def test_secrets_are_equal_by_value_and_to_no_text() -> None:
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


class TestRedact:
    """What was written by others: an exception's message, a traceback."""

    @pytest.mark.parametrize(
        "written",
        [
            lambda value: value,
            quote,
            lambda value: quote(value, safe=""),
            lambda value: re.sub("%..", lambda escape: escape[0].lower(), quote(value, safe="")),
            lambda value: quote(value, safe="!#$%&'()*+,/:;=?@[]~"),
            quote_plus,
            lambda value: urlencode({"key": value}),
            json.dumps,
            lambda value: json.dumps(value, ensure_ascii=False),
            repr,
            ascii,
        ],
    )
    @pytest.mark.parametrize(
        "value",
        [
            CANARY,
            "canary/7f+3a==",
            "canary 7f",
            "canary\"7f'",
            "canary\\7f",
            "canary钥匙",
            "canary%2F7f",
            "canary7f~!*()",
        ],
    )
    def test_it_masks_every_way_of_writing_a_secret(self, value: str, written: Callable[[str], str]) -> None:
        secret = Secret(value)
        text = redact(f"GET https://host/?key={written(value)}&x=1 failed")

        assert "canary" not in text
        assert "7f" not in text
        assert text.startswith("GET https://host/?key=")
        assert text.endswith("&x=1 failed")
        assert secret.reveal() == value

    def test_it_masks_every_occurrence_and_the_longer_secret_first(self) -> None:
        short, long = Secret("canary"), Secret("canary-and-more")

        assert redact("canary canary-and-more canary") == "*** *** ***"
        assert (short.reveal(), long.reveal()) == ("canary", "canary-and-more")

    @pytest.mark.parametrize("dies_first", [0, 1])
    def test_it_masks_a_secret_while_any_equal_one_lives(self, dies_first: int) -> None:
        secrets = [Secret(CANARY), Secret(CANARY)]
        del secrets[dies_first]
        gc.collect()

        assert redact(CANARY) == "***"
        secrets.clear()
        gc.collect()
        assert redact(CANARY) == CANARY

    def test_it_leaves_short_values_alone(self) -> None:
        secret, empty = Secret("token"), Secret("")

        assert redact("the token monitor") == "the token monitor"
        assert (secret.reveal(), empty.reveal()) == ("token", "")

    @given(st.text(st.characters(), min_size=6, max_size=12), st.text(st.characters(), max_size=12))
    def test_no_value_stops_it_and_none_is_left(self, value: str, around: str) -> None:
        secret = Secret(value)

        assert value not in redact(f"{around}{value}{around}") or value in "***" * 12
        assert secret.reveal() == value


def logged(message: str, *arguments: object) -> str:
    stream = io.StringIO()
    logger = logging.Logger("test")  # noqa: LOG001
    logger.addHandler(logging.StreamHandler(stream))
    logger.error(message, *arguments, extra={"secret": arguments[0]})
    return stream.getvalue()
