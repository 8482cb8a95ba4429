"""What a channel is given beside its settings."""

import ssl
from collections.abc import Callable

from attrs import frozen

from token_monitor.core.http import HttpClient
from token_monitor.core.ports import Clock, EpisodeNotes


@frozen
class Tools:
    """Shared by all channels, but for the name.

    name: of the channel, as the settings call it; its notes are kept under it.
    tls: a new client context that verifies, with the certificate authorities of the environment; for protocols other
        than HTTP. Raises OSError: the bundle that the environment names cannot be read.
    """

    name: str
    http: HttpClient
    clock: Clock
    notes: EpisodeNotes
    tls: Callable[[], ssl.SSLContext]
