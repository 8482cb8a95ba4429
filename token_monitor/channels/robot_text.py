"""The text of a message, laid out and cut for the group robots."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Final

from attrs import frozen

from token_monitor.core.message import Message
from token_monitor.core.phrases import TAGS
from token_monitor.core.texts import language_of
from token_monitor.core.words import Language

SIGNATURE: Final = "token-monitor"

_FRAME: Final = re.compile(r"((?:\[([^\]]*)\] |【([^】]*)】).{1,250}?)(?:: |：)(.+)")
_LEVELS: Final = {tag: level for tags in TAGS.values() for level, tag in tags.items()}
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_MARKUP: Final = str.maketrans({"*": "＊", "<": "＜", "`": "'"})
_LONGEST_TITLE: Final = 100
_CUT: Final = {Language.EN: "… (cut)", Language.ZH: "……（已截断）"}


@frozen
class Part:
    """What one alert says. level: `info`, `warning`, `error`, `critical` or `test`. head: empty if it has none."""

    level: str
    head: str
    sentence: str


def parts(text: str, level: str) -> Sequence[Part]:
    """One for each line. level: of lines that do not say theirs."""
    return [_part(line, level) for line in text.split("\n") if line.strip()]


def _part(line: str, level: str) -> Part:
    match = _FRAME.fullmatch(line)
    if match is None:
        return Part(level, "", line)
    return Part(_LEVELS.get(match[2] or match[3], level), match[1], match[4])


def footer(message: Message) -> str:
    """When it happened, for a message may come late, and a word that every message has: robots ask for one."""
    if message.group is not None:
        return SIGNATURE
    return f"{message.alert.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC · {SIGNATURE}"


def clean(text: str) -> str:
    """`text` without what JSON would have to escape, or UTF-8 cannot write."""
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))


def literal(text: str) -> str:
    """`text` without what Markdown would take for markup: neither DingTalk nor WeCom documents an escape."""
    return text.translate(_MARKUP).replace("](", "] (")


def title(text: str) -> str:
    """The first line, short enough for a notification."""
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 1] + "…"


def cut(text: str, limit: int, size: Callable[[str], int]) -> str:
    """The longest beginning of `text`, with a marker, whose `size` in bytes is within `limit`; `text` if that is.

    Whole characters only. limit: of size. size: grows with its text.
    """
    if len(text) <= limit and size(text) <= limit:
        return text
    kept, beyond = 0, min(len(text), limit) + 1
    while beyond - kept > 1:
        middle = (kept + beyond) // 2
        if size(_shortened(text, middle)) <= limit:
            kept = middle
        else:
            beyond = middle
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    return text[:kept].rstrip() + _CUT[language_of(text)]
