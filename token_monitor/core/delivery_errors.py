"""What an HTTP answer to an alert means, in words that hold no path and no secret."""

from collections.abc import Mapping
from typing import Final

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpError, Response

_HINTS: Final[Mapping[int, str]] = {
    400: "it does not accept the message",
    401: "it asks for a credential; check the secret and headers of the channel",
    403: "it refuses the sender; check the URL, secret and headers of the channel",
    404: "nothing takes alerts at this URL; check it",
    405: "this URL takes no POST; check it",
    408: "it gave up waiting",
    410: "this URL takes alerts no longer; replace it",
    413: "it finds the message too large",
    429: "it asks for a pause",
}


def unanswered(host: str, error: HttpError) -> ChannelError:
    """There was no answer, so nobody knows more than whether the message left."""
    return ChannelError(Scope.RETRY, f"{host}: {error.message}", ambiguous=error.sent)


def status_alone(host: str, error: HttpError) -> str:
    """The acknowledgement, where nobody needs the body that is missing: a status of 2xx. Raises ChannelError."""
    if error.status is None or not 200 <= error.status < 300:
        raise unanswered(host, error) from None
    return f"{host} answered {error.status}, and then: {error.message}"


def refused(host: str, answer: Response) -> ChannelError:
    """The status is not 2xx. The body is never quoted: receivers echo paths and headers.

    A pause is that of a receiver in need of one: what answers at a wrong URL must not mute the right one.
    """
    status = answer.status
    scope = Scope.of_status(status)
    hint = _HINTS.get(status) or _general_hint(status)
    pause = answer.retry_after if scope is Scope.RETRY else None
    return ChannelError(scope, f"{host} answered {status}: {hint}", retry_after=pause)


def _general_hint(status: int) -> str:
    if status >= 500:
        return "it is in trouble itself"
    if 300 <= status < 400:
        return "a redirect, which is not followed; set the final URL"
    return "it refuses the message; check the settings of the channel"
