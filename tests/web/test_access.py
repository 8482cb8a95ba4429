"""Who may ask, and who may change something: the rules alone. `test_app.py` sees them over HTTP."""

import pytest

from token_monitor.core.secret import Secret
from token_monitor.web.access import Access, Refusal, is_loopback

OPEN = Access.at("127.0.0.1", None)
LOCKED = Access.at("127.0.0.1", Secret("s3cret-key"))
BEYOND = Access.at("0.0.0.0", None)
BEYOND_LOCKED = Access.at("0.0.0.0", Secret("s3cret-key"))
HOST = ("host", "127.0.0.1:9775")


def refused(access: Access, method: str, *headers: tuple[str, str]) -> int | None:
    refusal = access.refusal(method, [(name.encode(), value.encode("latin-1")) for name, value in headers])
    return refusal and refusal.status


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "::1"])
def test_these_are_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "monitor", "127.0.0.1.evil.example", ""])
def test_these_are_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9775", "127.1.2.3:80", "localhost", "LocalHost:9775", "[::1]:9775", "[::1]"],
)
def test_on_loopback_a_loopback_name_may_read(host: str) -> None:
    assert refused(OPEN, "GET", ("host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9775",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example#127.0.0.1",
        "192.168.0.1",
        "0.0.0.0",
        "[::2]",
        "[evil.example]",
        "::1",
        "127.0.0.1:9775:9775",
        "127.0.0.1:",
        " ",
        "",
    ],
)
def test_on_loopback_a_foreign_name_may_not_even_read(host: str) -> None:
    assert refused(OPEN, "GET", ("host", host)) == 421


def test_on_loopback_no_host_or_two_of_them_are_refused() -> None:
    assert refused(OPEN, "GET") == 421
    assert refused(OPEN, "GET", HOST, ("host", "evil.example")) == 421


def test_beyond_loopback_any_name_may_read() -> None:
    assert refused(BEYOND, "GET", ("host", "monitor.svc:9775")) is None
    assert refused(BEYOND, "HEAD") is None


def test_on_loopback_without_a_key_anybody_may_change_something() -> None:
    assert refused(OPEN, "POST", HOST) is None


@pytest.mark.parametrize("access", [LOCKED, BEYOND_LOCKED])
def test_with_a_key_it_must_be_shown(access: Access) -> None:
    assert refused(access, "POST", HOST, ("authorization", "Bearer s3cret-key")) is None
    assert refused(access, "POST", HOST, ("authorization", "bearer  s3cret-key ")) is None
    assert refused(access, "GET", HOST) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "Bearer s3cret-kez")],
        [("authorization", "Bearer s3cret-ke")],
        [("authorization", "Bearer ")],
        [("authorization", "Bearer")],
        [("authorization", "s3cret-key")],
        [("authorization", "Basic s3cret-key")],
        [("authorization", "Bearer \xff\xfe")],
        [("authorization", "Bearer s3cret-key"), ("authorization", "Bearer s3cret-key")],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_with_a_key_nothing_else_will_do(method: str, headers: list[tuple[str, str]]) -> None:
    assert refused(LOCKED, method, HOST, *headers) == 401


def test_a_key_may_hold_any_characters() -> None:
    access = Access.at("127.0.0.1", Secret("schlüssel"))
    assert access.refusal("POST", [(b"host", b"localhost"), (b"authorization", "Bearer schlüssel".encode())]) is None


def test_beyond_loopback_without_a_key_nothing_can_be_changed_and_the_answer_names_the_setting() -> None:
    refusal = BEYOND.refusal("POST", [(b"host", b"monitor"), (b"authorization", b"Bearer x")])
    assert refusal == Refusal(403, "beyond loopback this needs a key: set TOKEN_MONITOR_API_KEY")


@pytest.mark.parametrize(
    "header",
    [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1"),
        ("origin", "http://127.0.0.1:8080"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ],
)
def test_a_page_of_another_site_may_not_change_anything_key_or_no_key(header: tuple[str, str]) -> None:
    assert refused(OPEN, "POST", HOST, header) == 403
    assert refused(LOCKED, "POST", HOST, header, ("authorization", "Bearer s3cret-key")) == 403
    assert refused(OPEN, "GET", HOST, header) is None


@pytest.mark.parametrize(
    "headers",
    [
        [("origin", "http://127.0.0.1:9775"), ("sec-fetch-site", "same-origin")],
        [("origin", "HTTP://127.0.0.1:9775")],
        [("sec-fetch-site", "none")],
    ],
)
def test_our_own_page_may(headers: list[tuple[str, str]]) -> None:
    assert refused(OPEN, "POST", HOST, *headers) is None


def test_the_rules_do_not_print_the_key() -> None:
    assert "s3cret" not in repr(LOCKED)
