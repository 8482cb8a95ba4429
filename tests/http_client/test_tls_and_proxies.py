"""Whom the HTTP client trusts, and by which way it goes."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.answers import closed, silence
from support.authority import Authority
from support.provider import Provider
from support.proxy import Proxy
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient


@pytest.fixture(autouse=True)
def _no_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def secure(authority: Authority) -> Iterator[Provider]:
    with Provider(authority.server()) as provider:
        yield provider


def status(client: RequestsClient, url: str) -> int:
    return client.send(Request("GET", Secret(url)), 5).status


def refusal(client: RequestsClient, url: str) -> HttpError:
    with pytest.raises(HttpError) as caught:
        status(client, url)
    return caught.value


def test_an_unknown_authority_is_refused_plainly(secure: Provider) -> None:
    error = refusal(RequestsClient(), secure.url)
    assert (error.kind, error.sent) == (Failure.TLS, False)
    assert error.message == "the server's certificate is refused: unable to get local issuer certificate"
    assert secure.requests == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_authority_of_ones_own_is_named_in_the_environment(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.write(tmp_path / "ca.pem")))
    assert status(RequestsClient(), secure.url) == 200


def test_the_authority_may_be_a_folder(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.write_folder(tmp_path / "certs")))
    assert status(RequestsClient(), secure.url) == 200


def test_the_authority_is_read_once_not_per_connection(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = authority.write(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    client = RequestsClient()
    assert status(client, secure.url) == 200
    bundle.unlink()
    secure.hang_up()
    secure.wait_for_quiet()
    assert status(client, secure.url) == 200
    assert secure.connections == 2


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_authority_that_cannot_be_read_is_said_and_tried_again(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    client = RequestsClient()
    error = refusal(client, secure.url)
    assert (error.kind, error.sent) == (Failure.TLS, False)
    assert error.message == f"SSL_CERT_FILE names no readable file of CA certificates: {bundle}"
    authority.write(bundle)
    assert status(client, secure.url) == 200


@pytest.mark.parametrize(
    ("names", "expired", "says"),
    [
        (["127.0.0.1"], True, "certificate has expired"),
        (["elsewhere.test"], False, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_certificate_that_is_expired_or_anothers_is_refused_plainly(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    expired: bool,
    says: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    with Provider(authority.server(*names, expired=expired)) as provider:
        error = refusal(RequestsClient(), provider.url)
    assert error.kind is Failure.TLS
    assert error.message == f"the server's certificate is refused: {says}"


def test_a_server_that_speaks_no_tls_is_told_plainly() -> None:
    with Provider(greeting=lambda wire: wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as provider:
        error = refusal(RequestsClient(), provider.url.replace("http:", "https:"))
    assert (error.kind, error.message, error.sent) == (Failure.TLS, "no TLS connection: wrong version number", False)


def test_a_connection_that_ends_in_the_handshake_is_a_broken_one() -> None:
    with Provider(greeting=closed) as provider:
        error = refusal(RequestsClient(), provider.url.replace("http:", "https:"))
    assert (error.kind, error.sent) == (Failure.CONNECTION, False)


def test_connections_over_tls_are_used_again(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    client = RequestsClient()
    for _ in range(4):
        status(client, secure.url)
    secure.answer(silence)
    with pytest.raises(HttpError) as caught:
        client.send(Request("GET", Secret(secure.url)), 0.3)
    assert (caught.value.kind, caught.value.sent, secure.connections) == (Failure.TIMEOUT, True, 1)


def test_a_proxy_of_the_environment_is_used_for_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy, Provider() as provider:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//someone:word@"))
        monkeypatch.setenv("http_proxy", os.environ["HTTP_PROXY"])
        assert status(RequestsClient(), provider.url) == 200
        assert proxy.seen[0].startswith(f"GET {provider.url} HTTP/1.1")
        assert "Proxy-Authorization: Basic c29tZW9uZTp3b3Jk" in proxy.seen[0]


def test_a_proxy_of_the_environment_tunnels_https_and_sees_no_header(
    secure: Provider, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path / "ca.pem")))
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        request = Request("GET", Secret(secure.url), {"Authorization": Secret("Bearer canary")})
        assert RequestsClient().send(request, 5).status == 200
        assert proxy.seen[0].startswith(f"CONNECT 127.0.0.1:{secure.port} ")
        assert "canary" not in "".join(proxy.seen)
    assert secure.requests[0].headers["Authorization"] == "Bearer canary"


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy, Provider() as provider:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        assert status(RequestsClient(), provider.url) == 200
        assert proxy.seen == []


def test_a_proxy_that_is_down_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    error = refusal(RequestsClient(), "http://provider.invalid/")
    assert (error.kind, error.sent) == (Failure.CONNECTION, False)
    assert error.message == "no connection through the proxy: Connection refused"


def test_a_proxy_that_never_answers_cannot_outlast_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with Provider(greeting=silence) as proxy:
        monkeypatch.setenv("https_proxy", proxy.origin)
        with pytest.raises(HttpError) as caught:
            RequestsClient().send(Request("GET", Secret("https://provider.invalid/")), 0.3)
    assert (caught.value.kind, caught.value.sent) == (Failure.TIMEOUT, False)


def test_a_proxy_of_a_kind_we_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:1")
    error = refusal(RequestsClient(), "http://provider.invalid/")
    assert error.message == "the proxy that the environment names cannot be used"
