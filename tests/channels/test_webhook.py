"""The generic webhook, field by field."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from support.messages import FixedClock, low
from support.receiver import Received, Receiver
from token_monitor import __version__
from token_monitor.channels.webhook import Webhook, WebhookChannel
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient

URL = Url("https://hooks.example/x")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def delivered(
    receiver: Receiver,
    secret: str | None = None,
    headers: dict[str, str] | None = None,
    clock: FixedClock | None = None,
) -> Received:
    settings = Webhook(
        Url(f"{receiver.url}/hook"),
        secret=None if secret is None else Secret(secret),
        headers={name: Secret(value) for name, value in (headers or {}).items()},
    )
    WebhookChannel(settings, RequestsClient(), clock or FixedClock()).send(low())
    return receiver.wait_for(1)[0]


def test_the_body_is_the_one_of_the_contract(receiver: Receiver) -> None:
    assert delivered(receiver).body.decode() == (
        '{"text":"[WARNING] facefusion: 5 calls left, below the warning threshold of 10.","alert":{"id":"e-1",'
        '"kind":"account","subject":"facefusion/balance","account":"facefusion","quantity":"balance","state":"low",'
        '"level":"warning","reason":"first","trigger":"threshold","balance":5,"threshold":10,"limit":null,'
        '"unit":"calls","runway_seconds":null,"episode":"e","at":"2026-04-05T10:00:00.000Z"}}'
    )


def test_the_headers_name_the_alert_and_the_sender(receiver: Receiver) -> None:
    headers = delivered(receiver).headers
    assert headers["idempotency-key"] == "e-1"
    assert headers["user-agent"] == f"token-monitor/{__version__}"
    assert headers["content-type"] == "application/json"
    assert "x-timestamp" not in headers
    assert "x-signature-256" not in headers


def test_a_signature_covers_time_and_body(receiver: Receiver) -> None:
    request = delivered(receiver, secret="shared-秘密", clock=FixedClock(datetime(2026, 4, 5, 10, 0, 1, 999999, UTC)))
    timestamp = request.headers["x-timestamp"]
    assert timestamp == "1775383201"
    signed = timestamp.encode() + b"." + request.body
    digest = hmac.new("shared-秘密".encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-signature-256"] == f"sha256={digest}"


def test_extra_headers_travel_along(receiver: Receiver) -> None:
    headers = delivered(receiver, headers={"Authorization": "Bearer abc", "X-Team": "gpu ops"}).headers
    assert headers["authorization"] == "Bearer abc"
    assert headers["x-team"] == "gpu ops"


@pytest.mark.parametrize("name", ["Idempotency-Key", "x-signature-256", "CONTENT-TYPE", "Host", "User-Agent"])
def test_a_header_we_set_ourselves_cannot_be_replaced(name: str) -> None:
    with pytest.raises(ValueError, match="sets that one itself"):
        Webhook(URL, headers={name: Secret("value")})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é"])
def test_a_header_name_that_http_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a header name"):
        Webhook(URL, headers={name: Secret("value")})


@pytest.mark.parametrize("value", ["", " canary", "canary ", "canary\r\nX: b", "canary-é", "canary\tb"])
def test_a_header_value_that_http_cannot_carry_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ValueError, match="unfit value of X-Team") as caught:
        Webhook(URL, headers={"X-Team": Secret(value)})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_answer_is_an_acknowledgement_whatever_its_body(receiver: Receiver, status: int) -> None:
    receiver.answer(status, body=b"<html>anything")
    assert json.loads(delivered(receiver).body)["alert"]["id"] == "e-1"
