"""An alert as an e-mail: text for every reader, HTML with a table for those that show it."""

import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final, Self

from attrs import frozen

from token_monitor.core.message import Message
from token_monitor.core.number import plain
from token_monitor.core.words import Level

_ADDRESS: Final = r"[!#-'*+/-9=?A-Z^-~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
_MAILBOX: Final = re.compile(rf'(?:"?(?P<name>[^"<>,@]*?)"?\s*<(?P<named>{_ADDRESS})>|(?P<bare>{_ADDRESS}))')
_ID: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_POLICY: Final = SMTP.clone(cte_type="7bit")  # a server without 8BITMIME takes it too

_COLORS: Final = {Level.INFO: "#2e7d32", Level.WARNING: "#b26a00", Level.ERROR: "#c62828", Level.CRITICAL: "#c62828"}
_CELL: Final = "padding:3px 14px 3px 0;vertical-align:top"


@frozen
class Mailbox:
    """`ops@example.com` or `Ops team <ops@example.com>`."""

    address: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: what is allowed."""
        found = _MAILBOX.fullmatch(text)
        if found is None or ".." in text or not text.isprintable():
            raise ValueError("an address such as ops@example.com or Ops team <ops@example.com>, in ASCII")
        return cls(found["named"] or found["bare"], found["name"] or "")

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


def compose(message: Message, sender: Mailbox, to: Sequence[Mailbox]) -> EmailMessage:
    """The same bytes for the same message whenever it is sent, but for the boundary between its parts.

    Message-ID follows from the message's id, so that a receiver can tell a duplicate; References from the episode, so
    that readers show an episode as one thread (RFC 5322, 3.6.4). Auto-Submitted keeps holiday replies away (RFC 3834).
    """
    mail = EmailMessage(_POLICY)
    mail["From"] = _header(sender)
    mail["To"] = [_header(mailbox) for mailbox in to]
    mail["Subject"] = subject(message)
    mail["Date"] = format_datetime(message.alert.at)
    mail["Message-ID"] = _reference(message.id, sender)
    mail["References"] = _reference(f"episode.{message.alert.episode}", sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_fit(message.text) + "\n")
    mail.add_alternative(html(message), subtype="html")
    return mail


def subject(message: Message) -> str:
    """One line: how bad, whose, what."""
    alert = message.alert
    quantity = alert.measured.quantity if alert.measured else "balance"
    whose = alert.account if quantity == "balance" else f"{alert.account} ({quantity})"
    more = " (and more)" if message.alerts > 1 else ""
    return " ".join(_fit(f"[{alert.level.upper()}] {whose}: {alert.headline}{more}").split())


def html(message: Message) -> str:
    """The text, and the alert's fields; those of the gravest where there are several."""
    alert = message.alert
    rows = "".join(
        f'<tr><td style="{_CELL};color:#666">{name}</td><td style="{_CELL}">{escape(_shown(value))}</td></tr>\n'
        for name, value in alert.fields().items()
        if value is not None
    )
    caption = '<p style="color:#666">The gravest of them:</p>\n' if message.alerts > 1 else ""
    return (
        '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n'
        '<body style="font-family:sans-serif;font-size:14px;color:#222">\n'
        f'<div style="border-left:6px solid {_COLORS[alert.level]};padding:4px 16px">\n'
        f'<p style="font-size:16px;white-space:pre-line">{escape(_fit(message.text))}</p>\n'
        f'{caption}<table style="border-collapse:collapse">\n{rows}</table>\n</div>\n</body>\n</html>\n'
    )


def _shown(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else _fit(str(value))


def _fit(text: str) -> str:
    """Without what neither a header nor HTML can hold."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _header(mailbox: Mailbox) -> Address:
    return Address(mailbox.name, addr_spec=mailbox.address)


def _reference(name: str, sender: Mailbox) -> str:
    if not _ID.fullmatch(name):
        name = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"<{name}@{sender.domain}>"
