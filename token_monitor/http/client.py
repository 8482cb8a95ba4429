"""The HTTP client of sources and channels: `requests`, with one deadline per call and one TLS context for all."""

import logging
import ssl
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError as Urllib3Error

from token_monitor import __version__
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request, Response
from token_monitor.core.secret import Secret
from token_monitor.http.connection import WatchedHTTPConnection, WatchedHTTPSConnection
from token_monitor.http.errors import explained, late
from token_monitor.http.retry_after import retry_after
from token_monitor.http.tls import tls_context
from token_monitor.watchdog import Watchdog, current_guard

MAX_BODY: Final = 1 << 20
_CHUNK: Final = 16 << 10
_KEPT_HOSTS: Final = 16
_KEPT_PER_HOST: Final = 8

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings quote URLs, queries included: those are secrets


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
        statuses: list[int] = []
        try:
            return self._guarded(request, timeout, statuses)
        except HttpError as error:
            error.status = statuses[0] if statuses else None
            raise

    def _guarded(self, request: Request, timeout: float, statuses: list[int]) -> Response:
        with self._watchdog.guard(timeout) as guard:
            try:
                response = self._exchange(request, timeout, statuses)
            except (requests.RequestException, Urllib3Error, OSError, ValueError) as error:
                raise explained(error, guard, timeout) from None
        if guard.fired:  # where the connection was broken the headers, or a body without a length, seem to end
            raise late(guard, timeout)
        return response

    def _exchange(self, request: Request, timeout: float, statuses: list[int]) -> Response:
        url = request.url.reveal()
        headers = {name: _plain(value) for name, value in request.headers.items()}
        with self._session(url.partition(":")[0].lower()).request(
            request.method,
            url,
            headers={"User-Agent": f"token-monitor/{__version__}", "Accept-Encoding": "identity"} | headers,
            data=request.body,
            timeout=timeout,
            allow_redirects=False,
            stream=True,
            proxies=get_environ_proxies(url),
        ) as answer:
            found = {name.lower(): value for name, value in answer.headers.items()}
            statuses.append(answer.status_code)
            return Response(answer.status_code, found, _body(answer), retry_after(found))

    def _session(self, scheme: str) -> requests.Session:
        """Made on first use: a TLS context takes 20 ms and 3 MB that plain HTTP need not pay."""
        with self._lock:
            if scheme not in self._sessions:
                adapter = _Adapter(_context() if scheme == "https" else None)
                session = _Session()
                session.trust_env = False
                session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
                session.mount(f"{scheme}://", adapter)
                self._sessions[scheme] = session
            return self._sessions[scheme]


def _plain(value: Secret | str) -> str:
    return value.reveal() if isinstance(value, Secret) else value


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: the library reads the whole body of a redirect, however long, even where it is not to follow it."""


def _body(answer: requests.Response) -> bytes:
    body = bytearray()
    if (answer.raw.length_remaining or 0) > MAX_BODY:
        raise _too_large()
    for chunk in answer.iter_content(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise _too_large()
    return bytes(body)


def _too_large() -> HttpError:
    return HttpError(Failure.TOO_LARGE, "the answer is larger than 1 MiB", sent=True)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = WatchedHTTPConnection

    def _put_conn(self, conn: Any) -> None:
        current_guard().release()
        super()._put_conn(conn)


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = WatchedHTTPSConnection

    def _put_conn(self, conn: Any) -> None:
        current_guard().release()
        super()._put_conn(conn)


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


def _context() -> ssl.SSLContext:
    try:
        return tls_context()
    except OSError as error:
        raise HttpError(Failure.TLS, str(error), sent=False) from None
