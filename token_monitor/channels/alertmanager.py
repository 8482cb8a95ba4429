"""Prometheus Alertmanager: its v2 API (https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml).

What goes on is told anew each time with an `endsAt` ahead, so that it ends by itself when nobody tells it any more;
what has ended, with one in the past (https://prometheus.io/docs/alerting/latest/clients/).
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from token_monitor.core.alert import Alert
from token_monitor.core.delivery_errors import refused, unanswered
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpClient, HttpError, Request
from token_monitor.core.message import Message
from token_monitor.core.number import plain
from token_monitor.core.ports import Clock
from token_monitor.core.routing import Route
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds, rfc3339
from token_monitor.core.url import Endpoint, Url
from token_monitor.core.words import Kind, Level, State

ENDS_AFTER: Final = timedelta(minutes=5)
TEST_ENDS_AFTER: Final = timedelta(minutes=1)
BATCH: Final = 256  # as Prometheus sends them: a proxy before the receiver may refuse more than 1 MB

_PATH: Final = "/api/v2/alerts"
_TIMEOUT: Final = Seconds(5.0)
_OURS: Final = ("alertname", "account", "quantity", "severity")
_NAME: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_SEVERITIES: Final = {Level.ERROR: Level.CRITICAL}

_Posted = dict[str, object]


@frozen
class Alertmanager:
    """url: where its pages are, without `/api/…`. Of a cluster each member needs a channel of its own.

    token: a bearer token. username, password: HTTP basic authentication, instead.
    labels: added to every alert. generator_url: where people find more, such as a dashboard.
    """

    url: Url
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    labels: Mapping[str, str] = field(factory=dict)
    generator_url: Endpoint | None = None
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        url = self.url.secret.reveal()
        if "?" in url or "#" in url or "/api/v" in url:
            raise ValueError("a url with more than its address; where its pages are, such as http://alertmanager:9093")
        if (self.username is None) != (self.password is None):
            raise ValueError("one of username and password; both, or none")
        if self.token is not None and self.username is not None:
            raise ValueError("token and username; one of the two")
        for name, value in self.labels.items():
            if name in _OURS:
                raise ValueError(f"labels with {name}; token-monitor sets that one itself")
            if not _NAME.fullmatch(name):
                raise ValueError(f"labels with {name!r}; a label name such as team")
            if not value:
                raise ValueError(f"labels with an empty {name}; a value, or no such label")

    def check_route(self, route: Route) -> None:
        """Raises ValueError: something that has no effect on a receiver that is told what stands."""
        if route.quiet_hours is not None:
            raise ValueError("quiet_hours at an alertmanager; its own time intervals and silences")
        if not route.send_resolved:
            raise ValueError("send_resolved: false at an alertmanager; that of its receivers")


class AlertmanagerChannel:
    """Told is a 2xx without a word, as Alertmanager says it; a login page in front of it has a lot to say."""

    def __init__(self, settings: Alertmanager, http: HttpClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._endpoint = Url(settings.url.secret.reveal().rstrip("/") + _PATH)
        self._headers: Mapping[str, Secret | str] = {"Content-Type": "application/json", **_authorization(settings)}

    def sync(self, firing: Sequence[Message], resolved: Sequence[Message]) -> str:
        """See `core.ports.LevelChannel`. Nothing to tell is told, too: it proves the way before it is needed."""
        now = self._clock.now().wall
        posted = [self._firing(message, now) for message in firing] + [
            self._resolved(message, now) for message in resolved
        ]
        refusal = None
        for begin in range(0, max(len(posted), 1), BATCH):
            try:
                status = self._post(posted[begin : begin + BATCH])
            except ChannelError as error:
                if error.scope is not Scope.MESSAGE:
                    raise
                refusal = error  # Alertmanager takes the sound alerts all the same: go on, and be told again
        if refusal is not None:
            raise refusal
        return f"{self._endpoint.authority} answered {status}, {len(firing)} firing, {len(resolved)} resolved"

    def _post(self, alerts: Sequence[_Posted]) -> int:
        host, url = self._endpoint.authority, self._endpoint.secret
        # ASCII: a provider's unit may hold half a surrogate pair, which UTF-8 cannot write
        body = json.dumps(alerts).encode("ascii")
        try:
            answer = self._http.send(Request("POST", url, self._headers, body), self._settings.timeout)
        except HttpError as error:
            raise unanswered(host, error) from None
        if not 200 <= answer.status < 300:
            raise refused(host, answer)
        if answer.body.strip():
            fault = "but not as Alertmanager does, without a body; check that the URL is Alertmanager's"
            raise ChannelError(Scope.CHANNEL, f"{host} answered {answer.status}: {fault}")
        return answer.status

    def _firing(self, message: Message, now: datetime) -> _Posted:
        ends = now + (TEST_ENDS_AFTER if message.alert.kind is Kind.TEST else ENDS_AFTER)
        return self._alert(message, min(message.alert.at, now), ends)

    def _resolved(self, message: Message, now: datetime) -> _Posted:
        """Alertmanager knows when it began, and keeps that."""
        ended = min(message.alert.at, now)
        return self._alert(message, ended, ended)

    def _alert(self, message: Message, starts: datetime, ends: datetime) -> _Posted:
        posted: _Posted = {
            "labels": {"service": "token-monitor", **self._settings.labels, **_labels(message.alert)},
            "annotations": _annotations(message),
            "startsAt": rfc3339(starts),
            "endsAt": rfc3339(ends),
        }
        if self._settings.generator_url is not None:
            posted["generatorURL"] = self._settings.generator_url.secret.reveal()
        return posted


def _labels(alert: Alert) -> Mapping[str, str]:
    """What tells alerts apart, and nothing that changes while one goes on: a new label set is a new alert."""
    labels = {
        "alertname": _name(alert),
        "account": alert.account,
        "severity": _SEVERITIES.get(alert.level, alert.level).value,
    }
    return labels if alert.measured is None else labels | {"quantity": alert.measured.quantity}


def _name(alert: Alert) -> str:
    """A credential that is rejected and the want of any healthy one may stand beside each other."""
    if alert.kind is Kind.CREDENTIAL and alert.state is State.EXHAUSTED:
        return "TokenNoHealthyCredential"
    return "TokenBalance" if alert.kind is Kind.ACCOUNT else f"Token{alert.kind.value.capitalize()}"


def _annotations(message: Message) -> Mapping[str, str]:
    alert, measured = message.alert, message.alert.measured
    annotations = {"summary": message.text, "state": alert.state.value, "episode": alert.episode}
    if measured is not None:
        balance = "unknown" if measured.balance is None else plain(measured.balance)
        annotations |= {"balance": balance, "threshold": plain(measured.threshold), "unit": measured.unit}
    return annotations


def _authorization(settings: Alertmanager) -> Mapping[str, Secret]:
    if settings.token is not None:
        return {"Authorization": Secret(f"Bearer {settings.token.reveal()}")}
    if settings.username is None or settings.password is None:
        return {}
    pair = f"{settings.username}:{settings.password.reveal()}".encode()
    return {"Authorization": Secret("Basic " + base64.b64encode(pair).decode("ascii"))}
