"""URLs that are secrets, and URLs that are refused."""

import copy
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from token_monitor.core.secret import redact
from token_monitor.core.url import Endpoint, Url

HOOK = "https://hooks.example.com:8443/services/T0/canary-path?key=canary-query"


def test_a_channel_url_prints_scheme_and_host_alone() -> None:
    url = Url.parse(HOOK)

    for printed in (str(url), repr(url), f"{url}", f"{url!r}", "%s" % url, str([url])):  # noqa: UP031
        assert "canary" not in printed
        assert "https://hooks.example.com:8443/***" in printed
    assert url.secret.reveal() == HOOK


def test_an_endpoint_prints_its_path_and_hides_its_query() -> None:
    assert (
        str(Endpoint.parse("https://api.example.com/v1/balance?key=canary")) == "https://api.example.com/v1/balance?***"
    )
    assert repr(Endpoint.parse("https://api.example.com/v1/balance")) == "https://api.example.com/v1/balance"


def test_a_url_is_not_pickled_or_deeply_copied_and_its_copy_does_not_print() -> None:
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            way(Url.parse(HOOK))
        assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert "canary" not in repr(copy.copy(Url.parse(HOOK)))


@pytest.mark.parametrize(
    "written",
    [
        HOOK,
        "HTTPSConnectionPool(host='hooks.example.com', port=8443): Max retries exceeded with url: "
        "/services/T0/canary-path?key=canary-query (Caused by NewConnectionError())",
        '"POST /services/T0/canary-path?key=canary-query HTTP/1.1" 500',
        "https%3A%2F%2Fhooks.example.com%3A8443%2Fservices%2FT0%2Fcanary-path%3Fkey%3Dcanary-query",
    ],
)
def test_what_an_http_library_writes_of_a_channel_url_is_masked(written: str) -> None:
    url = Url.parse(HOOK)

    assert "canary" not in redact(written)
    assert url.host == "hooks.example.com"


def test_what_an_http_library_writes_of_an_endpoint_keeps_its_path_and_loses_its_query() -> None:
    url = Endpoint.parse("https://api.example.com/v1/balance?key=canary")

    assert redact("Max retries exceeded with url: /v1/balance?key=canary") == (
        "Max retries exceeded with url: /v1/balance?***"
    )
    assert url.host == "api.example.com"


def test_a_plain_path_is_not_masked_for_an_endpoint() -> None:
    url = Endpoint.parse("https://api.example.com/v1/balance")

    assert redact("GET /v1/balance") == "GET /v1/balance"
    assert url.host == "api.example.com"


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port"),
    [
        ("https://Host.Example/x", "https", "host.example", 443),
        ("HTTP://host", "http", "host", 80),
        ("http://127.0.0.1:8080", "http", "127.0.0.1", 8080),
        ("https://[::1]:9/x", "https", "::1", 9),
        ("https://host:443", "https", "host", 443),
        ("https://host:/x", "https", "host", 443),
    ],
)
def test_the_origin_is_where_a_credential_may_travel(text: str, scheme: str, host: str, port: int) -> None:
    assert Url.parse(text).origin == (scheme, host, port)


def test_urls_are_equal_by_their_text() -> None:
    assert Url.parse(HOOK) == Url.parse(HOOK)
    assert hash(Url.parse(HOOK)) == hash(Url.parse(HOOK))
    assert Url.parse(HOOK) != Url.parse(HOOK + "x")
    assert Url.parse(HOOK) != HOOK


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begin with http"),
        ("canary", "begin with http"),
        ("canary.example/x", "begin with http"),
        ("//canary/x", "begin with http"),
        ("ftp://canary/x", "begin with http"),
        ("file:///canary", "begin with http"),
        ("javascript:canary", "begin with http"),
        ("https://", "name a host"),
        ("https:///canary", "name a host"),
        ("https:canary", "name a host"),
        ("https://:443/canary", "name a host"),
        ("https://user:canary@host/", "without user:password@"),
        ("https://canary@host/", "without user:password@"),
        ("https://host\\canary@evil/", "without user:password@"),
        ("https://host:0/canary", "1 to 65535"),
        ("https://host:65536/canary", "a URL such as"),
        ("https://host:canary/", "a URL such as"),
        ("https://[::1/canary", "a URL such as"),
        ("https://host\uff0fcanary/", "a URL such as"),
        (" https://host/canary", "white space"),
        ("https://host/canary x", "white space"),
        ("https://host/canary\n", "white space"),
        ("https://host/\tcanary", "white space"),
        ("https://host/\x00canary", "control characters"),
        ("https://host/\u202ecanary", "control characters"),
        ("https://host/\udc80canary", "control characters"),
    ],
)
def test_what_is_no_usable_url_is_refused_without_showing_it(text: str, why: str) -> None:
    for kind in (Url, Endpoint):
        with pytest.raises(ValueError, match=why) as caught:
            kind.parse(text)
        assert "canary" not in str(caught.value)


@given(st.text(st.characters(), max_size=30) | st.text("htps:/@.?#[]%\\ 0a", max_size=20).map("https://".__add__))
def test_any_text_is_a_url_with_a_host_or_a_value_error(text: str) -> None:
    try:
        url = Url.parse(text)
    except ValueError:
        return
    assert url.scheme in ("http", "https")
    assert url.host
    assert 1 <= url.origin[2] <= 65535
    assert "@" not in url.authority
    assert text == url.secret.reveal()
    assert str(url).encode()
