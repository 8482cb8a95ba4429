"""The JSON endpoint over real HTTP: what it sends, whom it follows, what each answer means."""

import base64
import itertools
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from support import provider as told
from support.authority import Authority
from support.provider import PATH, Provider
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.core.url import Endpoint
from token_monitor.http import RequestsClient
from token_monitor.sources.dialect import Auth, AuthScheme, Expression, Extract, JsonEndpoint, JsonText, Method
from token_monitor.sources.json_endpoint import JsonEndpointSource

KEY = "sk-canary 1/2+3&4=5"


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


def source(provider: Provider, url: str | None = None, **settings: Any) -> JsonEndpointSource:
    return JsonEndpointSource(JsonEndpoint(Endpoint(url or provider.url), **settings), RequestsClient())


def fetch(provider: Provider, url: str | None = None, key: str = KEY, timeout: float = 5, **settings: Any) -> Any:
    return source(provider, url, **settings).fetch(Secret(key), timeout)


def failure(provider: Provider, url: str | None = None, key: str = KEY, timeout: float = 5, **how: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(provider, url, key, timeout, **how)
    return caught.value


# On the wire


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


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_redirect_within_the_origin_is_followed_with_the_credential(
    provider: Provider, code: int, absolute: bool
) -> None:
    provider.next(told.redirect((provider.origin if absolute else "") + "/v2/balance?x=1", code))
    provider.balance = 7
    assert fetch(provider)[0].value == 7
    assert [request.path for request in provider.requests] == [PATH, "/v2/balance?x=1"]
    assert provider.requests[1].headers["Authorization"] == f"Bearer {KEY}"


def test_three_redirects_are_followed_and_a_fourth_is_not(provider: Provider) -> None:
    provider.next(*[told.redirect(f"/{n}") for n in range(3)])
    assert fetch(provider)[0].value == 100
    provider.answer(told.redirect("/again"))
    error = failure(provider)
    assert (error.kind, error.message) == (Failure.REDIRECT, "more than 3 redirects")
    assert len(provider.requests) == 4 + 4


@pytest.mark.parametrize("auth", [Auth(), Auth(AuthScheme.HEADER, "X-Key"), Auth(AuthScheme.QUERY, "key")])
def test_the_credential_is_never_sent_to_another_port(provider: Provider, auth: Auth) -> None:
    with Provider() as stranger:
        provider.answer(told.redirect(f"{stranger.origin}/{'secret-path'}"))
        error = failure(provider, auth=auth)
        assert stranger.connections == 0
    assert error.kind is Failure.REDIRECT
    assert f"127.0.0.1:{stranger.port}" in error.message
    assert "secret-path" not in error.message


@pytest.mark.parametrize(
    "location",
    ["http://localhost:{port}/", "http://127.0.0.2:{port}/", "//localhost:{port}/", "http://127.0.0.1.:{port}/"],
)
def test_the_credential_is_never_sent_to_another_host(provider: Provider, location: str) -> None:
    with Provider(host="0.0.0.0") as stranger:
        provider.answer(told.redirect(location.format(port=stranger.port)))
        assert failure(provider).kind is Failure.REDIRECT
        assert stranger.connections == 0


def test_the_credential_never_falls_from_https_to_http(
    provider: Provider, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with Provider(authority.server()) as secure:
        for port in (secure.port, provider.port):
            secure.answer(told.redirect(f"http://127.0.0.1:{port}/"))
            assert failure(secure).kind is Failure.REDIRECT
        assert len(secure.requests) == 2
    assert provider.connections == 0


@pytest.mark.parametrize("location", ["http://[bad/", "ftp://127.0.0.1/", "http://a:99999/", "\x85", None])
def test_a_redirect_to_nowhere_says_so(provider: Provider, location: str | None) -> None:
    provider.answer(told.whole(b"", 302) if location is None else told.redirect(location))
    error = failure(provider)
    assert (error.kind, error.message) == (Failure.REDIRECT, "HTTP 302 without a usable Location")


@pytest.mark.parametrize("code", [301, 302, 303])
def test_a_post_is_never_turned_into_something_else(provider: Provider, code: int) -> None:
    provider.answer(told.redirect("/v2", code))
    error = failure(provider, method=Method.POST, body=JsonText("{}"))
    assert (error.kind, len(provider.requests)) == (Failure.REDIRECT, 1)


@pytest.mark.parametrize("code", [307, 308])
def test_a_post_is_repeated_where_the_redirect_says_so(provider: Provider, code: int) -> None:
    provider.next(told.redirect("/v2", code))
    fetch(provider, method=Method.POST, body=JsonText('{"a":1}'))
    assert [(request.method, request.body) for request in provider.requests] == [("POST", b'{"a":1}')] * 2


def test_one_deadline_covers_all_redirects(provider: Provider) -> None:
    provider.answer(told.late(told.redirect("/again"), 0.25))
    begun = time.monotonic()
    error = failure(provider, timeout=0.4)
    assert error.kind is Failure.TIMEOUT
    assert time.monotonic() - begun < 0.7


# What a status means


def test_402_is_the_first_quantity_without_a_number(provider: Provider) -> None:
    provider.answer({"error": {"balance": 12}}, 402)
    quantities = {"usd": Extract(unit="USD"), "cny": Extract(unit="CNY")}
    assert fetch(provider, quantities=quantities) == [Reading("usd", None, "USD")]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Failure.REJECTED),
        (403, Failure.REJECTED),
        (429, Failure.RATE_LIMITED),
        *[(code, Failure.SERVER) for code in (500, 501, 502, 503, 504, 520, 599)],
        *[(code, Failure.STATUS) for code in (300, 304, 305, 400, 404, 405, 408, 410, 418, 451, 499)],
    ],
)
def test_another_status_is_never_a_reading_even_with_a_balance_in_it(
    provider: Provider, code: int, kind: Failure
) -> None:
    provider.answer(told.whole(b"" if code == 304 else b'{"balance": 0}', code))
    error = failure(provider)
    assert (error.kind, error.retry_after) == (kind, None)
    assert str(code) in error.message


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_retry_after_is_taken_from_both_forms_and_ends_quick_retries(provider: Provider, code: int) -> None:
    provider.answer(told.status(code, Retry_After="7"))
    assert failure(provider).retry_after == 7
    provider.answer(told.status(code, Retry_After=format_datetime(datetime.now(UTC) + timedelta(seconds=90), True)))
    error = failure(provider)
    assert error.retry_after == pytest.approx(90, abs=2)
    assert not error.transient
    provider.answer(told.status(code, Retry_After="86400"))
    assert failure(provider).retry_after == 3600


