"""DingTalk, through a custom robot of a group (https://open.dingtalk.com/document/orgapp/custom-robot-access).

Signature: https://open.dingtalk.com/document/robots/customize-robot-security-settings. Codes:
https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages; 130101, 300001, 300005, 460101 and 660026
are what the robot itself is seen to answer.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import frozen

from token_monitor.channels import robot
from token_monitor.channels.robot import A_MINUTE, TIMEOUT, Dialect, Format, Verdict, broken, busy, unfit
from token_monitor.channels.robot_text import clean, cut, footer, literal, parts, title
from token_monitor.core.http import HttpClient
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.ports import Clock
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

LIMIT: Final = 20_000  # bytes: "message too long, exceed 20000 bytes"

_SIGNS: Final = {"critical": "🔴", "error": "🔴", "warning": "🟠", "info": "🟢", "test": "🔵"}
_SECURITY: Final = 310000
_UNKNOWN_TOKEN: Final = broken("no robot has this access_token; copy the URL of the robot again")
# Beyond 20 a minute it is said to be deaf for ten minutes: asked every minute, it gets an alert a minute late at most.
_TOO_FAST: Final = busy("it takes 20 messages a minute and asks for a pause", A_MINUTE)

_DIALECT: Final = Dialect(
    "DingTalk",
    ("errcode",),
    {
        -1: busy("it is busy"),
        88: broken("it refuses the access_token; copy the URL of the robot again"),
        404: broken("it has nothing at this URL; copy the URL of the robot again"),
        40035: unfit("it does not accept the message"),
        43004: broken("it does not get JSON; check what lies between, such as a proxy"),
        130101: _TOO_FAST,
        300001: _UNKNOWN_TOKEN,
        300005: _UNKNOWN_TOKEN,
        400013: broken("the group was dissolved; make a robot in another one"),
        400101: _UNKNOWN_TOKEN,
        400102: broken("the robot is stopped; an administrator of the group can start it"),
        400105: unfit("it does not accept this type of message"),
        400106: broken("the robot is no longer in the group; make a new one"),
        410100: _TOO_FAST,
        430101: unfit("it finds an unsafe link in the message"),
        430102: unfit("it finds the text of the message unsuitable"),
        430103: unfit("it finds a picture in the message unsuitable"),
        430104: unfit("it finds the message unsuitable"),
        460101: unfit("it finds the message too long"),
        660026: _TOO_FAST,
    },
)


@frozen
class DingTalk:
    """url: of the robot, with its access_token; it is a credential.

    secret: of the security setting "sign" (加签), `SEC…`.
    at_mobiles: the phone numbers of members to mention. at_all: mention everybody.
    """

    url: Url
    secret: Secret | None = None
    format: Format = Format.MARKDOWN
    at_mobiles: Sequence[str] = ()
    at_all: bool = False
    timeout: Seconds = TIMEOUT

    def __attrs_post_init__(self) -> None:
        robot.check_mobiles(self.at_mobiles)


class DingTalkChannel:
    """Delivered is an answer with `errcode` 0. Who is to be mentioned is, except when an episode closes."""

    pace: Final[Pace | None] = robot.PACE

    def __init__(self, settings: DingTalk, http: HttpClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        answer = robot.posted(self._http, self._signed(), self._fitting(message), self._settings.timeout)
        host = self._settings.url.authority
        said = robot.said(answer)
        if robot.code_of(said, _DIALECT.codes) == _SECURITY:
            raise robot.failure(host, answer, _SECURITY, self._insecure(robot.message_of(said, "errmsg")))
        if said.get("punish") and 200 <= answer.status < 300:
            raise robot.failure(host, answer, _status(said), _TOO_FAST)
        return robot.accepted(host, answer, _DIALECT)

    def _signed(self) -> Url:
        """The URL with the time and its signature."""
        settings = self._settings
        if settings.secret is None:
            return settings.url
        timestamp = int(self._clock.now().wall.timestamp() * 1000)
        key = settings.secret.reveal()
        digest = hmac.new(key.encode(), f"{timestamp}\n{key}".encode(), hashlib.sha256).digest()
        signature = urlencode({"timestamp": timestamp, "sign": base64.b64encode(digest).decode()})
        parsed = urlsplit(settings.url.secret.reveal())
        query = "&".join(filter(None, (parsed.query, signature)))
        return Url(urlunsplit((parsed.scheme, parsed.netloc, parsed.path, query, "")))

    def _insecure(self, words: str) -> Verdict:
        """One code for all of the robot's security settings: the words tell them apart, in either of two languages."""
        if "invalid timestamp" in words or "过期" in words:
            return broken("the time of the signature is off by more than an hour; set the clock of this machine")
        if "sign not match" in words or "签名" in words:
            if self._settings.secret is None:
                return broken("the robot asks for a signature; set secret")
            return broken("the signature does not match; copy the secret (SEC…) of the robot again")
        if "keyword" in words or "关键词" in words:
            return broken("the message has none of the robot's keywords; make token-monitor one, every message has it")
        if "whitelist" in words or "白名单" in words:
            seen = robot.address_in(words)
            return broken(f"this machine's address{seen} is not on the robot's list of addresses; add it")
        return broken("the robot's security settings refuse it; check its keywords, secret and list of addresses")

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`."""
        return self._size(message, clean(message.text)) <= LIMIT

    def _fitting(self, message: Message) -> Mapping[str, object]:
        text = clean(message.text)
        return self._body(message, cut(text, LIMIT, lambda some: self._size(message, some)))

    def _size(self, message: Message, text: str) -> int:
        return len(robot.encoded(self._body(message, text)))

    def _body(self, message: Message, text: str) -> Mapping[str, object]:
        settings = self._settings
        mentions = not message.alert.reason.closes
        mobiles = list(settings.at_mobiles) if mentions else []
        at = {"atMobiles": mobiles, "isAtAll": settings.at_all and mentions}
        # A number that is not in the text is not mentioned in Markdown.
        names = " ".join(f"@{mobile}" for mobile in mobiles)
        if settings.format is Format.TEXT:
            content = "\n".join(filter(None, (text, footer(message), names)))
            return {"msgtype": "text", "text": {"content": content}, "at": at}
        blocks = [f"> {footer(message)}", names]
        for part in reversed(parts(text, message.alert.level.value)):
            head = f"#### {_SIGNS[part.level]} {literal(part.head)}" if part.head else ""
            blocks[:0] = [head, literal(part.sentence)]
        markdown = {"title": title(text), "text": "\n\n".join(filter(None, blocks))}
        return {"msgtype": "markdown", "markdown": markdown, "at": at}


def _status(said: Mapping[str, object]) -> int:
    """Of the guard before the robot, which answers a flood by itself: `{"status":1111,"wait":5,"punish":"deny"}`."""
    return robot.code_of(said, ("status",)) or 1111
