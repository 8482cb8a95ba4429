"""Asks several credentials of one account at the same time, each in a thread of its own."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.ports import Clock
from token_monitor.core.reading import Reading
from token_monitor.core.secret import redact
from token_monitor.watch import Poll

GRACE: Final = 0.25  # for a source to report its own timeout, which knows more

log = structlog.get_logger()


class Panel:
    """The credentials of one account, by label. `ask` is called by one thread at a time.

    fetch: the readings of one of them, by the deadline counted from a moment in steady seconds; raises SourceError.
    timeout: seconds that each of them has to answer. One that hangs beyond is waited for no longer, and not asked
    again before it has come back: a hanging provider costs one thread a credential.
    """

    def __init__(
        self, account: str, fetch: Callable[[str, float], Sequence[Reading]], clock: Clock, timeout: float
    ) -> None:
        self._account = account
        self._fetch = fetch
        self._clock = clock
        self._timeout = timeout
        self._hanging: set[str] = set()
        self._answered = threading.Condition()

    def ask(self, labels: Sequence[str]) -> "Round":
        """Ask with each of `labels`."""
        answers: dict[str, Poll] = {}
        for label in labels:
            self._start(label, answers)
        return Round(answers, len(labels), self._answered, time.monotonic() + self._timeout + GRACE)

    def _start(self, label: str, answers: dict[str, Poll]) -> None:
        with self._answered:
            if label in self._hanging:
                return
            self._hanging.add(label)
        name = f"poll {self._account} {label}"
        try:
            threading.Thread(target=self._work, args=(label, answers), name=name, daemon=True).start()
        except RuntimeError:
            with self._answered:
                self._hanging.discard(label)

    def _work(self, label: str, answers: dict[str, Poll]) -> None:
        poll = self._poll(label)
        with self._answered:
            answers[label] = poll
            self._hanging.discard(label)
            self._answered.notify_all()

    def _poll(self, label: str) -> Poll:
        started = self._clock.now().steady
        try:
            readings = self._fetch(label, started)
        except SourceError as error:
            return Poll(started, self._clock.now().steady, scheduled=False, error=error)
        except Exception as error:
            log.exception("Internal error", account=self._account)
            failure = SourceError(Failure.INTERNAL, redact(repr(error)))
            return Poll(started, self._clock.now().steady, scheduled=False, error=failure)
        return Poll(started, self._clock.now().steady, scheduled=False, readings=readings)


class Round:
    """Several credentials that were asked at the same time."""

    def __init__(self, answers: Mapping[str, Poll], asked: int, answered: threading.Condition, until: float) -> None:
        self._answers = answers
        self._asked = asked
        self._answered = answered
        self._until = until

    def answers(self, enough: Callable[[Mapping[str, Poll]], bool] = lambda _: False) -> dict[str, Poll]:
        """What came of it, as soon as all have answered or what has come is `enough`, and no later than their timeout.

        May be called again, for what came later.
        """
        with self._answered:
            left = max(self._until - time.monotonic(), 0.0)
            self._answered.wait_for(lambda: len(self._answers) == self._asked or enough(self._answers), left)
            return dict(self._answers)
