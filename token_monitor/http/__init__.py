"""HTTP for sources and channels."""

from token_monitor.http.client import RequestsClient

__all__ = ["RequestsClient"]
