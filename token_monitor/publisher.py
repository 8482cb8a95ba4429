"""Publishes the active credentials and how the accounts stand, in a thread of its own: a volume may hang."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from attrs import frozen

from token_monitor.core.number import to_json
from token_monitor.core.secret import Secret
from token_monitor.publish import Target, content, fingerprint, write_whole

PATIENCE: Final = 2.0
STATUS_EVERY: Final = 1.0

Resolve = Callable[[], Secret]
Choose = Callable[[], Secret | None]
"""What the file is to hold; None: what it holds."""

log = structlog.get_logger()


@frozen
class _Written:
    """What we wrote, and how the file looked then."""

    secret: Secret
    fingerprint: tuple[int, ...] | None


class FilePublisher:
    """Implements `core.ports.Publisher`. `run` is the loop of its thread.

    credentials: the file of the active credential, by account; others publish none.
    status: files for the document that `describe` gives; written when something changed, at most once a second.
    """

    def __init__(
        self, credentials: Mapping[str, Target], status: Sequence[Target], describe: Callable[[], dict[str, object]]
    ) -> None:
        self._credentials = credentials
        self._status = status
        self._describe = describe
        self._changed = threading.Condition()
        self._wanted: dict[str, Choose] = {}
        self._asked = self._done = 0
        self._status_due: float | None = None
        self._status_written = float("-inf")
        self._written: dict[str, _Written] = {}
        self._complaints: dict[Path, str] = {}
        self._stopping = False

    def begin(self, account: str, active: Resolve, others: Sequence[Resolve]) -> None:
        """See `core.ports.Publisher`."""
        self._want(account, lambda: self._first(account, active, others))

    def credential(self, account: str, secret: Secret) -> None:
        """See `core.ports.Publisher`. A file that is as it should be is left alone."""
        self._want(account, lambda: secret)

    def replace(self, account: str, secret: Secret) -> str | None:
        """See `core.ports.Publisher`."""
        mine = self._want(account, lambda: secret)
        if mine is None:
            return None
        path = self._credentials[account].path
        with self._changed:
            if not self._changed.wait_for(lambda: self._done >= mine or self._stopping, PATIENCE):
                return f"{path} could not be written within {PATIENCE:g} s"
            cause = "token-monitor is stopping" if self._done < mine else self._complaints.get(path)
        return f"{path} cannot be written: {cause}" if cause else None

    def _want(self, account: str, choose: Choose) -> int | None:
        """The number of the wish; None: nothing is published of this account."""
        if account not in self._credentials:
            return None
        with self._changed:
            self._wanted[account] = choose
            self._asked += 1
            self._changed.notify_all()
            return self._asked

    def changed(self) -> None:
        """Have the status written, soon."""
        with self._changed:
            if self._status and self._status_due is None:
                self._status_due = self._status_written + STATUS_EVERY
                self._changed.notify_all()

    def stop(self) -> None:
        """End `run`."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def run(self) -> None:
        """Write until `stop`."""
        while True:
            with self._changed:
                while not self._stopping and not self._wanted and (wait := self._until_status()) != 0:
                    self._changed.wait(wait)
                if self._stopping:
                    return
            self.step()

    def step(self) -> None:
        """Write what is due."""
        with self._changed:
            wanted, self._wanted, asked = self._wanted, {}, self._asked
            status = self._until_status() == 0
            if status:
                self._status_due, self._status_written = None, time.monotonic()
        for account, choose in wanted.items():
            self._safely(self._credentials[account], lambda: self._publish(account, choose()))  # noqa: B023
        with self._changed:
            self._done = asked
            self._changed.notify_all()
        if status:
            for target in self._status:
                self._safely(target, lambda: write_whole(target, self._document()))  # noqa: B023

    def _document(self) -> bytes:
        return to_json(self._describe()).encode() + b"\n"

    def _until_status(self) -> float | None:
        """Seconds; None: nothing to write."""
        return None if self._status_due is None else max(0.0, self._status_due - time.monotonic())

    def _first(self, account: str, active: Resolve, others: Sequence[Resolve]) -> Secret | None:
        """Of a file that holds another credential than it should, the reason is a crash; else it was rotated."""
        held = content(self._credentials[account].path)
        if held and held not in _readable([active, *others]):
            return None
        try:
            return active()
        except ValueError as error:
            raise ValueError(f"the credential {error}") from None

    def _publish(self, account: str, secret: Secret | None) -> None:
        target = self._credentials[account]
        if secret is None:
            return
        if self._written.get(account) == _Written(secret, fingerprint(target.path)):
            return
        self._written.pop(account, None)
        write_whole(target, secret.reveal().encode())
        self._written[account] = _Written(secret, fingerprint(target.path))
        log.info("Active credential published", account=account, path=str(target.path))

    def _safely(self, target: Target, write: Callable[[], None]) -> None:
        """A file that cannot be written is said once for each cause; the next poll tries again."""
        try:
            write()
        except (OSError, ValueError) as error:
            cause = getattr(error, "strerror", None) or str(error)
            if self._complaints.get(target.path) != cause:
                self._complaints[target.path] = cause
                log.error("File not published, trying again", path=str(target.path), error=cause)
        except Exception:
            self._complaints[target.path] = "internal error; see the log"
            log.exception("Internal error", thread="publisher")
        else:
            if self._complaints.pop(target.path, None):
                log.info("File published again", path=str(target.path))


def _readable(credentials: Sequence[Resolve]) -> list[bytes]:
    found = []
    for resolve in credentials:
        with suppress(ValueError):
            found.append(resolve().reveal().encode())
    return found
