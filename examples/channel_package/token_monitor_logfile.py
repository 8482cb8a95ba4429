"""`type: logfile`: appends the text of each alert to a file, as an example of a channel of your own."""

from pathlib import Path

from attrs import frozen

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.tools import ChannelType, Tools


@frozen
class LogFile:
    path: str


class LogFileChannel:
    pace: Pace | None = None  # as often as there is something to say

    def __init__(self, settings: LogFile) -> None:
        self._path = Path(settings.path)

    def send(self, message: Message) -> str:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{message.id} {message.text}\n")
        except OSError as error:
            raise ChannelError(Scope.RETRY, f"the file cannot be written: {error.strerror}") from None
        return "written"


def make(settings: LogFile, _tools: Tools) -> LogFileChannel:
    return LogFileChannel(settings)


CHANNEL = ChannelType(LogFile, make)
