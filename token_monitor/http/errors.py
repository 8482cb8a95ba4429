"""What went wrong on the wire, in our words: the libraries' own hold the URL."""

import ssl
from typing import Final

from requests import exceptions as theirs
from urllib3.exceptions import LocationValueError, NameResolutionError, ProxyError, ProxySchemeUnknown

from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError
from token_monitor.watchdog import Guard

_NO_SUCH_HOST: Final = (NameResolutionError, LocationValueError, theirs.InvalidURL)
_BAD_PROXY: Final = (theirs.InvalidProxyURL, theirs.InvalidSchema, ProxySchemeUnknown)
_CLOSED_EARLY: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


def explained(error: Exception, guard: Guard, timeout: float) -> HttpError:
    """The HttpError for what `requests` raised under `guard`, whose deadline was `timeout` seconds."""
    chain = _chain(error)
    cause = chain[-1]

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(step, kinds) for step in chain)

    def failure(kind: Failure, message: str) -> HttpError:
        return HttpError(kind, message, sent=guard.connected)

    if guard.fired or has(theirs.Timeout, TimeoutError):
        return late(guard, timeout)
    if has(ssl.SSLError, theirs.SSLError) and not has(*_CLOSED_EARLY):
        return failure(Failure.TLS, _tls(cause))
    if has(*_BAD_PROXY):
        return failure(Failure.CONNECTION, "the proxy that the environment names cannot be used")
    if has(*_NO_SUCH_HOST):
        return failure(Failure.DNS, "the host name does not resolve")
    if has(theirs.ContentDecodingError):
        return failure(Failure.INVALID, "the answer is not encoded as its Content-Encoding says")
    what = "the connection broke before the whole answer"
    if not guard.connected:
        what = "no connection through the proxy" if has(ProxyError) else "no connection"
    return failure(Failure.CONNECTION, f"{what}: {getattr(cause, 'strerror', None) or type(cause).__name__}")


def late(guard: Guard, timeout: float) -> HttpError:
    """The deadline passed."""
    what = "whole answer" if guard.connected else "connection"
    return HttpError(Failure.TIMEOUT, f"no {what} within {timeout:g} s", sent=guard.connected)


def _tls(cause: BaseException) -> str:
    untrusted = getattr(cause, "verify_message", None)
    if untrusted:
        return f"the server's certificate is refused: {untrusted}"
    reason = getattr(cause, "reason", None)
    return f"no TLS connection: {reason.replace('_', ' ').lower() if isinstance(reason, str) else 'it failed'}"


def _chain(error: BaseException) -> list[BaseException]:
    """`error` and what it was raised from, which these libraries keep in `reason` and `args` too."""
    steps: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in steps:
        steps.append(step)
        held = (getattr(step, "reason", None), *step.args, step.__cause__, step.__context__)
        step = next((item for item in held if isinstance(item, BaseException)), None)
    return steps
