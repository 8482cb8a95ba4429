"""The recipients of a mail, and those of them that are to get it later than the others."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import evolve, frozen

from token_monitor.channels.smtp import Code
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.mail import Mailbox
from token_monitor.core.message import Message
from token_monitor.core.tools import Tools

PATIENCE: Final = 900.0  # greylisting lasts some minutes; a mailbox that is full may stay so
RETRY_EVERY: Final = 60.0
MOST: Final = 100
_AT_ONCE: Final = 10  # a server that opens again is not to be flooded

Refused = Mapping[str, Code]
"""By address, the server's answer."""


def distinct(to: Sequence[Mailbox]) -> Sequence[Mailbox]:
    """The first of each address; the case of a domain means nothing (RFC 5321, 2.4)."""
    found: dict[tuple[str, str], Mailbox] = {}
    for mailbox in to:
        name = mailbox.address.removesuffix(mailbox.domain)
        found.setdefault((name, mailbox.domain.lower()), mailbox)
    return tuple(found.values())


def listed(refused: Refused) -> str:
    """For people."""
    return ", ".join(f"{address} ({code})" for address, code in refused.items())


def passing(refused: Refused) -> dict[str, Code]:
    """Those that are refused for now only."""
    return {address: code for address, code in refused.items() if code.passing}


@frozen
class _Owed:
    message: Message
    since: float
    lacking: Refused


class Latecomers:
    """Who is refused for now what others took is asked again every minute, by a thread of its own, for `PATIENCE`.

    Each gets its messages in their order. Nobody else waits for them. In memory: a restart loses what is owed. Every
    message that somebody does not get is told to `tools.incomplete`.

    server: as people call it. deliver: hands a message to these addresses; those that are refused. Raises ChannelError.
    """

    def __init__(self, server: str, deliver: Callable[[Message, Sequence[str]], Refused], tools: Tools) -> None:
        self._server = server
        self._deliver = deliver
        self._tools = tools
        self._lock = threading.Lock()
        self._owed: dict[str, _Owed] = {}
        self._timer: threading.Timer | None = None
        self._closed = False

    def waiting(self) -> dict[str, Code]:
        """Those to whom something is owed, with the latest answer: what is new is to wait behind it."""
        with self._lock:
            return {address: code for owed in reversed(self._owed.values()) for address, code in owed.lacking.items()}

    def add(self, message: Message, lacking: Refused) -> None:
        """Owe them `message`."""
        added = _Owed(message, self._tools.clock.now().steady, lacking)
        with self._lock:
            if not self._closed:
                self._owed[message.id] = added
                self._arm()
            closed, oldest = self._closed, next(iter(self._owed)) if len(self._owed) > MOST else None
        if closed:
            self._tell(added, "before the stop")
        elif oldest is not None:
            self._give_up(oldest, f"before {MOST} others came")

    def retry(self) -> None:
        """Ask once for each of them."""
        now = self._tools.clock.now().steady
        for owed in self._all():
            if now - owed.since >= PATIENCE:
                self._give_up(owed.message.id, f"within {PATIENCE / 60:g} minutes")
        behind: set[str] = set()
        taken = 0
        for owed in self._all():
            to = [address for address in owed.lacking if address not in behind]
            if to and taken < _AT_ONCE:
                still = self._ask(owed, to)
                behind.update(still)
                taken += len(still) < len(to)

    def close(self) -> None:
        """See `core.ports.Closable`."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
        for owed in self._all():
            self._give_up(owed.message.id, "before the stop")

    def _ask(self, owed: _Owed, to: Sequence[str]) -> Refused:
        """Those of `to` that are to be asked again."""
        try:
            refused = self._deliver(owed.message, to)
        except ChannelError as error:
            if error.scope is not Scope.MESSAGE:
                return {address: owed.lacking[address] for address in to}
            if self._settle(owed, to, {}):
                self._tools.incomplete(owed.message.id, f"{error.reason}, for {', '.join(to)}")
            return {}
        still = passing(refused)
        gone = {address: code for address, code in refused.items() if address not in still}
        if self._settle(owed, to, still) and gone:
            self._tools.incomplete(owed.message.id, f"{self._server} refuses {listed(gone)}; check to")
        return still

    def _settle(self, owed: _Owed, asked: Sequence[str], still: Refused) -> bool:
        """Record what became of those who were asked. False: they were given up meanwhile."""
        others = {address: code for address, code in owed.lacking.items() if address not in asked}
        with self._lock:
            known = owed.message.id in self._owed
            if known and (lacking := others | dict(still)):
                self._owed[owed.message.id] = evolve(owed, lacking=lacking)
            elif known:
                del self._owed[owed.message.id]
        return known

    def _give_up(self, message: str, when: str) -> None:
        with self._lock:
            owed = self._owed.pop(message, None)
        if owed is not None:
            self._tell(owed, when)

    def _tell(self, owed: _Owed, when: str) -> None:
        self._tools.incomplete(owed.message.id, f"{self._server} did not take it for {listed(owed.lacking)} {when}")

    def _all(self) -> Sequence[_Owed]:
        with self._lock:
            return tuple(self._owed.values())

    def _arm(self) -> None:
        """Under the lock."""
        if self._owed and self._timer is None and not self._closed:
            self._timer = threading.Timer(RETRY_EVERY, self._fire)
            self._timer.name, self._timer.daemon = "late recipients", True
            self._timer.start()

    def _fire(self) -> None:
        try:
            self.retry()
        finally:
            with self._lock:
                self._timer = None
                self._arm()
