"""What the group robots of DingTalk, WeCom and Feishu share: they refuse with HTTP 200, and say so in the body."""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from attrs import frozen

from token_monitor.core.delivery_errors import refused, unanswered
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpClient, HttpError, Request, Response
from token_monitor.core.pace import Pace
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

TIMEOUT: Final = Seconds(5.0)
A_MINUTE: Final = 60.0
PACE: Final = Pace(20, A_MINUTE)

_MOBILE: Final = re.compile(r"\+?[0-9][0-9-]{4,19}", re.ASCII)
_ADDRESS: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", re.ASCII)


class Format(StrEnum):
    """How a message looks."""

    TEXT = "text"
    MARKDOWN = "markdown"


@frozen
class Verdict:
    """What a code means. retry_after: seconds to leave the robot alone."""

    scope: Scope
    hint: str
    retry_after: float | None = None


@frozen
class Dialect:
    """How one kind of robot answers.

    codes: the names under which a body may say its code; 0 is success.
    verdicts: the codes that are known.
    """

    brand: str
    codes: Sequence[str]
    verdicts: Mapping[int, Verdict]


def busy(hint: str, retry_after: float | None = None) -> Verdict:
    return Verdict(Scope.RETRY, hint, retry_after)


def broken(hint: str) -> Verdict:
    return Verdict(Scope.CHANNEL, hint)


def unfit(hint: str) -> Verdict:
    return Verdict(Scope.MESSAGE, hint)


def posted(http: HttpClient, url: Url, body: Mapping[str, object], timeout: float) -> Response:
    """The answer to `body`. Raises ChannelError: there was none."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        return http.send(Request("POST", url.secret, headers, encoded(body)), timeout)
    except HttpError as error:
        raise unanswered(url.authority, error) from None


def encoded(body: Mapping[str, object]) -> bytes:
    r"""Without `\uxxxx`, which WeCom documents as an error (40033)."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def said(answer: Response) -> Mapping[str, object]:
    """The body; empty if it is no JSON object."""
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def message_of(body: Mapping[str, object], name: str) -> str:
    """What the robot says in words, in lower case. Never shown: receivers echo what they got."""
    return str(body.get(name, "")).lower()


def address_in(words: str) -> str:
    """The address that the robot saw, for people to allow."""
    found = _ADDRESS.search(words)
    return f" ({found[0]})" if found else ""


def code_of(body: Mapping[str, object], names: Sequence[str]) -> int | None:
    """The first code that is not 0; None if there is no code. DingTalk documents numbers and shows strings."""
    found = [code for name in names if (code := _whole(body.get(name))) is not None]
    return next(filter(None, found), 0) if found else None


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def accepted(host: str, answer: Response, dialect: Dialect) -> str:
    """The acknowledgement. Raises ChannelError: it is none.

    A code that nobody documents is tried again: the outbox gives a message up that alone keeps failing (rule O2), and
    an alert is not lost to a code that was invented after this was written. That holds under HTTP 400, too: Feishu
    uses it also for what comes too fast (99991400).
    """
    code = code_of(said(answer), dialect.codes)
    successful = 200 <= answer.status < 300
    if successful and code == 0:
        return f"{host} answered {answer.status}: {dialect.codes[0]} 0"
    if code and answer.status < 500 and code in dialect.verdicts:
        raise failure(host, answer, code, dialect.verdicts[code])
    if not successful and not (code and Scope.of_status(answer.status) is Scope.MESSAGE):
        raise refused(host, answer)
    if code is None:
        hint = f"but not as {dialect.brand} does; check that the URL is {dialect.brand}'s"
        raise ChannelError(Scope.CHANNEL, f"{host} answered {answer.status}: {hint}")
    raise failure(host, answer, code, busy(f"a code that {dialect.brand} does not document"))


def failure(host: str, answer: Response, code: int, verdict: Verdict) -> ChannelError:
    """What a code of the body means for the next message."""
    pause = answer.retry_after if verdict.retry_after is None else verdict.retry_after
    reason = f"{host} answered code {code}: {verdict.hint}"
    return ChannelError(verdict.scope, reason, retry_after=pause if verdict.scope is Scope.RETRY else None)


def check_mobiles(mobiles: Sequence[str]) -> None:
    """Raises ValueError: one is no phone number."""
    if not all(map(_MOBILE.fullmatch, mobiles)):
        raise ValueError("at_mobiles with what is no phone number; numbers such as 13800000000 or +86-13800000000")
