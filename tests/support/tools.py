"""What a channel is given beside its settings."""

from typing import Any

from support.clock import FakeClock
from token_monitor.core.tools import Tools
from token_monitor.http import RequestsClient
from token_monitor.http.resolve import addresses
from token_monitor.http.tls import tls_context
from token_monitor.stores.monitor_db import open_monitor_db


def make_tools(**changed: Any) -> Tools:
    """Real ones, but for a clock that stands still, notes in memory and a log that is not kept."""
    given: dict[str, Any] = {
        "name": "channel",
        "http": changed.get("http") or RequestsClient(),
        "clock": FakeClock(),
        "notes": changed.get("notes") or open_monitor_db(None),
        "tls": tls_context,
        "addresses": addresses,
        "incomplete": lambda _message, _reason: None,
    }
    return Tools(**(given | changed))
