"""URLs, which can be secrets too."""

from typing import Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from token_monitor.core.secret import MASK, Secret


class Url:
    """An `http` or `https` URL whose path and query do not print: chat webhooks carry their credential there."""

    __slots__ = ("_hidden", "_parts", "secret")

    def __init__(self, text: str) -> None:
        self._parts = _split(text)
        self.secret = Secret(text)
        self._hidden = Secret(self._unprinted())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: what is allowed, without the text."""
        return cls(text)

    @property
    def scheme(self) -> str:
        return self._parts.scheme

    @property
    def host(self) -> str:
        """The host name, in lower case, without the port."""
        return self._parts.hostname or ""

    @property
    def authority(self) -> str:
        """host:port as written."""
        return self._parts.netloc

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: where a credential may travel."""
        return self.scheme, self.host, self._parts.port or {"http": 80, "https": 443}[self.scheme]

    def _unprinted(self) -> str:
        """The part that HTTP libraries quote alone in their errors, without scheme and host, and that must not show."""
        return urlunsplit(("", "", self._parts.path, self._parts.query, ""))

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}/{MASK}"

    def __repr__(self) -> str:
        return str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and other.secret == self.secret

    def __hash__(self) -> int:
        return hash(self.secret)


class Endpoint(Url):
    """A provider's URL: the path prints, the query does not."""

    __slots__ = ()

    def _unprinted(self) -> str:
        return self._parts.query

    def __str__(self) -> str:
        query = f"?{MASK}" if self._parts.query else ""
        return f"{self.scheme}://{self.authority}{self._parts.path}{query}"


def _split(text: str) -> SplitResult:
    allowed = "a URL such as https://host/path"
    if not text.isprintable() or any(character.isspace() for character in text):
        raise ValueError(f"{allowed}, without white space or control characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(allowed) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{allowed}; it must begin with http:// or https:// and name a host")
    if "@" in parts.netloc:
        raise ValueError(f"{allowed}, without user:password@; the credential has a setting of its own")
    if port == 0:
        raise ValueError(f"{allowed}, with a port from 1 to 65535")
    return parts