def test_a_status_of_success_is_a_success_whatever_its_number(provider: Provider) -> None:
    provider.answer({"balance": 3}, 203)
    assert fetch(provider)[0].value == 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (told.closed, Failure.CONNECTION),
        (told.reset, Failure.CONNECTION),
        (told.truncated(b'{"balance": 5}'), Failure.CONNECTION),
        (told.silence, Failure.TIMEOUT),
        (told.drip(b'{"balance": 5}' + b" " * 500, 0.01, after=told.head()), Failure.TIMEOUT),
        (told.stream(itertools.repeat(b" " * 4096), told.head()), Failure.TOO_LARGE),
        (told.stream(itertools.repeat(b" " * 4096), told.head(302, Location="/")), Failure.TOO_LARGE),
        (told.stream(itertools.repeat(b" " * 4096), told.head(401)), Failure.TOO_LARGE),
    ],
)
def test_no_whole_answer_is_a_failed_poll(provider: Provider, answer: told.Answer, kind: Failure) -> None:
    provider.answer(answer)
    begun = time.monotonic()
    assert failure(provider, timeout=0.5).kind is kind
    assert time.monotonic() - begun < 0.8


def test_no_failure_says_the_credential_or_the_query(provider: Provider) -> None:
    odd = [told.status(code) for code in (401, 404, 429, 500)]
    odd += [told.closed, told.redirect("http://elsewhere.test/?key=" + KEY), told.whole(b"<html>" + KEY.encode())]
    odd += [told.document({"balance": KEY}), told.document({KEY: 1})]
    for answer in odd:
        for auth in (Auth(), Auth(AuthScheme.QUERY, "key")):
            provider.answer(answer)
            error = failure(provider, provider.url + "?team=hidden", auth=auth)
            if answer is not odd[-1]:  # the names at the top are shown, and a provider that puts a credential there…
                assert "canary" not in f"{error!r} {error}"
            assert "hidden" not in f"{error!r} {error}"


# What is selected


def test_everything_is_selected_by_expressions_and_scaled(provider: Provider) -> None:
    provider.answer(
        {
            "data": [
                {"kind": "free", "left": 1},
                {"kind": "paid", "left": 1250, "max": "5000", "cur": "USD", "ok": True, "reset": 1775383200},
            ]
        }
    )
    paid = "data[?kind=='paid'] | [0]"
    selected = {"value": "left", "limit": "max", "unit_from": "cur", "available": "ok", "reset_at": "reset"}
    extract = Extract(scale=Decimal("0.01"), **{name: Expression(f"{paid}.{path}") for name, path in selected.items()})
    assert fetch(provider, quantities={"credit": extract}) == [
        Reading("credit", Decimal("12.50"), "USD", Decimal("50.00"), datetime(2026, 4, 5, 10, tzinfo=UTC))
    ]


