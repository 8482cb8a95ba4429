"""Alertmanager: what is posted, and what the real one makes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from support.alertmanager import Alertmanager as Real
from support.alertmanager import wait_until
from support.messages import AT, FixedClock, low
from support.receiver import Receiver
from support.standing import SkewedClock, StandingBench
from support.watching import reading
from token_monitor.channels.alertmanager import Alertmanager, AlertmanagerChannel
from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Failure, Scope, SourceError
from token_monitor.core.message import Message
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.time import rfc3339
from token_monitor.core.url import Endpoint, Url
from token_monitor.core.words import Kind, Reason, State
from token_monitor.http import RequestsClient

HTTP = RequestsClient()
REJECTED = SourceError(Failure.REJECTED, "HTTP 401: the provider refuses the credential")
BROKEN = SourceError(Failure.NOT_JSON, "the answer is empty")
_names = count()


@pytest.fixture(scope="module")
def people() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, people: Receiver) -> Iterator[Real]:
    with Real(tmp_path_factory.mktemp("alertmanager"), people.url) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def account() -> str:
    """A name that no other test of this Alertmanager uses."""
    return f"account-{next(_names)}"


def channel(url: str, clock: object = None, **settings: object) -> AlertmanagerChannel:
    return AlertmanagerChannel(Alertmanager(Url(url), **settings), HTTP, clock or FixedClock())  # type: ignore[arg-type]


def bench(real: Real, skew: float = 0.0, **settings: object) -> StandingBench:
    clock = SkewedClock(skew)
    return StandingBench(channel(real.url, clock, **settings), clock)


def ends_in(alert: dict[str, str]) -> float:
    return (datetime.fromisoformat(alert["endsAt"]) - datetime.now(UTC)).total_seconds()


def test_what_is_posted(receiver: Receiver) -> None:
    clock = FixedClock(AT + timedelta(seconds=90))
    settings = {"labels": {"team": "video"}, "generator_url": Endpoint("https://grafana.example/d/1")}
    channel(receiver.url + "/am/", clock, **settings).sync([low()], [])
    [request] = receiver.requests
    assert (request.method, request.path) == ("POST", "/am/api/v2/alerts")
    assert "authorization" not in request.headers
    assert request.json() == [
        {
            "labels": {
                "service": "token-monitor",
                "team": "video",
                "alertname": "TokenBalance",
                "account": "facefusion",
                "quantity": "balance",
                "severity": "warning",
            },
            "annotations": {
                "summary": "[WARNING] facefusion: 5 calls left, below the warning threshold of 10.",
                "state": "low",
                "episode": "e",
                "balance": "5",
                "threshold": "10",
                "unit": "calls",
            },
            "startsAt": "2026-04-05T10:00:00.000Z",
            "endsAt": "2026-04-05T10:06:30.000Z",
            "generatorURL": "https://grafana.example/d/1",
        }
    ]


def test_what_ended_is_posted_with_its_end_in_the_past(receiver: Receiver) -> None:
    channel(receiver.url, FixedClock(AT + timedelta(seconds=90))).sync([], [low()])
    [posted] = receiver.requests[0].json()
    assert (posted["startsAt"], posted["endsAt"]) == ("2026-04-05T10:00:00.000Z",) * 2


def test_a_beginning_that_lies_ahead_after_a_jump_of_the_clock_is_posted_as_now(receiver: Receiver) -> None:
    before = AT - timedelta(days=1)
    channel(receiver.url, FixedClock(before)).sync([low()], [low()])
    for posted in receiver.requests[0].json():
        assert posted["startsAt"] == rfc3339(before)
        assert posted["endsAt"] >= posted["startsAt"]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"token": Secret("a-token")}, "Bearer a-token"),
        ({"username": "märta", "password": Secret("pass:word")}, "Basic bcOkcnRhOnBhc3M6d29yZA=="),
    ],
)
def test_the_credential_is_sent(receiver: Receiver, settings: dict[str, object], header: str) -> None:
    channel(receiver.url, **settings).sync([], [])
    assert receiver.requests[0].headers["authorization"] == header


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": Url("http://h/api/v2/alerts")}, "where its pages are"),
        ({"url": Url("http://h/?x=1")}, "where its pages are"),
        ({"username": "u"}, "both, or none"),
        ({"password": Secret("p")}, "both, or none"),
        ({"token": Secret("t"), "username": "u", "password": Secret("p")}, "one of the two"),
        ({"labels": {"severity": "page"}}, "sets that one itself"),
        ({"labels": {"bad-name": "x"}}, "a label name"),
        ({"labels": {"__name__": "x"}}, "a label name"),
        ({"labels": {"team": ""}}, "an empty team"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Alertmanager(**({"url": Url("http://h")} | settings))  # type: ignore[arg-type]


def test_many_alerts_go_in_several_requests_and_one_refused_does_not_keep_the_others(receiver: Receiver) -> None:
    messages = [low(number=number) for number in range(600)]
    receiver.answer(400, times=1)
    with pytest.raises(ChannelError) as caught:
        channel(receiver.url).sync(messages, [])
    assert caught.value.scope is Scope.MESSAGE
    assert [len(request.json()) for request in receiver.requests] == [256, 256, 88]


def test_a_receiver_that_goes_down_midway_is_not_asked_on(receiver: Receiver) -> None:
    receiver.answer(200, times=1)
    receiver.answer(503)
    with pytest.raises(ChannelError):
        channel(receiver.url).sync([low()] * 600, [])
    assert len(receiver.requests) == 2


def test_a_low_balance_fires_with_labels_that_hold_no_value(real: Real, account: str) -> None:
    watched = bench(real, labels={"team": "video"})
    watched.poll(account, 5)
    watched.sync()
    [alert] = real.alerts(account=account)
    assert alert["labels"] == {
        "alertname": "TokenBalance",
        "service": "token-monitor",
        "team": "video",
        "account": account,
        "quantity": "balance",
        "severity": "warning",
    }
    assert alert["annotations"]["summary"].startswith(f"[WARNING] {account}: 5 calls left")
    assert (alert["annotations"]["balance"], alert["annotations"]["threshold"]) == ("5", "10")
    assert 290 < ends_in(alert) < 301


def test_it_stays_one_alert_with_one_beginning_while_the_balance_changes(real: Real, account: str) -> None:
    watched = bench(real)
    watched.poll(account, 5)
    watched.sync()
    [first] = real.alerts(account=account)
    watched.poll(account, 4)
    watched.poll(account, 4, after=1800)
    watched.restart()
    watched.sync()
    [second] = real.alerts(account=account)
    assert second["annotations"]["balance"] == "4"
    assert (second["fingerprint"], second["startsAt"]) == (first["fingerprint"], first["startsAt"])
    assert second["endsAt"] > first["endsAt"]


def test_a_change_of_severity_ends_the_old_label_set_both_ways(real: Real, account: str) -> None:
    watched = bench(real)
    for balance, severity in ((5, "warning"), (2, "critical"), (0, "critical"), (8, "warning"), (2, "critical")):
        watched.poll(account, balance)
        watched.sync()
        assert real.severities(account=account) == [severity]


def test_a_recovery_ends_it_and_people_are_told_both(real: Real, people: Receiver, account: str) -> None:
    watched = bench(real)
    watched.poll(account, 5)
    watched.sync()
    wait_until(lambda: told(people, account) == ["firing"])
    watched.poll(account, 100)
    watched.sync()
    assert real.alerts(account=account) == []
    wait_until(lambda: told(people, account) == ["firing", "resolved"])
    for _ in range(6):
        watched.advance(60)
        watched.sync()
    wait_until(lambda: real.alerts(account=account) == [])
    assert told(people, account) == ["firing", "resolved"]


def told(people: Receiver, account: str) -> list[str]:
    """What the people behind Alertmanager got of an account."""
    posts = [request.json() for request in people.requests]
    return [post["status"] for post in posts if post["commonLabels"].get("account") == account]


def test_a_rejected_credential_and_a_blind_account_stand_beside_the_balance(real: Real, account: str) -> None:
    watched = bench(real)
    watched.poll(account, 5, max_failures=1, notify_when_blind=True)
    watched.poll(account, REJECTED)
    watched.poll(account, BROKEN)
    watched.sync()
    alerts = {alert["labels"]["alertname"]: alert for alert in real.alerts(account=account)}
    assert {name: alert["labels"]["severity"] for name, alert in alerts.items()} == {
        "TokenBalance": "warning",
        "TokenCredential": "critical",
        "TokenVisibility": "critical",
    }
    assert "quantity" not in alerts["TokenCredential"]["labels"]
    assert "the answer is empty" in alerts["TokenVisibility"]["annotations"]["summary"]
    watched.poll(account, 100)
    watched.sync()
    assert real.alerts(account=account) == []


def test_a_rejected_credential_and_no_healthy_one_are_two_alerts_and_end_apart(real: Real, account: str) -> None:
    stands = [credential_of(account, State.CRITICAL), credential_of(account, State.EXHAUSTED)]
    one = channel(real.url, SkewedClock())
    one.sync(stands, [])
    assert alertnames(real, account) == ["TokenCredential", "TokenNoHealthyCredential"]
    one.sync(stands[:1], stands[1:])
    assert alertnames(real, account) == ["TokenCredential"]


def credential_of(account: str, state: State) -> Message:
    at = datetime.now(UTC)
    return Message(Alert("e-1", Kind.CREDENTIAL, f"{account}/credential", account, state, Reason.FIRST, "e", at), "x")


def alertnames(real: Real, account: str) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in real.alerts(account=account))


def test_two_currencies_are_two_alerts_of_one_account(real: Real, account: str) -> None:
    rules = {name: Rule(Bound(Decimal(10))) for name in ("cny", "usd")}
    watched = bench(real)
    watched.poll(account, [reading(5, "cny"), reading(6, "usd")], rules=rules)
    watched.sync()
    assert sorted(alert["labels"]["quantity"] for alert in real.alerts(account=account)) == ["cny", "usd"]
    watched.poll(account, [reading(5, "cny"), reading(60, "usd")])
    watched.sync()
    assert [alert["labels"]["quantity"] for alert in real.alerts(account=account)] == ["cny"]


def test_an_unknown_balance_and_any_unit_are_taken(real: Real, account: str) -> None:
    watched = bench(real)
    watched.poll(account, reading(None))
    watched.sync()
    [alert] = real.alerts(account=account)
    assert (alert["annotations"]["balance"], alert["annotations"]["state"]) == ("unknown", "exhausted")
    odd = Message(alert_of(account, State.LOW), "余额 \ud800 <b>\n\x00")
    channel(real.url, SkewedClock()).sync([odd], [])
    assert "余额" in real.alerts(account=account, severity="warning")[0]["annotations"]["summary"]


def alert_of(account: str, state: State) -> Alert:
    return Alert("e-1", Kind.ACCOUNT, f"{account}/balance", account, state, Reason.FIRST, "e", datetime.now(UTC))


def test_an_alertmanager_that_lost_everything_has_it_again_within_a_minute(tmp_path: Path, account: str) -> None:
    with Real(tmp_path / "one") as one:
        watched = bench(one)
        watched.poll(account, 5)
        watched.poll(account + "-b", 2)
        watched.sync()
        before = beginnings(one)
        one.stop()
        one.start()
        assert one.alerts() == []
        watched.advance(60)
        watched.worker.step()
        assert beginnings(one) == before
        one.stop()
        watched.advance(60)
        wait = watched.worker.step()
        assert wait <= 1.2
        one.start()
        watched.advance(wait)
        watched.worker.step()
        assert beginnings(one) == before


def beginnings(one: Real) -> list[tuple[str, str]]:
    return sorted((alert["fingerprint"], alert["startsAt"]) for alert in one.alerts())


def test_what_ended_while_the_receiver_was_down_has_ended_when_it_is_back(tmp_path: Path, account: str) -> None:
    with Real(tmp_path / "one") as one:
        watched = bench(one)
        watched.poll(account, 5)
        watched.sync()
        one.stop()
        watched.poll(account, 2)
        watched.sync()
        watched.poll(account, 100)
        watched.sync()
        one.start()
        watched.advance(60)
        assert watched.worker.step() == 60
        assert one.alerts() == []


def test_what_nobody_tells_any_more_ends_by_itself(real: Real, account: str) -> None:
    """A process that was killed: its clock is 298 s behind here, so that the 5 minutes are up in 2 s."""
    watched = bench(real, skew=-298)
    watched.poll(account, 5)
    watched.sync()
    assert real.severities(account=account) == ["warning"]
    wait_until(lambda: real.alerts(account=account) == [])


def test_an_end_is_taken_even_where_the_clock_of_the_receiver_is_behind(real: Real, account: str) -> None:
    """It takes an `endsAt` ahead of it for none while an older one is later, so the first word is lost on it."""
    watched = bench(real, skew=2)
    watched.poll(account, 5)
    watched.sync()
    watched.poll(account, 100)
    watched.sync()
    assert real.severities(account=account) == ["warning"]

    def gone() -> bool:
        watched.sync()
        return real.alerts(account=account) == []

    wait_until(gone)


def test_the_labels_group_by_account_and_route_by_severity(real: Real, account: str) -> None:
    watched = bench(real)
    rules = {name: Rule(Bound(Decimal(10)), Bound(Decimal(3))) for name in ("cny", "usd")}
    watched.poll(account, [reading(5, "cny"), reading(6, "usd")], rules=rules)
    watched.poll(account + "-b", 2)
    watched.sync()
    groups = real.get("/api/v2/alerts/groups")
    found = {
        (group["labels"]["account"], group["receiver"]["name"]): len(group["alerts"])
        for group in groups
        if group["labels"]["account"].startswith(account)
    }
    assert found == {(account, "people"): 2, (account + "-b", "pager"): 1}


def test_amtool_shows_and_routes_it(real: Real, account: str) -> None:
    watched = bench(real)
    watched.poll(account, 5)
    watched.sync()
    shown = real.amtool("--alertmanager.url", real.url, "-o", "extended", "alert", "query", f"account={account}")
    assert "TokenBalance" in shown
    assert "5 calls left" in shown
    routed = real.amtool("config", "routes", "test", f"--config.file={real.config}", "severity=critical")
    assert routed.strip() == "pager"


def test_hundreds_of_accounts_stand_and_end_together(real: Real, account: str) -> None:
    watched = bench(real)
    names = [f"{account}-{number}" for number in range(300)]
    for name in names:
        watched.poll(name, 5)
    watched.sync()
    assert {alert["labels"]["account"] for alert in real.alerts()} >= set(names)
    for name in names:
        watched.poll(name, 100)
    watched.sync()
    assert not {alert["labels"]["account"] for alert in real.alerts()} & set(names)


def test_a_test_alert_fires_and_ends_within_a_minute(real: Real, account: str) -> None:
    test = Alert("t", Kind.TEST, f"{account}/test", account, State.OK, Reason.FIRST, "test", datetime.now(UTC))
    channel(real.url, SkewedClock()).sync([Message(test, "[TEST] nothing is wrong")], [])
    [alert] = real.alerts(account=account)
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("TokenTest", "info")
    assert 50 < ends_in(alert) < 61
