"""The HTTP client of sources and channels: `requests`, with one deadline per call and one TLS context for all."""

import os
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from token_monitor import __version__
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request, Response
from token_monitor.watchdog import Watchdog, watched

MAX_BODY: Final = 1 << 20
_CHUNK: Final = 16 << 10
_KEPT_HOSTS: Final = 16
_KEPT_PER_HOST: Final = 8
_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class RequestsClient:
    """One `requests` session for every account and channel: a session each would cost 720 KB and a TLS context.

    Proxies come from the environment (`HTTPS_PROXY`, `NO_PROXY`), as does a CA bundle (`REQUESTS_CA_BUNDLE`,
    `SSL_CERT_FILE`). `~/.netrc` is not read: it would replace the credential.
    """

    def __init__(self) -> None:
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._sessions: dict[str, requests.Session] = {}

    def send(self, request: Request, timeout: float) -> Response:
        """See `core.http.HttpClient`."""
        with self._watchdog.guard(timeout) as guard:
            try:
                return self._exchange(request, timeout)
            except (requests.RequestException, OSError, ValueError, AttributeError) as error:
                # the last two are what urllib3 makes of a socket that the watchdog broke under it
                if guard.fired:
                    raise HttpError(Failure.TIMEOUT, f"no whole answer within {timeout:g} s", sent=True) from None
                if isinstance(error, AttributeError):
                    raise
                raise _explained(error, timeout) from None

    def _exchange(self, request: Request, timeout: float) -> Response:
        url = request.url.reveal()
        headers = {name: value.reveal() for name, value in request.headers.items()}
        with self._session(url.partition(":")[0]).request(
            request.method,
            url,
            headers={"User-Agent": f"token-monitor/{__version__}", "Accept-Encoding": "identity"} | headers,
            data=request.body,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
            proxies=get_environ_proxies(url),
        ) as answer:
            body = bytearray()
            for chunk in answer.iter_content(_CHUNK):
                body += chunk
                if len(body) > MAX_BODY:
                    raise HttpError(Failure.TOO_LARGE, "the answer is larger than 1 MiB", sent=True)
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, found, bytes(body), _retry_after(found.get("retry-after")))

    def _session(self, scheme: str) -> requests.Session:
        """Made on first use: a TLS context takes 20 ms and 3 MB that plain HTTP need not pay."""
        with self._lock:
            if scheme not in self._sessions:
                session = requests.Session()
                session.trust_env = False
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
                session.mount(f"{scheme}://", _Adapter(_tls_context() if scheme == "https" else None))
                self._sessions[scheme] = session
            return self._sessions[scheme]


class _WatchedHTTP(HTTPConnection):
    def connect(self) -> None:
        watched(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        watched(self)
        super().request(*args, **kwargs)


class _WatchedHTTPS(HTTPSConnection):
    def connect(self) -> None:
        watched(self)
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        watched(self)
        super().request(*args, **kwargs)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


_POOLS: Final = {"http": _HTTPPool, "https": _HTTPSPool}


class _Adapter(HTTPAdapter):
    """Connections that the watchdog can break, and one TLS context: `requests` would load the CAs per connection."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=_KEPT_HOSTS, pool_maxsize=_KEPT_PER_HOST)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, *_: object) -> None:
        conn.cert_reqs = "CERT_REQUIRED"  # the context holds the CAs


def _tls_context() -> ssl.SSLContext:
    bundle = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), certifi.where())
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def _explained(error: Exception, timeout: float) -> HttpError:
    """In our words: the library's hold the URL."""
    chain = _chain(error)
    cause = chain[-1]
    if any(isinstance(step, requests.exceptions.SSLError | ssl.SSLError) for step in chain):
        detail = getattr(cause, "verify_message", None) or getattr(cause, "reason", None) or "handshake failed"
        return HttpError(Failure.TLS, f"TLS: {detail}", sent=False)
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return HttpError(Failure.TIMEOUT, f"no connection within {timeout:g} s", sent=False)
    if isinstance(error, requests.exceptions.Timeout) or isinstance(cause, TimeoutError):
        return HttpError(Failure.TIMEOUT, f"no whole answer within {timeout:g} s", sent=True)
    if any(isinstance(step, NameResolutionError) for step in chain):
        return HttpError(Failure.DNS, "the host name does not resolve", sent=False)
    refused = any(isinstance(step, NewConnectionError) for step in chain)
    what = "no connection" if refused else "the connection broke before the whole answer"
    detail = getattr(cause, "strerror", None) or type(cause).__name__
    return HttpError(Failure.CONNECTION, f"{what}: {detail}", sent=not refused)


def _chain(error: BaseException) -> list[BaseException]:
    """`error` and what it was raised from, which these libraries keep in `reason` and `args` too."""
    steps: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in steps:
        steps.append(step)
        held = (getattr(step, "reason", None), *step.args, step.__cause__, step.__context__)
        step = next((item for item in held if isinstance(item, BaseException)), None)
    return steps


def _retry_after(value: str | None) -> float | None:
    """Seconds from now (RFC 9110, 10.2.3: seconds or an HTTP date)."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
