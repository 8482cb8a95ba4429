"""What the client must never keep, send or say."""

import logging
import tracemalloc
from pathlib import Path

import pytest

from support import answers as told
from support.asking import BROKEN, CANARY, SLOW, ask, endless, refusal
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient


def test_cookies_are_neither_kept_nor_sent(client: RequestsClient, provider: Provider) -> None:
    provider.answer({"balance": 5}, Set_Cookie="session=1; Path=/")
    for _ in range(3):
        ask(client, provider.url)
    assert [request.headers["Cookie"] for request in provider.requests] == [None] * 3


def test_netrc_is_not_read(
    client: RequestsClient, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login someone password {CANARY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    ask(client, provider.url, headers={"Authorization": Secret("Bearer ours")})
    ask(client, provider.url)
    assert [request.headers["Authorization"] for request in provider.requests] == ["Bearer ours", None]


def test_redirects_are_handed_back_not_followed(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.redirect("/elsewhere"))
    response = ask(client, provider.url)
    assert (response.status, response.headers["location"], len(provider.requests)) == (302, "/elsewhere", 1)


def test_the_body_of_a_redirect_is_bounded_too(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.stream(endless(b" " * 65536), told.head(302, Location="/elsewhere")))
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_no_error_and_no_log_line_holds_the_url_or_a_header(
    client: RequestsClient, provider: Provider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    odd = {"headers that are none": told.raw(b"HTTP/1.1 200 OK\r\nno colon\r\n: nameless\r\n\r\n{}")}
    headers = {"Authorization": Secret(f"Bearer {CANARY}")}
    errors: list[HttpError] = []
    for answer in (*BROKEN.values(), *SLOW.values(), *odd.values()):
        provider.answer(answer)
        try:
            ask(client, f"{provider.url}/{CANARY}?key={CANARY}", 0.2, headers=headers)
        except HttpError as error:
            errors.append(error)
    assert len(errors) > 15
    urls = (f"http://127.0.0.1:1/{CANARY}", f"http://a..invalid/{CANARY}", f"https://127.0.0.1:1/?k={CANARY}")
    errors += [refusal(client, url) for url in urls]
    errors.append(refusal(client, provider.url, headers={"X-Key": Secret(f"{CANARY}\n")}))
    assert (errors[-1].kind, errors[-1].sent) == (Failure.CONNECTION, False)
    for error in errors:
        assert CANARY not in f"{error} {error.message} {error!r}"
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())
