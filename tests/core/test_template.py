"""Texts with fields, and JSON made of them."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.messages import low
from token_monitor.core.fields import NAMES, flat, written
from token_monitor.core.number import to_json
from token_monitor.core.secret import Secret
from token_monitor.core.template import MissingError, Template, UrlTemplate, filled, templates
from token_monitor.core.words import Kind

VALUES = flat(low())


def test_the_flat_fields_are_always_all_of_the_list() -> None:
    assert list(VALUES) == list(NAMES)
    assert VALUES["balance"] == Decimal(5)
    assert VALUES["limit"] is VALUES["runway_seconds"] is None
    assert (VALUES["headline"], VALUES["id"]) == ("Token balance low", "e-1")
    assert {name for name in low().alert.fields() if name not in NAMES} == set()
    assert Kind.ACCOUNT.value == VALUES["kind"]


def test_a_value_is_written_as_people_read_it() -> None:
    assert [written(value) for value in (None, "x", 3, Decimal("1E+3"), Decimal("0.10"))] == [
        "",
        "x",
        "3",
        "1000",
        "0.10",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{account}: {balance} {unit} left", "facefusion: 5 calls left"),
        ("limit {limit}.", "limit ."),
        ("{{balance}} {{{balance}}} }}{{", "{balance} {5} }{"),
        ("", ""),
        ("no field", "no field"),
    ],
)
def test_fields_are_filled_in_and_double_braces_are_braces(text: str, told: str) -> None:
    assert Template.parse(text).fill(VALUES) == told


@pytest.mark.parametrize(
    "text", ["{blance}", "{}", "{ balance }", "{balance!r}", "{balance:>9}", "{alert.balance}", "{answer}", "{answer.}",
             "{answer..a}", "{answer.a b}"]
)  # fmt: skip
def test_an_unknown_field_is_refused_with_the_fields_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"fields among \{id\}, \{kind\}, .* is none of them"):
        Template.parse(text)


@pytest.mark.parametrize("text", ["{", "}", "a {balance", "balance} b", "{a{b}"])
def test_a_brace_that_stands_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="for a brace itself"):
        Template.parse(text)


def test_a_field_alone_keeps_its_type_in_json() -> None:
    structure = {
        "balance": Template.parse("{balance}"),
        "limit": Template.parse("{limit}"),
        "text": Template.parse("{balance} of {limit}"),
        "list": [1, Decimal("0.10"), True, None, Template.parse("{unit}")],
    }
    told = '{"balance":5,"limit":null,"text":"5 of ","list":[1,0.10,true,null,"calls"]}'
    assert to_json(filled(structure, VALUES)) == told
    assert [str(template) for template in templates(structure)] == [
        "{balance}",
        "{limit}",
        "{balance} of {limit}",
        "{unit}",
    ]


@given(st.text(), st.text(alphabet='{}"\\\n\ud800\u2028abc'))
def test_whatever_the_values_are_the_json_is_valid_and_says_them(account: str, unit: str) -> None:
    values = {**VALUES, "account": account, "unit": unit}
    body = to_json(filled({"a": Template.parse("{account}"), "b": [Template.parse("<{unit}>")]}, values))
    assert json.loads(body.encode("utf-8", "backslashreplace")) == {"a": account, "b": [f"<{unit}>"]}


@given(st.text())
def test_a_template_is_shown_as_it_was_written(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert str(Template.parse(doubled)) == doubled
    assert Template.parse(doubled).fill({}) == text


def test_a_value_of_an_answer_that_is_not_known_is_missing_and_not_empty() -> None:
    for template in (Template.parse("{answer.key}"), Template.parse("/{answer.key}")):
        with pytest.raises(MissingError) as caught:
            template.json({**VALUES, "answer.key": None})
        assert caught.value.name == "answer.key"
        assert template.json({**VALUES, "answer.key": "OPS-1"}) in ("OPS-1", "/OPS-1")


def test_a_secret_template_is_not_shown() -> None:
    template = Template.parse("Bearer abcdef {id}", Secret("Bearer abcdef {id}"))
    assert {str(template), repr(template), f"{template}"} == {"***"}
    assert template.fill(VALUES) == "Bearer abcdef e-1"


def test_values_in_a_url_are_percent_encoded() -> None:
    url = UrlTemplate.parse("https://tickets.example/a%20b/{account}?id={id}&x={text}")
    values = {**VALUES, "account": "人脸/../?&#", "text": "\ud800"}
    path = "%E4%BA%BA%E8%84%B8%2F..%2F%3F%26%23?id=e-1&x=%3F"
    assert url.filled(values).reveal() == f"https://tickets.example/a%20b/{path}"
    assert str(url) == "https://tickets.example/***"


def test_the_host_of_a_url_is_fixed() -> None:
    for text in ("https://{account}.example/", "https://x{{y.example/", "https://tickets.example:{id}/"):
        with pytest.raises(ValueError, match="a URL such as"):
            UrlTemplate.parse(text)
