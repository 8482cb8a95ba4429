"""Asks a provider: with the credential of the moment, and again quickly after a passing failure (rule J12)."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.ports import Clock, Source
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret

QUICK_RETRIES: Final = (0.5, 1.0)


class Fetcher:
    """The readings of one account.

    accepted: the credential that the provider took last; None: none since the start.
    resolve: reads the credential anew; raises ValueError with a message that does not hold it.
    pause: waits that many seconds, and says whether the daemon is stopping.
    timeout: the deadline of one fetch, retries included. interval: from fetch to fetch. Seconds.
    """

    def __init__(
        self,
        source: Source,
        resolve: Callable[[], Secret],
        clock: Clock,
        pause: Callable[[float], bool],
        timeout: float,
        interval: float,
    ) -> None:
        self._source = source
        self._resolve = resolve
        self._clock = clock
        self._pause = pause
        self._timeout = timeout
        self._latest_retry = min(timeout, interval / 2)
        self._secret: Secret | None = None
        self.accepted: Secret | None = None

    def fetch(self, started: float) -> Sequence[Reading]:
        """The readings, by the deadline counted from `started` (steady seconds). Raises SourceError."""
        for delay in QUICK_RETRIES:
            try:
                return self._attempt(started)
            except SourceError as error:
                pause = delay * random.uniform(0.8, 1.2)  # noqa: S311
                in_time = self._clock.now().steady - started + pause < self._latest_retry
                if not error.transient or not in_time or self._pause(pause):
                    raise
        return self._attempt(started)

    def _attempt(self, started: float) -> Sequence[Reading]:
        """One request; if the secret is refused and has changed since it was read, one more with the new one."""
        secret = self._secret or self._read_secret()
        try:
            return self._request(secret, started)
        except SourceError as error:
            if error.kind is not Failure.REJECTED:
                raise
            changed = self._changed_secret(secret)
            if changed is None:
                raise
        return self._request(changed, started)

    def _changed_secret(self, refused: Secret) -> Secret | None:
        """Read anew; None if that gives nothing else. That it cannot be read is the lesser news."""
        try:
            secret = self._read_secret()
        except SourceError:
            return None
        return None if secret == refused else secret

    def _request(self, secret: Secret, started: float) -> Sequence[Reading]:
        remaining = self._timeout - (self._clock.now().steady - started)
        if remaining <= 0:
            raise SourceError(Failure.TIMEOUT, f"no answer within {self._timeout:g} s")
        readings = self._source.fetch(secret, remaining)
        self.accepted = secret
        return readings

    def _read_secret(self) -> Secret:
        try:
            self._secret = self._resolve()
        except ValueError as error:
            raise SourceError(Failure.CREDENTIAL, f"the credential {error}") from None
        return self._secret
