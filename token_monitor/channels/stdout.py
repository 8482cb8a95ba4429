"""The built-in channel: every alert is one line on standard output."""

from collections.abc import Callable
from typing import Final

from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace


class StdoutChannel:
    """write: puts a line out, whole, before it returns; raises OSError. render: the line of an alert."""

    pace: Final[Pace | None] = None

    def __init__(self, write: Callable[[str], None], render: Callable[[Alert], str]) -> None:
        self._write = write
        self._render = render

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`. Blocks as long as the pipe does."""
        try:
            self._write(self._render(message.alert))
        except OSError as error:
            reason = f"standard output: {error.strerror or error}"
            raise ChannelError(Scope.RETRY, reason) from None
        return "written"
