"""What a failure of AMQP 0-9-1 means for the next alert (reply codes: its section 1.2, and RabbitMQ's documents)."""

import re
import ssl
from typing import Final

from token_monitor.core.errors import ChannelError, Scope

_REFUSED, _NOT_FOUND, _PRECONDITION, _NOT_ALLOWED = 403, 404, 406, 530
# pika guesses a refusal from a connection that ended during the login, and keeps only the text of how it ended.
_CODE: Final = re.compile(r"ConnectionClosedByBroker: \((\d{3})\)")


def unopened(authority: str, vhost: str, error: Exception) -> ChannelError:
    """There is no connection to publish on, so nothing was sent."""
    code = _code(error)
    if code == _REFUSED and "Authentication" in type(error).__name__:
        return _mend(f"{authority} refuses the login; check username and password")
    if code in (_REFUSED, _NOT_FOUND, _NOT_ALLOWED):
        return _mend(f"{authority} does not let the user into virtual host {vhost!r}; check vhost and its permissions")
    return ChannelError(Scope.RETRY, f"{authority}: {_described(error, 'no connection in time')}")


def unconfirmed(authority: str, exchange: str, routing_key: str, error: Exception, *, blocked: bool) -> ChannelError:
    """The message was published, and that is all that is known, unless the broker said more.

    A nack may stand for one of several queues, and the others have the message.
    blocked: the broker told publishers to wait.
    """
    name, code = type(error).__name__, _code(error)
    if name == "Returned" and not exchange:
        return _mend(f"{authority} has no queue {routing_key!r}; create it, or correct routing_key")
    if name == "Returned":
        unbound = f"exchange {exchange!r} binds no queue to routing key {routing_key!r}"
        return _mend(f"{authority}: {unbound}; create the queue and its binding, or correct routing_key")
    if name == "Nacked":
        return ChannelError(Scope.RETRY, f"{authority}: a queue did not take the message", ambiguous=True)
    if code == _NOT_FOUND:
        return _mend(f"{authority} has no exchange {exchange!r}; create it, or correct exchange")
    if code == _REFUSED:
        named = exchange or "amq.default"  # what the permissions call the one without a name
        return _mend(f"{authority}: the user may not write to exchange {named!r}; give it that permission")
    if code == _PRECONDITION:
        return ChannelError(Scope.MESSAGE, f"{authority} does not accept the message; it may be too large")
    silence = "it stopped all publishers; check its memory and disk" if blocked else "no confirm in time"
    return ChannelError(Scope.RETRY, f"{authority}: {_described(error, silence)}", ambiguous=True)


def _mend(reason: str) -> ChannelError:
    return ChannelError(Scope.CHANNEL, reason)


def _code(error: Exception) -> int | None:
    """The broker's reply code, if it gave one."""
    code = getattr(error, "reply_code", None)
    found = _CODE.search(str(error))
    return int(found[1]) if found else code


def _described(error: Exception, late: str) -> str:
    cause = _root(error)
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not valid: {cause.verify_message}; check host and ca_file"
        case ssl.SSLError():
            return "TLS fails; check tls and port"
        case TimeoutError():
            return late
        case OSError() if cause.strerror:
            return cause.strerror
    if _code(error) == 320:
        return "the broker is shutting down"
    if type(cause).__name__ == "IncompatibleProtocolError":  # which pika guesses from an end before the first frame
        return "it ended the connection before a word of AMQP: the broker behind it is down, or port or tls is wrong"
    return "the connection broke"


def _root(error: BaseException) -> BaseException:
    """pika wraps the cause up to three times, each time differently."""
    inner = [*getattr(error, "exceptions", ()), getattr(error, "exception", None), *error.args]
    causes = [one for one in inner if isinstance(one, BaseException)]
    return _root(causes[-1]) if causes else error