def test_what_is_left_may_be_limit_less_used(provider: Provider) -> None:
    provider.answer(told.whole(b'{"limit": 10, "used": 9.9}'))
    extract = Extract(limit=Expression("limit"), used=Expression("used"), unit="GB")
    assert fetch(provider, quantities={"disk": extract}) == [Reading("disk", Decimal("0.1"), "GB", Decimal(10))]


def test_quantities_come_in_order_and_one_that_is_missing_is_left_out(provider: Provider) -> None:
    quantities = {name: Extract(Expression(name)) for name in ("b", "a", "c")}
    provider.answer({"a": 1, "c": 3, "b": 2})
    assert [reading.quantity for reading in fetch(provider, quantities=quantities)] == ["b", "a", "c"]
    provider.answer({"c": 3, "b": None})
    assert fetch(provider, quantities=quantities) == [Reading("c", Decimal(3), "")]
    provider.answer({"a": 1, "b": "soon", "c": 3})
    assert failure(provider, quantities=quantities).kind is Failure.NOT_A_NUMBER
    provider.answer({"x": 0})
    error = failure(provider, quantities=quantities)
    assert (error.kind, error.message) == (Failure.MISSING, "the answer has no b; it has: x")


@pytest.mark.parametrize("held", [True, 0, 1, 200, "ok", [0], {"a": 1}])
def test_ok_when_holds_for_what_jmespath_calls_true(provider: Provider, held: object) -> None:
    provider.answer({"ok": held, "balance": 5})
    assert fetch(provider, ok_when=Expression("ok"))[0].value == 5


@pytest.mark.parametrize("held", [False, None, "", [], {}])
def test_ok_when_fails_for_what_jmespath_calls_false(provider: Provider, held: object) -> None:
    provider.answer({"ok": held, "balance": 5})
    assert failure(provider, ok_when=Expression("ok")).kind is Failure.NOT_OK


def test_ok_when_compares(provider: Provider) -> None:
    provider.answer({"code": 0, "balance": 5})
    assert fetch(provider, ok_when=Expression("code == `0`"))[0].value == 5
    provider.answer({"code": 7, "balance": 0})
    error = failure(provider, ok_when=Expression("code == `0`"))
    assert error.message == "the answer says it is no success: ok_when code == `0` does not hold"


@pytest.mark.parametrize(
    ("flags", "available", "unlimited"),
    [
        ({"up": True}, True, False),
        ({"up": False}, False, False),
        ({"up": True, "all": True}, True, True),
        ({"up": True, "all": False}, True, False),
        ({"up": True, "all": None}, True, False),
    ],
)
def test_flags(provider: Provider, flags: dict[str, object], available: bool, unlimited: bool) -> None:
    provider.answer({"balance": 5, **flags})
    extract = Extract(available=Expression("up"), unlimited=Expression("all"))
    [reading] = fetch(provider, quantities={"balance": extract})
    assert (reading.value, reading.available, reading.unlimited) == (5, available, unlimited)


@pytest.mark.parametrize(
    ("up", "kind"), [(None, Failure.MISSING), (1, Failure.INVALID), ("true", Failure.INVALID), ([], Failure.INVALID)]
)
def test_a_flag_that_is_neither_true_nor_false_is_an_error(provider: Provider, up: object, kind: Failure) -> None:
    provider.answer({"balance": 5, "up": up})
    assert failure(provider, quantities={"balance": Extract(available=Expression("up"))}).kind is kind


def test_an_unlimited_quantity_needs_no_number(provider: Provider) -> None:
    provider.answer({"all": True})
    extract = Extract(value=Expression("left"), unlimited=Expression("all"))
    assert fetch(provider, quantities={"q": extract}) == [Reading("q", None, "", unlimited=True)]


@pytest.mark.parametrize("unit", [5, None, True, "a\nb", "x" * 41, "\ud800", ["USD"]])
def test_a_unit_that_is_no_name_is_an_error(provider: Provider, unit: object) -> None:
    provider.answer(told.whole(json.dumps({"balance": 5, "unit": unit}).encode()))
    assert failure(provider, quantities={"q": Extract(unit_from=Expression("unit"))}).kind is Failure.INVALID
