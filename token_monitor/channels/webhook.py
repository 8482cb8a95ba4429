"""The generic webhook: the alert as JSON, signed if there is a secret."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from token_monitor.core.delivery_errors import refused, status_alone
from token_monitor.core.http import HttpClient, HttpError, Request
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.payload import payload
from token_monitor.core.ports import Clock
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

_TIMEOUT: Final = Seconds(5.0)
_OURS: Final = frozenset(
    ("content-type", "content-length", "host", "idempotency-key", "user-agent", "x-timestamp", "x-signature-256")
)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


@frozen
class Webhook:
    """secret: signs each message. headers: extra ones, such as `Authorization`."""

    url: Url
    secret: Secret | None = None
    timeout: Seconds = _TIMEOUT
    headers: Mapping[str, Secret] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"headers with {name!r}; a header name such as Authorization")
            if name.lower() in _OURS:
                raise ValueError(f"headers with {name}; token-monitor sets that one itself")
            if not _VALUE.fullmatch(value.reveal()):
                raise ValueError(f"headers with an unfit value of {name}; printable ASCII, no outer white space")


class WebhookChannel:
    """Delivered is a 2xx answer."""

    pace: Final[Pace | None] = None

    def __init__(self, settings: Webhook, http: HttpClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        settings = self._settings
        body = payload(message)
        headers: dict[str, Secret | str] = {
            **settings.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": message.alert.id,
            **self._signature(body),
        }
        host = settings.url.authority
        try:
            answer = self._http.send(Request("POST", settings.url.secret, headers, body), settings.timeout)
        except HttpError as error:
            return status_alone(host, error)
        if not 200 <= answer.status < 300:
            raise refused(host, answer)
        return f"{host} answered {answer.status}"

    def _signature(self, body: bytes) -> Mapping[str, str]:
        """Over the time too, so that a receiver can refuse what is replayed later."""
        if self._settings.secret is None:
            return {}
        timestamp = str(int(self._clock.now().wall.timestamp()))
        key = self._settings.secret.reveal().encode()
        digest = hmac.new(key, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        return {"X-Timestamp": timestamp, "X-Signature-256": f"sha256={digest}"}
