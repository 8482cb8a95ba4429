"""Connections are shared, and no call harms another's."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from support import answers as told
from support.asking import BROKEN, SLOW, ask, refusal
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError
from token_monitor.http import RequestsClient


def test_a_connection_is_used_again(client: RequestsClient, provider: Provider) -> None:
    for _ in range(5):
        ask(client, provider.url)
    assert (len(provider.requests), provider.connections) == (5, 1)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed(
    client: RequestsClient, provider: Provider
) -> None:
    for _ in range(5):
        assert ask(client, provider.url).status == 200
        provider.hang_up()
        provider.wait_for_quiet()
    assert provider.connections == 5


def test_a_deadline_that_passed_long_ago_harms_no_later_call(client: RequestsClient, provider: Provider) -> None:
    ask(client, provider.url, 0.2)
    provider.answer(told.late(told.document({"balance": 5}), 0.4))
    assert ask(client, provider.url, 2).status == 200
    assert provider.connections == 1


def test_a_deadline_spares_a_connection_that_is_back_in_the_pool(
    client: RequestsClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = HTTPConnectionPool._put_conn

    def slowly(self: HTTPConnectionPool, connection: object) -> None:
        put(self, connection)  # type: ignore[arg-type]
        threading.Event().wait(0.3)

    monkeypatch.setattr(HTTPConnectionPool, "_put_conn", slowly)
    assert refusal(client, provider.url, 0.2).kind is Failure.TIMEOUT
    monkeypatch.undo()
    assert ask(client, provider.url).status == 200
    assert provider.connections == 1


def test_a_deadline_harms_no_call_but_its_own(client: RequestsClient, provider: Provider) -> None:
    """Calls with a deadline that may pass at any moment share a pool with calls that have time."""
    provider.answer(told.late(told.document({"balance": 5}), 0.02))
    ended = time.monotonic() + 4
    kinds: set[Failure] = set()

    def hurried(_: int) -> tuple[int, int]:
        answered = late = 0
        while time.monotonic() < ended:
            try:
                ask(client, provider.url, random.uniform(0.01, 0.1))
                answered += 1
            except HttpError as error:
                kinds.add(error.kind)
                late += 1
        return answered, late

    def patient(_: int) -> int:
        count = 0
        while time.monotonic() < ended:
            assert ask(client, provider.url, 10).body == b'{"balance":5}'
            count += 1
        return count

    with ThreadPoolExecutor(16) as pool:
        hurries, patients = pool.map(hurried, range(8)), pool.map(patient, range(8))
        answered, late = map(sum, zip(*hurries, strict=True))
        assert sum(patients) > 100
    assert answered > 0
    assert late > 0
    assert kinds == {Failure.TIMEOUT}


def test_32_threads_share_a_client(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.late(told.document({"balance": 5}), 0.02))
    together = threading.Barrier(32)

    def call(_: int) -> set[int]:
        together.wait()
        return {ask(client, provider.url).status for _ in range(10)}

    with ThreadPoolExecutor(32) as pool:
        assert set().union(*pool.map(call, range(32))) == {200}
    assert len(provider.requests) == 320


def test_no_descriptor_is_left_behind(client: RequestsClient, provider: Provider) -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    ask(client, provider.url)
    provider.hang_up()
    provider.wait_for_quiet()
    before = opened()
    for answer in (*BROKEN.values(), SLOW["drips the body"], told.whole(b" " * 2_000_000)):
        provider.answer(answer)
        refusal(client, provider.url, 0.2)
    provider.wait_for_quiet()
    assert opened() <= before + 1
