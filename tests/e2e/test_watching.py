"""A balance falls, and what leaves: the line on standard output and the webhook, field by field."""

import hashlib
import hmac
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from support.site import TOKEN, Answer, Site
from token_monitor import __version__

AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def fresh(timestamp: str) -> bool:
    """Whether it is RFC 3339 in UTC, of the last minute."""
    assert AT.fullmatch(timestamp)
    return abs(datetime.now(UTC) - datetime.fromisoformat(timestamp)) < timedelta(minutes=1)


def test_a_balance_below_the_threshold_is_one_line_with_exactly_the_fields_of_the_contract(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account())
    line = daemon.entry(msg="Token balance low")
    assert list(line) == [
        "level", "msg", "account", "quantity", "balance", "threshold", "unit", "state", "reason", "alert_id",
        "timestamp",
    ]  # fmt: skip
    alert_id, timestamp = line.pop("alert_id"), line.pop("timestamp")
    assert line == {
        "level": "warning",
        "msg": "Token balance low",
        "account": "facefusion",
        "quantity": "balance",
        "balance": 5,
        "threshold": 10,
        "unit": "calls",
        "state": "low",
        "reason": "first",
    }
    assert alert_id
    assert fresh(timestamp)
    daemon.stop()


def test_the_webhook_gets_exactly_the_body_of_the_contract(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account())
    posted = site.receiver.wait_for(1)[0]
    body = posted.json()
    assert list(body) == ["text", "alert"]
    assert body["text"] == "[WARNING] facefusion: 5 calls left, below the warning threshold of 10."
    alert = body["alert"]
    assert list(alert) == [
        "id", "kind", "subject", "account", "quantity", "state", "level", "reason", "trigger", "balance", "threshold",
        "limit", "unit", "runway_seconds", "episode", "at",
    ]  # fmt: skip
    identity, episode, at = alert.pop("id"), alert.pop("episode"), alert.pop("at")
    assert alert == {
        "kind": "account",
        "subject": "facefusion/balance",
        "account": "facefusion",
        "quantity": "balance",
        "state": "low",
        "level": "warning",
        "reason": "first",
        "trigger": "threshold",
        "balance": 5,
        "threshold": 10,
        "limit": None,
        "unit": "calls",
        "runway_seconds": None,
    }
    line = daemon.entry(msg="Token balance low")
    assert (line["alert_id"], line["timestamp"]) == (identity, at)
    assert episode
    daemon.stop()


