"""The provider `generic`: one request, readings out of the JSON answer."""

import base64
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from attrs import evolve

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.http import HttpClient, HttpError, Request, Response
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.sources.answer import parse
from token_monitor.sources.dialect import Auth, AuthScheme, JsonEndpoint
from token_monitor.sources.extract import extract

MAX_REDIRECTS: Final = 3


class JsonEndpointSource:
    """Implements `core.ports.Source`."""

    def __init__(self, settings: JsonEndpoint, http: HttpClient) -> None:
        self._settings = settings
        self._http = http
        self.quantities = tuple(settings.quantities)
        self.host = settings.endpoint.host

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        """See `core.ports.Source`."""
        request = _request(self._settings, credential)
        try:
            response = self._ask(request, credential, timeout)
        except HttpError as error:
            raise SourceError(error.kind, error.message) from None
        if response.status == 402:
            first, how = next(iter(self._settings.quantities.items()))
            return [Reading(first, None, how.unit)]
        _refuse_bad_status(response)
        return extract(self._settings, parse(response.body))

    def _ask(self, request: Request, credential: Secret, timeout: float) -> Response:
        """The answer, after redirects within the same origin: the credential goes nowhere else."""
        origin, deadline = self._settings.endpoint.origin, time.monotonic() + timeout
        for _ in range(MAX_REDIRECTS + 1):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise SourceError(Failure.TIMEOUT, f"no answer within {timeout:g} s, redirects included")
            response = self._http.send(request, remaining)
            if response.status not in (301, 302, 303, 307, 308):
                return response
            request = _follow(request, response, origin)
            request = evolve(request, url=_with_credential(request.url, self._settings.auth, credential))
        raise SourceError(Failure.REDIRECT, f"more than {MAX_REDIRECTS} redirects")


def _request(settings: JsonEndpoint, credential: Secret) -> Request:
    url = _with_credential(settings.endpoint.secret, settings.auth, credential)
    headers: dict[str, Secret | str] = {"Accept": "application/json", **settings.headers}
    auth, value = settings.auth, credential.reveal()
    match auth.scheme:
        case AuthScheme.QUERY:
            pass  # it is in the URL
        case AuthScheme.BASIC:
            headers["Authorization"] = Secret("Basic " + base64.b64encode(value.encode()).decode())
        case AuthScheme.BEARER | AuthScheme.HEADER:
            headers[auth.name or "Authorization"] = _header(auth, value)
    body = None
    if settings.body is not None:
        body = settings.body.encode()
        headers = {"Content-Type": "application/json", **headers}
    return Request(settings.method, url, headers, body)


def _with_credential(url: Secret, auth: Auth, credential: Secret) -> Secret:
    """The URL with the query parameter that authenticates, if one does; a redirect may have dropped it."""
    if auth.scheme is not AuthScheme.QUERY:
        return url
    parts = urlsplit(url.reveal())
    name = quote(auth.name, safe="")
    others = [item for item in parts.query.split("&") if item and item.partition("=")[0] != name]
    query = "&".join([*others, f"{name}={quote(credential.reveal(), safe='')}"])
    return Secret(urlunsplit(parts._replace(query=query, fragment="")))


def _header(auth: Auth, value: str) -> Secret:
    if not value.isascii() or not value.isprintable():
        raise SourceError(Failure.CREDENTIAL, "the credential holds a character that no HTTP header can carry")
    return Secret(("Bearer " if auth.scheme is AuthScheme.BEARER else auth.prefix) + value)


def _follow(request: Request, response: Response, origin: tuple[str, str, int]) -> Request:
    try:
        url = Url(urljoin(request.url.reveal(), response.headers["location"]))
    except (KeyError, ValueError):
        raise SourceError(Failure.REDIRECT, f"HTTP {response.status} without a usable Location") from None
    if url.origin != origin:
        raise SourceError(
            Failure.REDIRECT, "redirected to another origin; the credential stays here; check the endpoint"
        )
    if request.method != "GET" and response.status not in (307, 308):
        raise SourceError(Failure.REDIRECT, f"HTTP {response.status} to a {request.method}; check the endpoint")
    return Request(request.method, url.secret, request.headers, request.body)


def _refuse_bad_status(response: Response) -> None:
    """Raise what a status other than 2xx means."""
    status = response.status
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise SourceError(Failure.REJECTED, f"HTTP {status}: the provider refuses the credential")
    if status == 429:
        raise SourceError(Failure.RATE_LIMITED, "HTTP 429: too many requests", response.retry_after)
    if status >= 500:
        raise SourceError(Failure.SERVER, f"HTTP {status} from the provider", response.retry_after)
    raise SourceError(Failure.STATUS, f"HTTP {status}: check the endpoint")
