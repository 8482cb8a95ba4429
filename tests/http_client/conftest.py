"""A client and a provider, and no proxy of this machine between them."""

from collections.abc import Iterator

import pytest

from support.provider import Provider
from token_monitor.http import RequestsClient


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def client() -> RequestsClient:
    return RequestsClient()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running
