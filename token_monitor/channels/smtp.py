"""One conversation with a mail server under one deadline: `smtplib` bounds each wait on the socket, not their sum."""

import io
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from attrs import frozen

from token_monitor.core.tools import Addresses

_CHUNK: Final = 16 << 10
_ENHANCED: Final = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")  # RFC 3463


class Step(StrEnum):
    """Where in the conversation the server said no."""

    CONNECT = "connect"
    STARTTLS = "starttls"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENTS = "recipients"
    MESSAGE = "message"


@frozen
class Code:
    """A reply less its text, which may echo anything: `550` and, where it is given, `5.1.1`.

    number: -1 for a reply that is not SMTP.
    """

    number: int
    enhanced: str = ""

    @classmethod
    def of(cls, number: int, text: bytes) -> "Code":
        found = _ENHANCED.match(text)
        return cls(number, found[0].decode() if found else "")

    @property
    def passing(self) -> bool:
        """Whether it asks to try again later."""
        return 400 <= self.number < 500

    def __str__(self) -> str:
        return f"{self.number} {self.enhanced}".rstrip()


class RefusedError(Exception):
    """The server said no.

    code: None if it does not offer what the step needs.
    """

    def __init__(self, step: Step, code: Code | None) -> None:
        super().__init__(f"{step.value}: {code}")
        self.step = step
        self.code = code


class Session(smtplib.SMTP):
    """Made, opened, perhaps encrypted and authenticated, used to deliver one message, and closed.

    addresses: see `core.tools.Tools`.
    connected: the server has answered. handed_over: it may have the whole message.
    Raises RefusedError, OSError (smtplib's errors are among them) from every method.
    """

    def __init__(self, host: str, timeout: float, addresses: Callable[[str, int, float], Addresses]) -> None:
        self._deadline = time.monotonic() + timeout
        self._addresses = addresses
        self._tls: ssl.SSLContext | None = None
        self.connected = False
        self.handed_over = False
        super().__init__(local_hostname="localhost", timeout=timeout)
        self._host = host  # what certificates are compared with

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    def open(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Connect; speaking TLS from the first byte on, if there is a context for it."""
        self._tls = tls
        number, text = self.connect(self._host, port)
        self.connected = True
        if number != 220:
            raise RefusedError(Step.CONNECT, Code.of(number, text))
        self.local_hostname = _literal(self._socket)
        self._hello()

    def encrypt(self, tls: ssl.SSLContext) -> None:
        """STARTTLS."""
        if not self.has_extn("starttls"):
            raise RefusedError(Step.STARTTLS, None)
        try:
            number, text = self.starttls(context=tls)
        except smtplib.SMTPResponseException as error:
            raise RefusedError(Step.STARTTLS, _code(error)) from None
        if number != 220:
            raise RefusedError(Step.STARTTLS, Code.of(number, text))
        self._hello()

    def authenticate(self, username: str, password: str) -> None:
        """By the first method that both sides know."""
        try:
            self.login(username, password)
        except smtplib.SMTPResponseException as error:
            raise RefusedError(Step.LOGIN, _code(error)) from None
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPException:
            raise RefusedError(Step.LOGIN, None) from None

    def deliver(self, sender: str, to: Sequence[str], mail: bytes) -> Mapping[str, Code]:
        """Hand `mail` over, unless every recipient is refused; those that are."""
        self._accepted(Step.SENDER, self.mail(sender, [f"size={len(mail)}"] if self.has_extn("size") else []))
        refused: dict[str, Code] = {}
        accepted = False
        for address in dict.fromkeys(to):
            number, text = self.rcpt(address)
            if number in (250, 251):
                accepted = True
            else:
                refused[address] = Code.of(number, text)
        if not accepted:
            return refused
        try:
            self._accepted(Step.MESSAGE, self.data(mail))
        except smtplib.SMTPDataError as error:
            raise RefusedError(Step.MESSAGE, _code(error)) from None
        return refused

    def _hello(self) -> None:
        try:
            self.ehlo_or_helo_if_needed()
        except smtplib.SMTPHeloError as error:
            raise RefusedError(Step.CONNECT, _code(error)) from None

    def _accepted(self, step: Step, reply: tuple[int, bytes]) -> None:
        if reply[0] != 250:
            raise RefusedError(step, Code.of(*reply))

    @property
    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected
        return self.sock

    @property
    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        """All addresses share what is left of the deadline."""
        found = self._addresses(host, port, self._left)
        failure: OSError = TimeoutError()
        for waiting, (family, kind, protocol, _, address) in zip(range(len(found), 0, -1), found, strict=True):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._left / waiting)
                sock.connect(address)
                sock.settimeout(self._left)
                return self._tls.wrap_socket(sock, server_hostname=host) if self._tls else sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = io.BufferedReader(_Reader(self))
        reply = super().getreply()
        self._socket.settimeout(self._left)  # for a TLS handshake, which may follow
        return reply

    def send(self, s: Any) -> None:
        data = s.encode("ascii") if isinstance(s, str) else bytes(s)
        for start in range(0, len(data), _CHUNK):
            self.handed_over = self.handed_over or data.endswith(b"\r\n.\r\n")
            self._socket.settimeout(self._left)
            super().send(data[start : start + _CHUNK])


class _Reader(io.RawIOBase):
    """Reads from a session's socket, each time for no longer than is left: a dripping server would never end."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        sock, left = self._session._socket, self._session._left
        sock.settimeout(left)
        return sock.recv_into(buffer)


def _code(error: smtplib.SMTPResponseException) -> Code:
    text = error.smtp_error
    return Code.of(error.smtp_code, text if isinstance(text, bytes) else text.encode())


def _literal(sock: socket.socket) -> str:
    """This end's address as EHLO names a host without a name (RFC 5321, 4.1.3)."""
    address = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
