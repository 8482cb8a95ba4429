"""What a channel is given beside its settings."""

import ssl
from collections.abc import Callable
from typing import Any

from attrs import frozen

from token_monitor.core.http import HttpClient
from token_monitor.core.ports import Clock, EpisodeNotes

Addresses = list[tuple[Any, ...]]
"""What `socket.getaddrinfo` returns."""


@frozen
class Tools:
    """Shared by all channels, but for the name.

    name: of the channel, as the settings call it; its notes are kept under it.
    tls: a new client context that verifies, with the certificate authorities of the environment; for protocols other
        than HTTP. Raises OSError: the bundle that the environment names cannot be read.
    addresses: of a host and port, within so many seconds. Raises socket.gaierror, UnicodeError: there is no such host;
        TimeoutError: no answer in time.
    incomplete: logs an error: the message of this id is delivered, but not to everybody, and why.
    """

    name: str
    http: HttpClient
    clock: Clock
    notes: EpisodeNotes
    tls: Callable[[], ssl.SSLContext]
    addresses: Callable[[str, int, float], Addresses]
    incomplete: Callable[[str, str], None]


@frozen
class ChannelType:
    """A kind of channel, as an entry point of the group `token_monitor.channels` names one.

    settings: a frozen attrs class. Its fields are the keys of the channel in YAML, each of a type that is built in
        (str, int, bool, Decimal, an enum, a list or a mapping of them), or `core.secret.Secret`, `core.time.Seconds`,
        `core.url.Url`, or a class with `parse(text)` that raises ValueError with what is allowed.
    make: the channel for such settings; it implements `core.ports.Channel`.
    """

    settings: type
    make: Callable[[Any, Tools], Any]
