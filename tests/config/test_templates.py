"""How templates are written in YAML, and what problems say about them."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.messages import low
from token_monitor.app.registry import REGISTRY
from token_monitor.channels.template import Method, Templated
from token_monitor.config.load import load
from token_monitor.config.problems import ConfigError
from token_monitor.config.settings import Settings
from token_monitor.config.show import show
from token_monitor.core.fields import flat
from token_monitor.core.template import filled

URL = "https://tickets.example/api"
Load = Callable[[str], Settings]


@pytest.fixture
def settings(tmp_path: Path) -> Load:
    def read(channel: str) -> Settings:
        text = f"accounts: [{{name: a, credential: the-credential}}]\nchannels:\n  t:\n    type: template\n{channel}"
        (tmp_path / "tm.yaml").write_text(text, encoding="utf-8")
        environ = {"HOME": "/nowhere", "TOKEN_MONITOR_CONFIG": "tm.yaml", "TOKEN": "canary{id}{x}", "ACCOUNT": "acme"}
        return load(environ, tmp_path, REGISTRY)

    return read


def options(settings: Settings) -> Templated:
    made = settings.channels["t"].options
    assert isinstance(made, Templated)
    return made


def body(settings: Settings) -> Any:
    return filled(options(settings).body, flat(low()))


def test_a_text_is_text_and_what_stands_without_quotes_may_be_another_json_value(settings: Load) -> None:
    written = (
        'n: 3, q: "3", d: 0.10, e: -1e3, t: true, f: false, z: null, nothing: , empty: "",'
        ' yes: yes, off: off, zero: 0123, time: 1:30, plus: +1, dot: .5, word: "true", list: [1, "1", ~]'
    )
    found = body(settings(f"    url: {URL}\n    body: {{{written}}}\n"))
    assert found == {
        "n": 3, "q": "3", "d": Decimal("0.10"), "e": Decimal(-1000), "t": True, "f": False, "z": None, "nothing": None,
        "empty": "", "yes": "yes", "off": "off", "zero": "0123", "time": "1:30", "plus": "+1", "dot": ".5",
        "word": "true", "list": [1, "1", None],
    }  # fmt: skip
    assert str(found["d"]) == "0.10"


@pytest.mark.parametrize(("written", "sent"), [("[1, x]", [1, "x"]), ('"{balance}"', Decimal(5)), ("{}", {}), ("7", 7)])
def test_a_body_may_be_any_json_value(settings: Load, written: str, sent: object) -> None:
    assert body(settings(f"    url: {URL}\n    body: {written}\n")) == sent


def test_braces_of_a_variable_are_no_fields_and_it_is_never_shown(settings: Load) -> None:
    read = settings(
        f"    url: {URL}\n    headers: {{Authorization: 'Bearer ${{TOKEN}}', X-Id: '{{id}}', X-Key: my-literal-key}}\n"
        "    body: {a: '${TOKEN}', b: 'x ${TOKEN} {id}', c: '$${id}}'}\n"
    )
    assert body(read) == {"a": "canary{id}{x}", "b": "x canary{id}{x} e-1", "c": "${id}"}
    header = options(read).headers["Authorization"]
    assert header.fill(flat(low())) == "Bearer canary{id}{x}"
    for shown in (show(read), repr(read)):
        assert "canary" not in shown
        assert "my-literal-key" not in shown
        assert "{id}" in shown


def test_what_is_shown_is_what_was_written(settings: Load) -> None:
    written = (
        f"    url: {URL}\n    method: PATCH\n    body: {{a: '{{account}} {{{{x}}}}', b: [1, null, true], c: off}}\n"
        "    close: {url: 'https://tickets.example/{answer.id}', body: {status: closed}}\n"
    )
    shown = show(settings(written))
    assert "      a: '{account} {{x}}'\n      b:\n      - 1\n      - null\n      - true\n      c: 'off'\n" in shown
    assert "    method: PATCH\n" in shown
    assert "    close:\n      url: https://tickets.example/***\n      method: POST\n" in shown


@pytest.mark.parametrize("written", ["PATCH", "patch"])
def test_a_method_is_one_of_a_few(settings: Load, written: str) -> None:
    assert options(settings(f"    url: {URL}\n    method: {written}\n")).method is Method.PATCH


@pytest.mark.parametrize(
    ("written", "place", "told"),
    [
        ("body: {a: {b: ['{blance}']}}", ".body.a.b[0]: {blance};", "{balance}, {threshold}"),
        ("body: {a: '{blance}'}", ".body.a: {blance};", "{blance} is none of them"),
        ("body: {a: 'x {'}", ".body.a: x {;", "{{ or }} for a brace itself"),
        ("body: {a: '${ACCOUNT} {nope}'}", ".body.a: ${ACCOUNT} {nope};", "{nope} is none of them"),
        ("body: {a: " + "9" * 50 + "}", ".body.a: ", "at most 40 digits, or text in quotes"),
        ("headers: {X-A: '{nope}'}", ".headers.X-A: ***;", "{nope} is none of them"),
        ("headers: {X-A: 'Bearer {Ab3-secret}'}", ".headers.X-A: ***;", "what stands in braces is none of them"),
        ("close: {url: 'https://x.example/{nope}'}", ".close.url: ***;", "{nope} is none of them"),
        ("close: {url: 'https://{id}.example/'}", ".close.url: ***;", "in its path and query only"),
        ("close: {method: PATCH}", ".close.url: missing", ""),
        ("method: HEAD", ".method: HEAD;", "one of DELETE, GET, PATCH, POST, PUT"),
        ("body: {a: '{answer.id}'}", ": {answer.id} outside close;", "there is an earlier answer in close only"),
        ("once_per_episode: perhaps", ".once_per_episode: perhaps;", "true or false"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_place(settings: Load, written: str, place: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"    url: {URL}\n    {written}\n")
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"channels.t{place}")
    assert told in line
    assert "secret" not in line
    assert "acme" not in line


def test_every_mistake_of_a_body_is_told_at_once(settings: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"    url: {URL}\n    body: {{a: '{{x}}', b: ['{{y}}', '{{z}}'], c: '{{'}}\n")
    assert [problem.path.removeprefix("channels.t.body") for problem in caught.value.problems] == [
        ".a", ".b[0]", ".b[1]", ".c"
    ]  # fmt: skip
