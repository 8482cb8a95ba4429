"""HTTP as sources and channels see it: one request, one bounded answer, one deadline."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from token_monitor.core.errors import Failure
from token_monitor.core.secret import Secret


@frozen
class Request:
    """url: may carry a credential, so it is one. headers: those that carry one are secrets, the others are not: a
    Secret masks its value wherever it is printed, and that would be an alert's id.
    """

    method: str
    url: Secret
    headers: Mapping[str, Secret | str] = field(factory=dict)
    body: bytes | None = None


@frozen
class Response:
    """headers: names in lower case.
    retry_after: of a `Retry-After` header, seconds from now, whichever of its two forms it had.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None = None


class HttpError(Exception):
    """There was no whole answer.

    kind: TIMEOUT, DNS, CONNECTION, TLS, TOO_LARGE, or INVALID: it is not encoded as it says.
    sent: the other side may have seen the request.
    status: what the answer began with, if it did; its body is what is missing then.
    """

    status: int | None = None

    def __init__(self, kind: Failure, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.sent = sent


class HttpClient(Protocol):
    """Follows no redirect, keeps no cookie, verifies TLS, reads at most 1 MiB."""

    def send(self, request: Request, timeout: float) -> Response:
        """The answer, whole, within `timeout` seconds of wall clock.

        Raises HttpError: no whole answer in time.
        """
        ...