def test_the_webhook_request_names_its_alert_its_sender_and_is_signed(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_WEBHOOK_SECRET="shared secret"))
    posted = site.receiver.wait_for(1)[0]
    assert (posted.method, posted.path) == ("POST", "/hook")
    assert posted.headers["content-type"] == "application/json"
    assert posted.headers["idempotency-key"] == posted.json()["alert"]["id"]
    assert posted.headers["user-agent"] == f"token-monitor/{__version__}"
    signed = posted.headers["x-timestamp"].encode() + b"." + posted.body
    digest = hmac.new(b"shared secret", signed, hashlib.sha256).hexdigest()
    assert posted.headers["x-signature-256"] == f"sha256={digest}"
    assert abs(int(posted.headers["x-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    daemon.stop()


def test_without_a_secret_nothing_is_signed_and_the_provider_gets_the_credential_as_a_bearer(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account())
    headers = site.receiver.wait_for(1)[0].headers
    assert not {"x-timestamp", "x-signature-256", "authorization"} & set(headers)
    asked = site.provider.requests[0]
    assert (asked.method, asked.path) == ("GET", "/v1/balance")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    daemon.stop()


def test_a_balance_is_followed_down_to_arrears_and_up_again_each_state_said_once(site: Site) -> None:
    daemon = site.start(site.account(CRITICAL_THRESHOLD="3"))
    site.judged()
    assert site.receiver.requests == []
    story = [
        (9, "low", "warning", "first", 10, "Token balance low"),
        (2, "critical", "critical", "escalated", 3, "Token balance critical"),
        (0, "exhausted", "critical", "escalated", 0, "Token balance exhausted"),
        (-3, "arrears", "critical", "escalated", 0, "Token balance in arrears"),
        (120, "ok", "info", "recovered", 10, "Token balance recovered"),
    ]
    for number, (balance, state, level, reason, threshold, msg) in enumerate(story, 1):
        site.provider.says(balance)
        alert = site.posted(number)[-1]
        site.judged(2)
        assert len(site.receiver.requests) == number
        told = {key: alert[key] for key in ("balance", "state", "level", "reason", "threshold")}
        assert told == {
            "balance": balance, "state": state, "level": level, "reason": reason, "threshold": threshold
        }  # fmt: skip
        line = daemon.entry(msg=msg)
        assert line["alert_id"] == alert["id"]
        assert (line["level"], line["state"], line["threshold"]) == (level, state, threshold)
    alerts = site.posted(len(story))
    assert len({alert["episode"] for alert in alerts}) == 1
    assert len({alert["id"] for alert in alerts}) == len(story)
    assert [line["balance"] for line in daemon.entries(account="facefusion", quantity="balance")] == [9, 2, 0, -3, 120]
    daemon.stop()


def test_a_402_is_exhausted_with_an_unknown_balance(site: Site) -> None:
    site.provider.answer(402, body=b"payment required")
    daemon = site.start(site.account())
    alert = site.posted(1)[0]
    assert (alert["state"], alert["level"], alert["trigger"]) == ("exhausted", "critical", "status")
    assert (alert["balance"], alert["threshold"]) == (None, 0)
    line = daemon.entry(msg="Token balance exhausted")
    assert (line["balance"], line["unit"]) == (None, "calls")
    daemon.stop()


def test_a_401_is_a_credential_alert_and_the_next_good_answer_closes_it(site: Site) -> None:
    site.provider.answer(401)
    daemon = site.start(site.account())
    rejected = daemon.entry(msg="Credential rejected")
    site.judged(3)
    site.provider.says(100)
    accepted = daemon.entry(msg="Credential accepted")
    for line, level, state, reason in (
        (rejected, "critical", "critical", "first"),
        (accepted, "info", "ok", "recovered"),
    ):
        fields = {"kind": "credential", "subject": "facefusion/credential", "account": "facefusion"}
        assert {**fields, "level": level, "state": state, "reason": reason}.items() <= line.items()
        assert "balance" not in line
        assert fresh(line["timestamp"])
    first, second = site.posted(2)
    assert set(first) == {"id", "kind", "subject", "account", "state", "level", "reason", "episode", "at"}
    assert [first["id"], second["id"]] == [rejected["alert_id"], accepted["alert_id"]]
    assert first["episode"] == second["episode"] == rejected["episode"]
    assert daemon.entries(msg="Token balance low") == []
    assert len(site.receiver.requests) == 2
    daemon.stop()


def test_failures_are_tolerated_then_silent_mode_is_said_once_at_error_and_recovery_at_info(site: Site) -> None:
    site.provider.answer(500)
    daemon = site.start(site.account(MAX_FAILURES="3", REQUEST_TIMEOUT="1"))
    line = daemon.entry(msg="Balance check failing, silent mode")
    assert line["level"] == "error"
    failed = len(daemon.entries(msg="Balance check failed"))
    site.judged(4)
    assert len(daemon.entries(msg="Balance check failed")) == failed
    assert len(daemon.entries(msg="Balance check failing, silent mode")) == 1
    assert daemon.metric('token_monitor_silent{account="facefusion"}') == "1.0"
    assert daemon.get("/healthz").status == 200
    site.provider.says(50)
    assert daemon.entry(msg="Balance check recovered")["level"] == "info"
    assert daemon.metric('token_monitor_silent{account="facefusion"}') == "0.0"
    assert site.receiver.requests == []
    daemon.stop()


def test_with_notify_when_blind_silent_mode_is_one_alert_and_so_is_its_end(site: Site) -> None:
    site.provider.answer(500)
    daemon = site.start(site.account(MAX_FAILURES="2", NOTIFY_WHEN_BLIND="true", ALERT_COOLDOWN="0"))
    begun = site.posted(1)[0]
    site.judged(4)
    site.provider.says(50)
    begun, ended = site.posted(2)
    assert (begun["kind"], begun["subject"], begun["state"]) == ("visibility", "facefusion/visibility", "critical")
    assert (begun["level"], begun["reason"]) == ("error", "first")
    assert (ended["kind"], ended["level"], ended["reason"]) == ("visibility", "info", "recovered")
    assert daemon.entry(msg="Balance check failing, silent mode")["alert_id"] == begun["id"]
    assert daemon.entry(msg="Balance check recovered")["alert_id"] == ended["id"]
    assert len(daemon.entries(msg="Balance check failing, silent mode")) == 1
    daemon.stop()


@pytest.mark.parametrize("body", [b"{}", b"<html>oops", b'{"balance": null}', b'{"balance": "n/a"}', b'{"balance": tr'])
def test_an_answer_without_a_balance_is_a_failed_check_and_never_a_balance_of_0(site: Site, body: bytes) -> None:
    site.provider.answer(body=body)
    daemon = site.start(site.account(MAX_FAILURES="2"))
    daemon.entry(msg="Balance check failing, silent mode")
    account = daemon.get("/api/v1/status").json["accounts"][0]
    assert (account["state"], account["balance"]) == ("unknown", None)
    assert account["error"]
    assert site.receiver.requests == []
    daemon.stop()


def test_a_percentage_is_of_the_limit_the_source_reports(site: Site) -> None:
    site.provider.says(29, limit=200)
    daemon = site.start(
        site.yaml(
            """
            accounts:
              - {name: pool, credential: literal-credential, endpoint: PROVIDER/v1/balance, interval: 0.2,
                 value: balance, limit: limit, unit: GPU h, thresholds: {warning: 15%}}
            channels:
              ops: {type: webhook, url: RECEIVER/hook}
            """
        )
    )
    alert = site.posted(1)[0]
    assert (alert["balance"], alert["threshold"], alert["limit"], alert["unit"]) == (29, 30, 200, "GPU h")
    assert daemon.entry(msg="Token balance low")["threshold"] == 30
    daemon.stop()


def test_a_number_leaves_exactly_as_the_provider_wrote_it(site: Site) -> None:
    site.provider.says("0.10")
    daemon = site.start(site.account(BALANCE_UNIT="USD", WARNING_THRESHOLD="2.50"))
    body = site.receiver.wait_for(1)[0].body.decode()
    assert '"balance":0.10,"threshold":2.50,' in body
    assert json.loads(body, parse_float=Decimal)["text"].startswith("[WARNING] facefusion: 0.10 USD left, below")
    assert daemon.out is not None
    assert '"balance":0.10,"threshold":2.50,' in daemon.out.wait_for(lambda line: "Token balance low" in line)
    assert '"balance":0.10,' in daemon.get("/api/v1/status").text
    daemon.stop()


def test_chinese_is_for_people_and_machine_fields_stay_english(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_LANGUAGE="zh"))
    body = site.receiver.wait_for(1)[0].json()
    assert body["text"] == "【警告】facefusion：剩余 5 次调用，低于警告阈值 10。"
    assert (body["alert"]["state"], body["alert"]["unit"]) == ("low", "calls")
    assert daemon.entry(msg="Token balance low")["unit"] == "calls"
    daemon.stop()


def test_what_falls_once_and_stays_down_is_said_once_within_the_cooldown_and_again_after_it(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account(ALERT_COOLDOWN="1.5"))
    reminder = site.posted(2)[1]
    first = site.posted(1)[0]
    assert (first["reason"], reminder["reason"]) == ("first", "reminder")
    apart = datetime.fromisoformat(reminder["at"]) - datetime.fromisoformat(first["at"])
    assert timedelta(seconds=1.49) <= apart < timedelta(seconds=3)
    daemon.stop()


def test_a_retry_after_is_obeyed(site: Site) -> None:
    site.provider.answer(429, times=1, headers={"Retry-After": "2"})
    daemon = site.start(site.account(CHECK_INTERVAL="0.1"))
    first, second = site.provider.wait_for(2)
    assert 1.9 < second.at - first.at < 4
    daemon.stop()


def test_a_wrong_token_that_is_replaced_in_its_file_is_read_anew(site: Site) -> None:
    file = site.work / "token"
    file.write_text("first-credential\n")
    site.provider.at(
        "/v1/balance",
        lambda: Answer(
            200 if "second" in site.provider.requests[-1].headers["authorization"] else 401, body=b'{"balance": 50}'
        ),
    )
    daemon = site.start(site.account(FACEFUSION_API_TOKEN="", FACEFUSION_API_TOKEN_FILE=str(file)))
    daemon.entry(msg="Credential rejected")
    file.write_text("second-credential\n")
    daemon.entry(msg="Credential accepted")
    daemon.stop()
