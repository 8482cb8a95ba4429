"""What the JSON endpoint sends: the credential as chosen, the rest as written."""

import base64
from decimal import Decimal
from typing import Any

import pytest

from support.fetching import KEY, failure, fetch
from support.provider import PATH, Provider
from token_monitor.core.errors import Failure
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.sources.dialect import Auth, AuthScheme, JsonEndpoint, JsonText, Method


def test_nothing_but_a_credential_and_a_url_reads_the_balance(provider: Provider) -> None:
    provider.balance = Decimal("12.50")
    assert fetch(provider) == [Reading("balance", Decimal("12.50"), "")]
    [request] = provider.requests
    assert (request.method, request.path, request.body) == ("GET", PATH, b"")
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("token-monitor/")
    assert request.headers.get_all("Cookie") is None


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (Auth(AuthScheme.HEADER), "Authorization", KEY),
        (Auth(AuthScheme.HEADER, "X-Api-Key"), "X-Api-Key", KEY),
        (Auth(AuthScheme.HEADER, prefix="Token "), "Authorization", f"Token {KEY}"),
        (Auth(AuthScheme.HEADER, "X-Key", "key="), "X-Key", f"key={KEY}"),
        (Auth(AuthScheme.BASIC), "Authorization", f"Basic {base64.b64encode(KEY.encode()).decode()}"),
    ],
)
def test_the_credential_travels_in_the_header_that_was_chosen(
    provider: Provider, auth: Auth, header: str, value: str
) -> None:
    fetch(provider, auth=auth)
    assert provider.requests[0].headers[header] == value
    assert (provider.requests[0].headers["Authorization"] is None) == (header != "Authorization")
    assert "canary" not in provider.requests[0].path


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("", f"{PATH}?a%26b="),
        ("?", f"{PATH}?a%26b="),
        ("?x=1", f"{PATH}?x=1&a%26b="),
        ("?x=%20&y", f"{PATH}?x=%20&y&a%26b="),
        ("#part", f"{PATH}?a%26b="),
        ("?x=1#part", f"{PATH}?x=1&a%26b="),
    ],
)
def test_the_credential_travels_in_the_query(provider: Provider, suffix: str, path: str) -> None:
    fetch(provider, provider.url + suffix, auth=Auth(AuthScheme.QUERY, "a&b"))
    assert provider.requests[0].path == path + "sk-canary%201%2F2%2B3%264%3D5"
    assert provider.requests[0].headers["Authorization"] is None


def test_basic_takes_a_user_and_a_password_beyond_ascii(provider: Provider) -> None:
    fetch(provider, key="用户:密码", auth=Auth(AuthScheme.BASIC))
    sent = provider.requests[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "用户:密码"


@pytest.mark.parametrize("key", ["密码", "a\nb", "a\x00b"])
def test_a_credential_that_no_header_can_carry_is_never_sent(provider: Provider, key: str) -> None:
    error = failure(provider, key=key)
    assert (error.kind, provider.requests) == (Failure.CREDENTIAL, [])
    assert key not in error.message


def test_extra_headers_are_sent_as_they_are_and_win_over_ours_but_not_over_the_credential(provider: Provider) -> None:
    mine = {"X-Team": "a, b", "accept": "text/json", "user-agent": "me", "authorization": "no"}
    fetch(provider, headers={name: Secret(value) for name, value in mine.items()})
    headers = provider.requests[0].headers
    assert headers.get_all("X-Team") == ["a, b"]
    assert headers.get_all("Accept") == ["text/json"]
    assert headers.get_all("User-Agent") == ["me"]
    assert headers.get_all("Authorization") == [f"Bearer {KEY}"]


def test_a_post_carries_its_body_as_written(provider: Provider) -> None:
    body = JsonText.parse('{ "query" : "余额",  "n": 0.10 }')
    fetch(provider, method=Method.POST, body=body)
    [request] = provider.requests
    assert (request.method, request.body) == ("POST", body.encode())
    assert request.headers.get_all("Content-Type") == ["application/json"]


def test_the_content_type_of_a_post_may_be_chosen_in_any_case(provider: Provider) -> None:
    headers = {"content-type": Secret("application/vnd.api+json")}
    fetch(provider, method=Method.POST, body=JsonText.parse("{}"), headers=headers)
    assert provider.requests[0].headers.get_all("Content-Type") == ["application/vnd.api+json"]


def test_a_post_without_a_body_has_length_0(provider: Provider) -> None:
    fetch(provider, method=Method.POST)
    assert (provider.requests[0].method, provider.requests[0].headers["Content-Length"]) == ("POST", "0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"headers": {"X Y": Secret("v")}},
        {"headers": {"": Secret("v")}},
        {"headers": {"X-Y": Secret("v\r\nX-Z: w")}},
        {"headers": {"X-Y": Secret(" v")}},
        {"headers": {"X-Y": Secret("值")}},
        {"auth": lambda: Auth(AuthScheme.HEADER, "X Y")},
        {"auth": lambda: Auth(AuthScheme.HEADER, prefix="Ключ ")},
        {"auth": lambda: Auth(AuthScheme.QUERY)},
        {"auth": lambda: Auth(AuthScheme.BEARER, "X")},
        {"auth": lambda: Auth(AuthScheme.BASIC, prefix="x")},
        {"body": JsonText("{}")},
    ],
)
def test_what_could_never_be_sent_is_a_mistake_of_the_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(header|name|prefix|scheme|body)"):
        JsonEndpoint(**{key: value() if callable(value) else value for key, value in wrong.items()})
