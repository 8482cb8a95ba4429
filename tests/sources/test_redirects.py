"""The credential goes to the origin it was given for, and nowhere else."""

import time
from typing import Any

import pytest

from support import answers as told
from support.authority import Authority
from support.fetching import KEY, failure, fetch
from support.provider import PATH, Provider
from token_monitor.core.errors import Failure
from token_monitor.sources.dialect import Auth, AuthScheme, JsonText, Method


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
    assert "another origin" in error.message
    assert str(stranger.port) not in error.message  # whoever answers chooses the host: it may echo the credential


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
    provider.next(told.late(told.redirect("/again"), 0.4), told.silence)
    begun = time.monotonic()
    error = failure(provider, timeout=0.5)
    assert error.kind is Failure.TIMEOUT
    assert time.monotonic() - begun < 0.8
