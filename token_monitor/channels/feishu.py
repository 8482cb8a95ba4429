"""Feishu (飞书) and Lark, through a custom bot of a group.

https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot; the cards are of the JSON 1.0 structure:
https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-components/content-components/title
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from token_monitor.channels import robot
from token_monitor.channels.robot import TIMEOUT, Dialect, Format, Verdict, broken, busy, unfit
from token_monitor.channels.robot_text import SIGNATURE, clean, cut, footer, parts
from token_monitor.core.http import HttpClient
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.ports import Clock
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url
from token_monitor.core.words import Kind

LIMIT: Final = 20_000  # bytes: a request is to have at most 20 KB

_COLORS: Final = {"critical": "red", "error": "red", "warning": "orange", "info": "green", "test": "blue"}
_USER: Final = re.compile(r"ou_[0-9A-Za-z_-]{1,64}", re.ASCII)
_SIGNATURE: Final = 19021
_ADDRESS: Final = 19022
_BAD_REQUEST: Final = 9499
_TOO_FAST: Final = busy("it gets too many messages and asks for a pause", 10.0)

_DIALECT: Final = Dialect(
    "Feishu",
    ("code", "StatusCode"),
    {
        _BAD_REQUEST: unfit("it does not accept the message"),
        11232: _TOO_FAST,
        19001: broken("no bot has this URL; copy the URL of the bot again"),
        19002: unfit("it does not accept the message"),
        19007: broken("the bot is not enabled; an administrator of the group can enable it"),
        19024: broken("the message has none of the bot's keywords; make token-monitor one, every message has it"),
        19036: unfit("it finds the message too long"),
        200621: unfit("it cannot read the card"),
        99991400: _TOO_FAST,
    },
)


@frozen
class Feishu:
    """url: of the bot; it is the credential. Of Feishu or of Lark.

    secret: of the security setting "signature verification" (签名校验).
    format: Markdown stands for a card, text for plain text.
    at_users: the open_ids (`ou_…`) of members to mention; Feishu takes no phone numbers. at_all: mention everybody.
    """

    url: Url
    secret: Secret | None = None
    format: Format = Format.MARKDOWN
    at_users: Sequence[str] = ()
    at_all: bool = False
    timeout: Seconds = TIMEOUT

    def __attrs_post_init__(self) -> None:
        if not all(map(_USER.fullmatch, self.at_users)):
            raise ValueError("at_users with what is no open_id; ids such as ou_18eac85d35a26f989317ad4f02e8bbbb")

    @property
    def mentions(self) -> Sequence[str]:
        return (*self.at_users, *(["all"] if self.at_all else []))


class FeishuChannel:
    """Delivered is an answer with `code` 0. Who is to be mentioned is, except when an episode closes."""

    pace: Final[Pace | None] = robot.PACE

    def __init__(self, settings: Feishu, http: HttpClient, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        settings = self._settings
        answer = robot.posted(self._http, settings.url, self._fitting(message), settings.timeout)
        host, said = settings.url.authority, robot.said(answer)
        code = robot.code_of(said, _DIALECT.codes)
        verdict = None if code is None else self._verdict(code, robot.message_of(said, "msg"))
        if code is not None and verdict is not None and answer.status < 500:
            raise robot.failure(host, answer, code, verdict)
        return robot.accepted(host, answer, _DIALECT)

    def _verdict(self, code: int, words: str) -> Verdict | None:
        """Of the codes that need more than themselves to tell what they mean."""
        if code == _SIGNATURE and self._settings.secret is None:
            return broken("the bot asks for a signature; set secret")
        if code == _SIGNATURE:
            return broken("the signature does not match; check the secret, and the clock of this machine")
        if code == _ADDRESS:
            seen = robot.address_in(words)
            return broken(f"this machine's address{seen} is not on the bot's list of addresses; add it")
        # Documented for what it cannot read, seen for what comes too fast as well.
        if code == _BAD_REQUEST and any(word in words for word in ("too many", "too fast", "limit")):
            return _TOO_FAST
        return None

    def _signature(self) -> Mapping[str, object]:
        """Unlike DingTalk's: seconds, in the body, and an empty message under a key that is made of time and secret."""
        if self._settings.secret is None:
            return {}
        timestamp = str(int(self._clock.now().wall.timestamp()))
        key = f"{timestamp}\n{self._settings.secret.reveal()}".encode()
        sign = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        return {"timestamp": timestamp, "sign": sign}

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`."""
        return self._size(message, clean(message.text)) <= LIMIT

    def _fitting(self, message: Message) -> Mapping[str, object]:
        return self._body(message, cut(clean(message.text), LIMIT, lambda some: self._size(message, some)))

    def _size(self, message: Message, text: str) -> int:
        return len(robot.encoded(self._body(message, text)))

    def _body(self, message: Message, text: str) -> Mapping[str, object]:
        render = self._text if self._settings.format is Format.TEXT else self._card
        return {**self._signature(), **render(message, text)}

    def _text(self, message: Message, text: str) -> Mapping[str, object]:
        names = "".join(f'<at user_id="{user}"></at>' for user in self._mentioned(message))
        lines = (text.replace("<at", "＜at"), footer(message), names)
        return {"msg_type": "text", "content": {"text": "\n".join(filter(None, lines))}}

    def _card(self, message: Message, text: str) -> Mapping[str, object]:
        """Plain text throughout, which needs no escaping."""
        level = "test" if message.alert.kind is Kind.TEST else message.alert.level.value
        told = parts(text, level)
        head = next((part.head for part in told if part.level == level and part.head), SIGNATURE)
        content = told[0].sentence if len(told) == 1 else text
        elements: list[object] = [{"tag": "div", "text": _plain(content)}]
        if mentioned := self._mentioned(message):
            elements.append({"tag": "markdown", "content": "".join(f"<at id={user}></at>" for user in mentioned)})
        elements.append({"tag": "note", "elements": [_plain(footer(message))]})
        header = {"template": _COLORS[level], "title": _plain(head)}
        card = {"config": {"wide_screen_mode": True}, "header": header, "elements": elements}
        return {"msg_type": "interactive", "card": card}

    def _mentioned(self, message: Message) -> Sequence[str]:
        return () if message.alert.reason.closes else self._settings.mentions


def _plain(content: str) -> Mapping[str, object]:
    return {"tag": "plain_text", "content": content}
