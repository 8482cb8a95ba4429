"""Who of several recipients has which message already, and who is refused since when."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from token_monitor.channels.smtp import Code
from token_monitor.core.mail import Mailbox

PATIENCE: Final = 900.0  # greylisting lasts some minutes; a mailbox that is full may stay so
_REMEMBERED: Final = 256


def distinct(to: Sequence[Mailbox]) -> Sequence[Mailbox]:
    """The first of each address; the case of a domain means nothing (RFC 5321, 2.4)."""
    found: dict[tuple[str, str], Mailbox] = {}
    for mailbox in to:
        name = mailbox.address.removesuffix(mailbox.domain)
        found.setdefault((name, mailbox.domain.lower()), mailbox)
    return tuple(found.values())


class Recipients:
    """Kept in memory: after a restart a message on its way goes to all of them again. Times are steady seconds."""

    def __init__(self, to: Sequence[Mailbox]) -> None:
        self._to = to
        self._have: dict[str, frozenset[str]] = {}
        self._refused_since: dict[str, float] = {}

    def lacking(self, message: str) -> list[str]:
        """The addresses that have not taken the message of this id."""
        have = self.having(message)
        return [mailbox.address for mailbox in self._to if mailbox.address not in have]

    def having(self, message: str) -> Collection[str]:
        return self._have.get(message, frozenset())

    def took(self, message: str, addresses: Collection[str]) -> None:
        """They have it."""
        for address in addresses:
            self._refused_since.pop(address, None)
        self._have[message] = frozenset(addresses).union(self._have.pop(message, ()))
        if len(self._have) > _REMEMBERED:  # what was given up elsewhere is never forgotten otherwise
            del self._have[next(iter(self._have))]

    def worth_waiting_for(self, refused: Mapping[str, Code], now: float) -> dict[str, Code]:
        """Those that were refused for now, and not for longer than the patience lasts."""
        passing = {address: code for address, code in refused.items() if code.passing}
        since = {address: self._refused_since.setdefault(address, now) for address in passing}
        return {address: code for address, code in passing.items() if now - since[address] < PATIENCE}

    def done(self, message: str) -> None:
        """Nobody is asked to take it any more."""
        self._have.pop(message, None)
