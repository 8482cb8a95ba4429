"""A webhook whose calls are templates, for ticket systems: the first alert of an episode opens, its end closes."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from attrs import field, frozen

from token_monitor.core.delivery_errors import refused, status_alone, unanswered
from token_monitor.core.errors import ChannelError, Failure, Scope
from token_monitor.core.fields import Value, flat
from token_monitor.core.http import HttpError, Request
from token_monitor.core.message import Message
from token_monitor.core.number import bounded, to_json
from token_monitor.core.pace import Pace
from token_monitor.core.routing import Route
from token_monitor.core.secret import MIN_LENGTH, Secret
from token_monitor.core.template import (
    ANSWER,
    NOTHING,
    Body,
    HiddenTemplate,
    MissingError,
    Template,
    UrlTemplate,
    filled,
    templates,
)
from token_monitor.core.time import Seconds
from token_monitor.core.tools import Tools

_TIMEOUT: Final = Seconds(10.0)
_LONGEST_ANSWER: Final = 1000
_NO_ANSWERS: Final = ("", ".", "..")  # in a path the last two would lead elsewhere (RFC 3986, 5.2.4)
_GONE: Final = (404, 410)
_UNREADABLE: Final = (Failure.TOO_LARGE, Failure.INVALID)
_OURS: Final = frozenset(("content-length", "host", "idempotency-key"))
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, 5.6.2
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


class Method(StrEnum):
    """Of an HTTP request."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    GET = "GET"
    DELETE = "DELETE"


@frozen
class Call:
    """One HTTP request with fields in its URL (not in the host), its headers and its body.

    body: JSON data with a template for every text; none is sent if it is None.
    """

    url: UrlTemplate
    method: Method = Method.POST
    headers: Mapping[str, HiddenTemplate] = field(factory=dict)
    body: Body = NOTHING

    def __attrs_post_init__(self) -> None:
        for name, value in self.headers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"headers with {name!r}; a header name such as Authorization")
            if name.lower() in _OURS:
                raise ValueError(f"headers with {name}; token-monitor sets that one itself")
            if not _VALUE.fullmatch(value.literal):
                raise ValueError(f"headers with an unfit value of {name}; printable ASCII and fields")

    @property
    def answers(self) -> frozenset[str]:
        """The fields of an earlier answer that it uses."""
        used = (self.url.template, *self.headers.values(), *templates(self.body))
        return frozenset(name for template in used for name in template.fields if name.startswith(ANSWER))


@frozen
class Templated(Call):
    """close: what is called at an episode's end instead; it may use `{answer.PATH}` of the answer that opened it.

    once_per_episode: only the first alert of an episode calls; those that follow, but for `close`, are acknowledged.
    """

    once_per_episode: bool = False
    close: Call | None = None
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if found := sorted(self.answers):
            raise ValueError(f"{{{found[0]}}} outside close; there is an earlier answer in close only")

    def check_route(self, route: Route) -> None:
        """Raises ValueError: `close` would never be called."""
        if self.close is not None and not route.send_resolved:
            raise ValueError("close with send_resolved: false; one of the two")


class TemplatedChannel:
    """Delivered is a 2xx answer, whole where `close` needs some of it. Never grouped: a ticket is about one episode."""

    pace: Final[Pace | None] = None

    def __init__(self, settings: Templated, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._needed = sorted(settings.close.answers) if settings.close else []

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        settings, values = self._settings, flat(message)
        note = self._note(message)
        if message.alert.reason.closes:
            if settings.close is not None:
                told, _ = self._call(settings.close, {**values, **self._answers(note)}, message)
                return told
            if settings.once_per_episode:
                return "nothing to do: the settings have no close"
        elif settings.once_per_episode and note is not None:
            return "nothing to do: this episode was told before"
        told, body = self._call(settings, values, message, needs_body=note is None and bool(self._needed))
        missing = [] if note is not None else self._keep(message, body)
        lack = f"; its answer has no {', '.join(missing)}, which close needs" if missing else ""
        return told + lack

    def _call(
        self, call: Call, values: Mapping[str, Value], message: Message, *, needs_body: bool = False
    ) -> tuple[str, bytes]:
        """What was answered, in one line, and its body; empty if there was none to read.

        needs_body: the call is made again for a body that did not come, unless it would be as unreadable then.
        """
        host = call.url.authority
        try:
            request = _request(call, values, message)
        except MissingError as error:
            reason = f"{error.name} is not known: the call that opened this got no answer with it; close it by hand"
            raise ChannelError(Scope.MESSAGE, f"{host} not called: {reason}") from None
        try:
            answer = self._tools.http.send(request, self._settings.timeout)
        except HttpError as error:
            if needs_body and error.kind not in _UNREADABLE:
                raise unanswered(host, error) from None
            return status_alone(host, error), b""
        if call is self._settings.close and answer.status in _GONE:
            gone = "what this was to close is not there; it may have been deleted, or the url of close is wrong"
            raise ChannelError(Scope.MESSAGE, f"{host} answered {answer.status}: {gone}")
        if not 200 <= answer.status < 300:
            raise refused(host, answer)
        return f"{host} answered {answer.status}", answer.body

    def _note(self, message: Message) -> str | None:
        return self._tools.notes.note(self._tools.name, message.alert.episode)

    def _keep(self, message: Message, answer: bytes) -> list[str]:
        """Remember that the episode was told, and what `close` needs of the answer; the names of what that lacks."""
        if not self._settings.once_per_episode and self._settings.close is None:
            return []
        found = {name: _found(answer, name.removeprefix(ANSWER)) for name in self._needed}
        text = to_json({name: value for name, value in found.items() if value is not None})
        self._tools.notes.keep_note(self._tools.name, message.alert.episode, text, self._tools.clock.now().steady)
        return [name for name, value in found.items() if value is None]

    def _answers(self, note: str | None) -> Mapping[str, Value]:
        kept: Mapping[str, Value] = {} if note is None else json.loads(note, parse_float=Decimal)
        return {name: kept.get(name) for name in self._needed}


def _request(call: Call, values: Mapping[str, Value], message: Message) -> Request:
    """Raises MissingError."""
    headers: dict[str, Secret | str] = {"Idempotency-Key": message.id}
    body = None
    if call.body is not None:
        headers["Content-Type"] = "application/json"
        body = to_json(filled(call.body, values)).encode("utf-8", "backslashreplace")
    for name, value in call.headers.items():
        if name.lower() == "content-type":
            headers.pop("Content-Type", None)
        headers[name] = _header(value, values)
    return Request(call.method.value, call.url.filled(values), headers, body)


def _header(template: Template, values: Mapping[str, Value]) -> Secret | str:
    """A secret, unless it has nothing but fields, which must not be masked elsewhere."""
    text = template.fill(values, lambda value: quote(value, safe=_PRINTABLE, errors="replace")).strip()
    return Secret(text) if len(template.literal) >= MIN_LENGTH else text


def _found(body: bytes, path: str) -> Value:
    """What the dotted `path` leads to in an answer; None if that is nothing, or no single value."""
    try:
        node: object = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
    for step in path.split("."):
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return _kept(node)


def _kept(value: object) -> Value:
    """`value`, if it is of a kind and size that a ticket's number can have."""
    match value:
        case bool():
            return None
        case str():
            return value if value.strip() not in _NO_ANSWERS and len(value) <= _LONGEST_ANSWER else None
        case int() | Decimal():
            with suppress(ValueError):
                bounded(Decimal(value))
                return value
    return None
