"""Publishes the active credentials and how the accounts stand, each file on its own: a volume may hang."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog
from attrs import frozen

from token_monitor.core.number import to_json
from token_monitor.core.secret import Secret
from token_monitor.file_writer import FileWriter
from token_monitor.publish import Target, content, fingerprint, write_whole

STATUS_EVERY: Final = 1.0

Resolve = Callable[[], Secret]

log = structlog.get_logger()


class FilePublisher:
    """Implements `core.ports.Publisher`.

    credentials: the file of the active credential, by account; others publish none.
    status: files for the document that `describe` gives; written when something changed, at most once a second.
        `describe` is called by several threads.
    """

    def __init__(
        self, credentials: Mapping[str, Target], status: Sequence[Target], describe: Callable[[], dict[str, object]]
    ) -> None:
        self._credentials = {account: _Credential(account, target) for account, target in credentials.items()}
        self._status = [(target, FileWriter(target.path, STATUS_EVERY)) for target in status]
        self._describe = describe

    def begin(self, account: str, active: Resolve, others: Sequence[Resolve]) -> None:
        """See `core.ports.Publisher`."""
        if (file := self._credentials.get(account)) is not None:
            file.writer.want(partial(file.begin, active, others))

    def credential(self, account: str, secret: Secret) -> None:
        """See `core.ports.Publisher`. A file that is as it should be is left alone."""
        if (file := self._credentials.get(account)) is not None:
            file.writer.want(partial(file.publish, secret))

    def replace(self, account: str, secret: Secret) -> str | None:
        """See `core.ports.Publisher`."""
        if (file := self._credentials.get(account)) is None:
            return None
        return file.writer.wait(file.writer.want(partial(file.publish, secret)))

    def changed(self) -> None:
        """Have the status written, soon."""
        for target, writer in self._status:
            writer.want(partial(self._write_status, target))

    def stop(self) -> None:
        """Begin no write any more."""
        for writer in [file.writer for file in self._credentials.values()] + [writer for _, writer in self._status]:
            writer.stop()

    def _write_status(self, target: Target) -> None:
        write_whole(target, to_json(self._describe()).encode() + b"\n")


@frozen
class _Written:
    """What we wrote, and how the file looked then."""

    secret: Secret
    fingerprint: tuple[int, ...] | None


class _Credential:
    """The file of one account. Called by the thread of its writer."""

    def __init__(self, account: str, target: Target) -> None:
        self.writer = FileWriter(target.path)
        self._account = account
        self._target = target
        self._written: _Written | None = None

    def begin(self, active: Resolve, others: Sequence[Resolve]) -> None:
        """Of a file that holds another credential than it should, the reason is a crash; else it was rotated."""
        held = content(self._target.path)
        if held and held not in _readable([active, *others]):
            return
        try:
            secret = active()
        except ValueError as error:
            raise ValueError(f"the credential {error}") from None
        self.publish(secret)

    def publish(self, secret: Secret) -> None:
        """Write it, if that is not what stands there."""
        path = self._target.path
        if self._written == _Written(secret, fingerprint(path)):
            return
        self._written = None
        write_whole(self._target, secret.reveal().encode())
        self._written = _Written(secret, fingerprint(path))
        log.info("Active credential published", account=self._account, path=str(path))


def _readable(credentials: Sequence[Resolve]) -> list[bytes]:
    found = []
    for resolve in credentials:
        with suppress(ValueError):
            found.append(resolve().reveal().encode())
    return found
