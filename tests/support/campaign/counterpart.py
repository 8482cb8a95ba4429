"""What stands at the other end of a channel: it records what it takes, and can be made to misbehave."""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from attrs import frozen

from support.campaign.agreement import Status
from support.campaign.gate import Gate

Fault = Callable[[], AbstractContextManager[None]]
"""It lasts as long as it is entered."""

_SERIAL = re.compile(r"\.(\d{6})7(?!\d)")


def serials(text: str) -> tuple[str, ...]:
    """What tells alerts apart where people read no id: no balance is ever reported twice."""
    return tuple(_SERIAL.findall(text))


@frozen
class Arrival:
    """One message that was taken. at: wall time, in seconds. marks: alert ids or serials, in the order of the message.

    body: all that has to be the same if it comes again.
    """

    at: float
    marks: Sequence[str]
    body: str


class Counterpart:
    """Stands behind a gate while it is entered. luck: decides what each call gets while a fault lasts."""

    name: ClassVar[str]
    what: ClassVar[str]
    last: ClassVar[str] = "stop"
    """The fault that ends a round."""

    def __init__(self, folder: Path, luck: random.Random) -> None:
        self.folder = folder
        self.luck = luck
        self.arrivals: list[Arrival] = []
        self.gate = Gate()
        self.opened = ExitStack()

    def settings(self) -> Mapping[str, Any]:
        """Of the channel, less its type."""
        raise NotImplementedError

    def begin(self) -> int:
        """Start what is behind the gate; its port."""
        raise NotImplementedError

    def faults(self) -> Mapping[str, Fault]:
        return {"stop": self.stopped}

    def take(self, marks: Sequence[str], body: str, at: float | None = None) -> None:
        self.arrivals.append(Arrival(time.time() if at is None else at, marks, body))

    def agree(self, status: Status, watched: float) -> None:
        """All is well, and the daemon is left alone: a receiver of states has to hold what the daemon says."""

    def finish(self) -> None:
        """Record what was taken and not yet looked at."""

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Its port refuses, and every connection is reset."""
        self.gate.close()
        try:
            yield
        finally:
            self.gate.open()

    @contextmanager
    def slowed(self) -> Iterator[None]:
        """Each piece of a connection takes up to a second."""
        self.gate.pause = lambda: self.luck.uniform(0, 1.0)
        try:
            yield
        finally:
            self.gate.pause = None

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.opened = opened
            self.gate.target = self.begin()
            opened.enter_context(self.gate)
            self.opened = opened.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self.opened.__exit__(*error)
