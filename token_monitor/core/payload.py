"""The JSON that machines receive, the same whichever way it travels."""

from token_monitor.core.message import Message
from token_monitor.core.number import to_json


def payload(message: Message) -> bytes:
    """`{"text": …, "alert": …}` in UTF-8, the body of the generic webhook. The same message gives the same bytes."""
    content = {"text": message.text, "alert": message.alert.fields()}
    return to_json(content).encode("utf-8", "backslashreplace")
