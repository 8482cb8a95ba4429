"""Asking a provider through the real source over real HTTP."""

from typing import Any

import pytest

from support.provider import Provider
from token_monitor.core.errors import SourceError
from token_monitor.core.secret import Secret
from token_monitor.core.url import Endpoint
from token_monitor.http import RequestsClient
from token_monitor.sources.dialect import JsonEndpoint
from token_monitor.sources.json_endpoint import JsonEndpointSource

KEY = "sk-canary 1/2+3&4=5"


def source(provider: Provider, url: str | None = None, **settings: Any) -> JsonEndpointSource:
    return JsonEndpointSource(JsonEndpoint(Endpoint(url or provider.url), **settings), RequestsClient())


def fetch(provider: Provider, url: str | None = None, key: str = KEY, timeout: float = 5, **settings: Any) -> Any:
    return source(provider, url, **settings).fetch(Secret(key), timeout)


def failure(provider: Provider, url: str | None = None, key: str = KEY, timeout: float = 5, **how: Any) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(provider, url, key, timeout, **how)
    return caught.value
