"""The paths, over real HTTP."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.web import Daemon, account, quantity, serving, snapshot
from token_monitor.core.secret import Secret
from token_monitor.core.words import State
from token_monitor.web.access import Access

KEY = "s3cret-key-of-the-test"


@pytest.fixture(scope="module")
def running() -> Iterator[Daemon]:
    with serving(Daemon(snapshot())) as daemon:
        yield daemon


@pytest.fixture
def daemon(running: Daemon) -> Daemon:
    running.shown = snapshot(account("wedding"), account("面部/融合"), account("50% off"))
    running.polled.clear()
    return running


def test_metrics_answers_the_prometheus_text_format(daemon: Daemon) -> None:
    answer = daemon.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(answer.body.decode())}
    assert {"token_monitor_balance", "token_monitor_build_info"} <= names


def test_healthz_is_200_while_all_is_well_and_503_with_the_reasons_when_it_is_not(daemon: Daemon) -> None:
    answer = daemon.ask("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "ok", "problems": []})
    daemon.shown = snapshot(problems=["thread delivery-ops has died"])
    answer = daemon.ask("/healthz")
    assert (answer.status, answer.json["problems"]) == (503, ["thread delivery-ops has died"])


def test_readyz_is_503_naming_the_accounts_until_all_were_tried(daemon: Daemon) -> None:
    daemon.shown = snapshot(account("a"), account("b", tried=False))
    answer = daemon.ask("/readyz")
    assert (answer.status, answer.json["waiting"]) == (503, ["b"])
    daemon.shown = snapshot(account("a"), account("b"))
    assert daemon.ask("/readyz").status == 200


def test_status_writes_numbers_digit_for_digit_and_text_as_utf_8(daemon: Daemon) -> None:
    daemon.shown = snapshot(account("面部", quantity("面部", state=State.LOW, balance="0.10")))
    answer = daemon.ask("/api/v1/status")
    assert answer.headers["content-type"] == "application/json"
    assert '"account":"面部"' in answer.body.decode()
    assert b'"balance":0.10,' in answer.body


def test_text_that_utf_8_cannot_write_does_not_break_status(daemon: Daemon) -> None:
    daemon.shown = snapshot(account("a", quantity("a", unit="\ud800")))
    assert daemon.ask("/api/v1/status").json["accounts"][0]["unit"] == "\ud800"


@pytest.mark.parametrize("name", ["wedding", "面部/融合", "50% off"])
def test_an_account_is_polled_by_its_url_encoded_name(daemon: Daemon, name: str) -> None:
    answer = daemon.ask(f"/api/v1/accounts/{quote(name, safe='')}/poll", "POST")
    assert (answer.status, answer.json) == (202, {"account": name, "status": "queued"})
    assert daemon.polled == [name]


def test_polling_an_account_that_does_not_exist_is_a_404_that_says_so(daemon: Daemon) -> None:
    answer = daemon.ask("/api/v1/accounts/no%20body/poll", "POST")
    assert (answer.status, answer.json) == (404, {"error": "there is no account 'no body'"})


def test_the_root_lists_the_paths(daemon: Daemon) -> None:
    answer = daemon.ask("/")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert all(path in answer.body for path in (b"/metrics", b"/healthz", b"/readyz", b"/api/v1/status"))


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/api/v1/accounts//", "/healthz/x", "/%2e%2e/etc/passwd"])
def test_an_unknown_path_is_a_json_404_and_never_a_redirect(daemon: Daemon, path: str) -> None:
    answer = daemon.ask(path)
    assert (answer.status, answer.json) == (404, {"error": "there is nothing at this path"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/metrics", {"GET", "HEAD"}),
        ("DELETE", "/api/v1/status", {"GET", "HEAD"}),
        ("GET", "/api/v1/accounts/wedding/poll", {"POST"}),
    ],
)
def test_a_wrong_method_is_a_json_405_that_names_the_right_one(
    daemon: Daemon, method: str, path: str, allowed: set[str]
) -> None:
    answer = daemon.ask(path, method)
    assert (answer.status, answer.json) == (405, {"error": "this path does not take that method"})
    assert {each.strip() for each in answer.headers["allow"].split(",")} == allowed
    assert daemon.polled == []


def test_head_answers_like_get_without_the_body(daemon: Daemon) -> None:
    answer = daemon.ask("/healthz", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_no_answer_is_for_caches_or_for_guessing_and_none_names_the_server_software(daemon: Daemon) -> None:
    for path, headers in (("/metrics", {}), ("/nothing", {}), ("/", {"Host": "evil.example"})):
        answer = daemon.ask(path, headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["server"] is None


def test_an_internal_error_is_a_json_500_without_its_text(daemon: Daemon) -> None:
    daemon.shown = None
    answer = daemon.ask("/api/v1/status")
    assert (answer.status, answer.json) == (500, {"error": "an internal error; its cause is in the log"})
    daemon.shown = snapshot()
    assert daemon.ask("/api/v1/status").status == 200


def test_a_foreign_host_name_is_refused_on_loopback(daemon: Daemon) -> None:
    answer = daemon.ask("/api/v1/status", headers={"Host": "evil.example:9775"})
    assert answer.status == 421
    assert answer.json == {"error": "this server answers to loopback names only, such as 127.0.0.1 or localhost"}


def test_a_page_of_another_site_cannot_have_an_account_polled(daemon: Daemon) -> None:
    answer = daemon.ask("/api/v1/accounts/wedding/poll", "POST", {"Origin": "https://evil.example"})
    assert (answer.status, daemon.polled) == (403, [])


def test_beyond_loopback_reading_is_open_and_polling_needs_a_key_that_is_set() -> None:
    with serving(Daemon(snapshot(account("a"))), host="0.0.0.0") as daemon:
        assert daemon.ask("/api/v1/status", headers={"Host": "monitor.svc"}).status == 200
        answer = daemon.ask("/api/v1/accounts/a/poll", "POST", {"Host": "monitor.svc"})
        assert answer.status == 403
        assert "TOKEN_MONITOR_API_KEY" in answer.json["error"]
        assert daemon.polled == []


def test_with_a_key_only_who_shows_it_can_have_an_account_polled() -> None:
    access = Access.at("0.0.0.0", Secret(KEY))
    with serving(Daemon(snapshot(account("a"))), host="0.0.0.0", access=access) as daemon:
        refused = daemon.ask("/api/v1/accounts/a/poll", "POST", {"Authorization": "Bearer wrong"})
        assert (refused.status, refused.headers["www-authenticate"], daemon.polled) == (401, "Bearer", [])
        assert KEY.encode() not in refused.body
        accepted = daemon.ask("/api/v1/accounts/a/poll", "POST", {"Authorization": f"Bearer {KEY}"})
        assert (accepted.status, daemon.polled) == (202, ["a"])
