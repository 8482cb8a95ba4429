"""E-mail over SMTP (RFC 5321), encrypted with STARTTLS (RFC 3207) or TLS from the start (RFC 8314)."""

import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from token_monitor.channels.recipients import Latecomers, Refused, distinct, listed, passing
from token_monitor.channels.smtp import RefusedError, Session, Step
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.mail import Mailbox, compose
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.tools import Tools

ROOM: Final = 64 * 1024  # bytes that every server takes (RFC 5321, 4.5.3.1.7)

_TIMEOUT: Final = Seconds(20.0)


class Security(StrEnum):
    """How the connection is encrypted; `none` is for a relay on this machine or network."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}

_HINTS: Final[Mapping[Step, str]] = {
    Step.CONNECT: "it does not take mail from here; check host and port",
    Step.STARTTLS: "it refuses STARTTLS; set security to tls, or to none for a relay nearby",
    Step.LOGIN: "it rejects the login; check username and password",
    Step.SENDER: "it refuses the sender; check sender",
    Step.RECIPIENTS: "it refuses every recipient; check to",
    Step.MESSAGE: "it refuses the message",
}
_NOT_OFFERED: Final[Mapping[Step, str]] = {
    Step.STARTTLS: "offers no STARTTLS; set security to tls, or to none for a relay nearby",
    Step.LOGIN: "offers no login by password; check security, or remove username and password",
}


@frozen
class Email:
    """port: by default 587, 465 or 25, as `security` is starttls, tls or none."""

    host: str
    sender: Mailbox
    to: Sequence[Mailbox] = field(converter=distinct)
    security: Security = Security.STARTTLS
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        if not self.host or not self.host.isprintable() or set(self.host) & set(" /@"):
            raise ValueError("host; a host name such as smtp.example.com")
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError(f"port {self.port}; a port from 1 to 65535")
        if not self.to:
            raise ValueError("an empty list to; at least one address")
        if (self.username is None) != (self.password is None):
            raise ValueError("only one of username and password; both, or neither")
        if self.password is not None and self.security is Security.NONE:
            raise ValueError("a password with security none; starttls or tls, for it would travel in the clear")
        if not all(text.isascii() and text.isprintable() for text in self._login()):
            raise ValueError("username and password; printable ASCII")

    def _login(self) -> tuple[str, str]:
        return self.username or "", self.password.reveal() if self.password else ""


class EmailChannel:
    """Delivered is a 250 to the whole message, for one recipient at least.

    One that is refused for now is asked again later, and nobody else waits for it.
    """

    pace: Final[Pace | None] = Pace(10, 60.0)

    def __init__(self, settings: Email, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools
        self._port = settings.port or _PORTS[settings.security]
        self._server = f"{settings.host}:{self._port}"
        self._latecomers = Latecomers(self._server, self._deliver, tools)

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`."""
        return len(compose(message, self._settings.sender, self._settings.to).as_bytes()) <= ROOM

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        waiting = self._latecomers.waiting()
        to = [mailbox.address for mailbox in self._settings.to if mailbox.address not in waiting]
        refused = waiting | dict(self._deliver(message, to))
        if all(address in refused for address in to):
            codes = sorted(refused.values(), key=lambda code: not code.passing)
            raise self._refusal(RefusedError(Step.RECIPIENTS, codes[0]))
        answer = f"{self._server} answered 250"
        later = passing(refused)
        gone = {address: code for address, code in refused.items() if address not in later}
        if gone:
            self._tools.incomplete(message.id, f"{self._server} refuses {listed(gone)}; check to")
            answer += f"; it refused {listed(gone)}"
        if later:
            self._latecomers.add(message, later)
            answer += f"; it does not take it yet for {listed(later)}"
        return answer

    def close(self) -> None:
        """See `core.ports.Closable`."""
        self._latecomers.close()

    def _deliver(self, message: Message, to: Sequence[str]) -> Refused:
        """Those that were refused. Called by two threads. Raises ChannelError."""
        settings = self._settings
        mail = compose(message, settings.sender, settings.to).as_bytes()
        session = Session(settings.host, settings.timeout, self._tools.addresses)
        try:
            return self._converse(session, to, mail)
        except RefusedError as error:
            raise self._refusal(error) from None
        except (OSError, UnicodeError) as error:  # a host name that no encoding takes raises the latter
            reason = f"{self._server}: {_explained(error, session, settings.timeout)}"
            raise ChannelError(Scope.RETRY, reason, ambiguous=session.handed_over) from None
        finally:
            session.close()

    def _converse(self, session: Session, to: Sequence[str], mail: bytes) -> Refused:
        settings = self._settings
        tls = self._context()
        session.open(self._port, tls if settings.security is Security.TLS else None)
        if tls is not None and settings.security is Security.STARTTLS:
            session.encrypt(tls)
        if settings.username is not None and settings.password is not None:
            session.authenticate(settings.username, settings.password.reveal())
        refused = session.deliver(settings.sender.address, to, mail)
        with suppress(OSError):
            session.putcmd("quit")
        return refused

    def _context(self) -> ssl.SSLContext | None:
        if self._settings.security is Security.NONE:
            return None
        try:
            return self._tools.tls()
        except OSError as error:
            raise ChannelError(Scope.RETRY, f"{self._server}: {error}") from None

    def _refusal(self, error: RefusedError) -> ChannelError:
        code, step = error.code, error.step
        if code is None:
            return ChannelError(Scope.CHANNEL, f"{self._server} {_NOT_OFFERED[step]}")
        if not 200 <= code.number < 600:
            return ChannelError(Scope.CHANNEL, f"{self._server} does not speak SMTP; check host, port and security")
        if code.passing:
            return ChannelError(Scope.RETRY, f"{self._server} answered {code}: it asks to try again later")
        if step is Step.SENDER and code.number == 552:  # RFC 1870, 6.2
            return ChannelError(Scope.MESSAGE, f"{self._server} answered {code}: it finds the message too large")
        if step is Step.MESSAGE and code.number == 503:  # a bad sequence of commands (RFC 5321, 4.2.3)
            return ChannelError(Scope.CHANNEL, f"{self._server} answered {code}: it expects no message; check to")
        scope = Scope.MESSAGE if step is Step.MESSAGE else Scope.CHANNEL
        return ChannelError(scope, f"{self._server} answered {code}: {_HINTS[step]}")


def _explained(error: Exception, session: Session, timeout: float) -> str:
    """Why there was no reply, in our words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    if session.late or isinstance(error, TimeoutError):
        return f"no {'whole answer' if session.connected else 'connection'} within {timeout:g} s"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {(error.reason or 'it failed').replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "the host name does not resolve"
    what = "the connection broke" if session.connected else "no connection"
    return f"{what}: {error.strerror}" if isinstance(error, OSError) and error.strerror else what
