"""Who may ask, and who may change something."""

import hmac
import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Self

from attrs import frozen

from token_monitor.core.number import to_json
from token_monitor.core.secret import Secret

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_AUTHORITY: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:\[\]]+))(?::\d{1,5})?")
_ALWAYS: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, without asking a resolver."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@frozen
class Refusal:
    """An answer instead of what was asked for."""

    status: int
    error: str


@frozen
class Access:
    """The rules.

    loopback: the server listens on loopback only.
    api_key: the bearer token that changing something asks for; None: nobody has to show one on loopback, and nothing
        can be changed beyond it.
    """

    loopback: bool
    api_key: Secret | None

    @classmethod
    def at(cls, host: str, api_key: Secret | None) -> Self:
        """The rules of a server that listens at `host`."""
        return cls(is_loopback(host), api_key)

    def refusal(self, method: str, headers: Sequence[tuple[bytes, bytes]]) -> Refusal | None:
        """Why this request is refused; None if it is not. headers: names in lower case, as ASGI has them."""
        hosts = _values(headers, b"host")
        if self.loopback and not (len(hosts) == 1 and _names_loopback(hosts[0])):
            # A page of a foreign name that resolves to 127.0.0.1 would read us (DNS rebinding).
            return Refusal(421, "this server answers to loopback names only, such as 127.0.0.1 or localhost")
        if method in _SAFE:
            return None
        if _cross_site(hosts, headers):
            return Refusal(403, "a page of another site may not do this")
        return self._unauthorised(_values(headers, b"authorization"))

    def _unauthorised(self, credentials: Sequence[str]) -> Refusal | None:
        if self.api_key is None:
            if self.loopback:
                return None
            return Refusal(403, "beyond loopback this needs a key: set TOKEN_MONITOR_API_KEY")
        scheme, _space, token = (credentials[0] if len(credentials) == 1 else "").partition(" ")
        expected = self.api_key.reveal().encode()
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode("latin-1"), expected):
            return None
        return Refusal(401, "send the value of TOKEN_MONITOR_API_KEY as a bearer token")


class Guard:
    """ASGI middleware that applies the rules, and marks every answer as not for caches and of the type it says."""

    def __init__(self, app: "ASGIApp", access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def marked(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_ALWAYS]
            await send(message)

        refusal = self._access.refusal(scope["method"], scope["headers"])
        if refusal is None:
            await self._app(scope, receive, marked)
        else:
            await _answer(refusal, marked)


async def _answer(refusal: Refusal, send: "Send") -> None:
    body = to_json({"error": refusal.error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _names_loopback(authority: str) -> bool:
    match = _AUTHORITY.fullmatch(authority)
    return match is not None and is_loopback(match["v6"] or match["name"] or "")


def _cross_site(hosts: Sequence[str], headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a browser sends this for a page of another origin. What is no browser sends neither header."""
    if any(value in ("cross-site", "same-site") for value in _values(headers, b"sec-fetch-site")):
        return True
    own = [host.lower() for host in hosts]
    return any(origin.partition("://")[2].lower() not in own for origin in _values(headers, b"origin"))
