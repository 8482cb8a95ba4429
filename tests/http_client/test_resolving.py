"""A resolver that hangs holds nobody beyond the deadline."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient


@pytest.fixture
def _hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    release = threading.Event()
    real = socket.getaddrinfo

    def hang(host: str, *args: object, **kwargs: object) -> object:
        if host == "nowhere.test":
            release.wait(30)
        return real(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield
    release.set()


@pytest.mark.usefixtures("_hanging_resolver")
def test_a_hanging_resolver_is_a_timeout_in_time() -> None:
    started = time.monotonic()
    with pytest.raises(HttpError) as caught:
        RequestsClient().send(Request("GET", Secret("http://nowhere.test/")), 0.3)
    assert time.monotonic() - started < 1.5
    assert (caught.value.kind, caught.value.sent) == (Failure.TIMEOUT, False)
