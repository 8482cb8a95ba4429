"""WeCom (企业微信), through the robot of a group (https://developer.work.weixin.qq.com/document/path/91770).

Codes: https://developer.work.weixin.qq.com/document/path/90313.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from token_monitor.channels import robot
from token_monitor.channels.robot import A_MINUTE, TIMEOUT, Dialect, Format, broken, busy, unfit
from token_monitor.channels.robot_text import clean, cut, footer, literal, parts
from token_monitor.core.http import HttpClient
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

LIMITS: Final = {Format.TEXT: 2048, Format.MARKDOWN: 4096}  # bytes of `content`

_COLORS: Final = {"info": "info", "test": "comment"}  # green, grey; all else `warning`, orange

_DIALECT: Final = Dialect(
    "WeCom",
    ("errcode",),
    {
        -1: busy("it is busy"),
        6000: busy("it is busy with another change"),
        40008: unfit("it does not accept this type of message"),
        40033: unfit("it does not accept a character of the message"),
        40035: unfit("it does not accept the message"),
        40058: unfit("it does not accept the message, which may be too long"),
        44004: unfit("it finds the message empty"),
        45002: unfit("it finds the message too long"),
        45009: busy("it takes 20 messages a minute and asks for a pause", A_MINUTE),
        45033: busy("it gets too many calls at once"),
        47001: unfit("it cannot read the message"),
        60020: broken("this machine's address is not on the list of trusted addresses; add it"),
        93000: broken("the key is wrong or the robot was removed; copy the URL of a robot of the group"),
        93004: broken("the robot is stopped; its owner can start it"),
        93008: broken("the robot is not in the group; add it"),
    },
)


@frozen
class WeCom:
    """url: of the robot, with its key; it is the credential.

    format: Markdown by default; text where somebody is to be mentioned, for WeCom's Markdown cannot by phone number.
    at_mobiles: the phone numbers of members to mention. at_all: mention everybody.
    """

    url: Url
    format: Format | None = None
    at_mobiles: Sequence[str] = ()
    at_all: bool = False
    timeout: Seconds = TIMEOUT

    def __attrs_post_init__(self) -> None:
        robot.check_mobiles(self.at_mobiles)
        if self.mentions and self.format is Format.MARKDOWN:
            raise ValueError("format markdown with at_mobiles or at_all; WeCom mentions people in format text only")

    @property
    def mentions(self) -> Sequence[str]:
        """The `mentioned_mobile_list`."""
        return (*self.at_mobiles, *(["@all"] if self.at_all else []))

    @property
    def written(self) -> Format:
        """The format in force."""
        return self.format or (Format.TEXT if self.mentions else Format.MARKDOWN)


class WeComChannel:
    """Delivered is an answer with `errcode` 0. Who is to be mentioned is, except when an episode closes."""

    pace: Final[Pace | None] = robot.PACE

    def __init__(self, settings: WeCom, http: HttpClient) -> None:
        self._settings = settings
        self._http = http

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        settings = self._settings
        answer = robot.posted(self._http, settings.url, self._body(message), settings.timeout)
        return robot.accepted(settings.url.authority, answer, _DIALECT)

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`."""
        return self._size(message, clean(message.text)) <= LIMITS[self._settings.written]

    def _body(self, message: Message) -> Mapping[str, object]:
        kind = self._settings.written
        text = cut(clean(message.text), LIMITS[kind], lambda some: self._size(message, some))
        content: dict[str, object] = {"content": self._content(message, text)}
        if kind is Format.TEXT and self._settings.mentions and not message.alert.reason.closes:
            content["mentioned_mobile_list"] = list(self._settings.mentions)
        return {"msgtype": kind.value, kind.value: content}

    def _content(self, message: Message, text: str) -> str:
        return (_text if self._settings.written is Format.TEXT else _markdown)(message, text)

    def _size(self, message: Message, text: str) -> int:
        return len(self._content(message, text).encode())


def _text(message: Message, text: str) -> str:
    return f"{text}\n{footer(message)}"


def _markdown(message: Message, text: str) -> str:
    lines = []
    for part in parts(text, message.alert.level.value):
        if part.head:
            lines.append(f'<font color="{_COLORS.get(part.level, "warning")}">**{literal(part.head)}**</font>')
        lines.append(literal(part.sentence))
    return "\n".join([*lines, f'<font color="comment">{footer(message)}</font>'])
