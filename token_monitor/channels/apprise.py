"""The hundred other services, through Apprise (https://github.com/caronc/apprise), an optional library.

Since its version 2.2 it has a deadline for a call and says what happened to it, with what it logged meanwhile.
"""

import logging
import re
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from attrs import frozen

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.mail import subject
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.secret import MASK, Secret, redact
from token_monitor.core.time import Seconds
from token_monitor.core.words import Level

if TYPE_CHECKING:
    from apprise import Apprise as Notifier

_TIMEOUT: Final = Seconds(15.0)
_TYPES: Final = {Level.INFO: "info", Level.WARNING: "warning", Level.ERROR: "failure", Level.CRITICAL: "failure"}
_GRAVE: Final = ("WARNING", "ERROR", "CRITICAL")
_SEPARATORS: Final = re.compile(r"[/?&=@:,;#+]+")
_SHORTEST_PIECE: Final = 4
_LONGEST_REASON: Final = 200


@frozen
class Apprise:
    """url: as Apprise writes it, such as `tgram://TOKEN/CHAT`; all of it is taken for a credential."""

    url: Secret
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        if find_spec("apprise") is None:
            raise ValueError("type apprise, whose library is not installed; install token-monitor[apprise]")
        if not re.match(r"[a-z][a-z0-9]*://.", self.url.reveal()):
            raise ValueError("url; one URL as Apprise writes it, such as tgram://TOKEN/CHAT")
        if not _notifier(self.url):
            raise ValueError("url that Apprise does not understand; one as its documentation has it for the service")


class AppriseChannel:
    """Delivered is what Apprise calls a success.

    It does not tell a passing failure from a lasting one, nor whether the message left: all are tried again.
    """

    pace: Final[Pace | None] = Pace(1, 1.0)

    def __init__(self, settings: Apprise) -> None:
        url = settings.url.reveal()
        self._timeout = settings.timeout
        self._service = url.partition("://")[0]
        self._pieces = _pieces(url)
        self._notifier = _notifier(settings.url)

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`. Some services have no title, some get HTML, some show a few lines only."""
        whole = f"{subject(message)}\n{message.text}"
        size, lines = len(escape(whole).replace("\n", "<br/>\n")), whole.count("\n") + 1
        return all(
            size <= service.body_maxlen and (service.body_max_line_count or lines) >= lines
            for service in self._notifier
        )

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        result = self._notifier.notify(
            title=subject(message),
            body=message.text,
            notify_type=_TYPES[message.alert.level],
            body_format="text",
            timeout=self._timeout,
        )
        # A service that its URL calls optional counts as a success for Apprise, whatever came of it.
        if not result or not all(any(service.attempts) for service in result.results):
            lines = [entry.message for entry in result.logs() if entry.level in _GRAVE]
            raise ChannelError(Scope.RETRY, self._reason(lines), ambiguous=True)
        return f"Apprise delivered to {self._service}://"

    def _reason(self, lines: list[str]) -> str:
        said = " ".join(redact(lines[-1] if lines else "it does not say why").split())
        for piece in self._pieces:
            said = said.replace(piece, MASK)
        shown = "".join(character for character in said if character.isprintable())
        return f"Apprise could not deliver to {self._service}://: {shown[:_LONGEST_REASON]}"


def _notifier(url: Secret) -> "Notifier":
    """Of the service that `url` names; empty if there is none. Calls nobody."""
    from apprise import Apprise as Notifier

    logging.getLogger("apprise").propagate = False  # what it logs holds parts of the URL
    notifier = Notifier()
    notifier.add(url.reveal())
    return notifier


def _pieces(url: str) -> list[str]:
    """Whatever stands between separators, as written and decoded, the longest first."""
    rest = url.partition("://")[2]
    found = {form for piece in _SEPARATORS.split(rest) for form in (piece, unquote(piece))}
    return sorted((piece for piece in found if len(piece) >= _SHORTEST_PIECE), key=len, reverse=True)
