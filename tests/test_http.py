"""The HTTP client against real servers: deadlines, sizes, broken answers, and what it must never say."""

import gzip
import itertools
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from support import provider as told
from support.provider import Provider
from token_monitor.core.errors import Failure
from token_monitor.core.http import HttpError, Request, Response
from token_monitor.core.secret import Secret
from token_monitor.http import RequestsClient

SLACK = 0.3
CANARY = "canary-7f3a"


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


def ask(client: RequestsClient, url: str, timeout: float = 5.0, **more: object) -> Response:
    return client.send(Request("GET", Secret(url), **more), timeout)  # type: ignore[arg-type]


def refusal(client: RequestsClient, url: str, timeout: float = 5.0, **more: object) -> HttpError:
    """The error; and that it came in time."""
    begun = time.monotonic()
    with pytest.raises(HttpError) as caught:
        ask(client, url, timeout, **more)
    assert time.monotonic() - begun < timeout + SLACK
    return caught.value


def endless(piece: bytes) -> Iterator[bytes]:
    return itertools.repeat(piece)


# The deadline

SLOW: dict[str, told.Answer] = {
    "never answers": told.silence,
    "drips the status line": told.drip(b"HTTP/1.1 200 OK" + b" " * 500, 0.02),
    "drips a header": told.drip(b"a" * 500, 0.02, after=b"HTTP/1.1 200 OK\r\nX-Long: "),
    "drips the body": told.drip(b" " * 500, 0.02, after=told.head(200, Content_Length=500)),
    "drips chunks": told.drip(b"1\r\n \r\n" * 500, 0.01, after=told.head(200, Transfer_Encoding="chunked")),
    "drips a body without a length": told.drip(b" " * 500, 0.02, after=told.head()),
    "drips gzip": told.drip(
        gzip.compress(b" " * 500) * 20, 0.02, after=told.head(200, Content_Encoding="gzip", Content_Length=9999)
    ),
    "says 100 Continue for ever": told.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0.005),
    "stops in the middle of the body": told.drip(b"", 0, after=told.head(200, Content_Length=50) + b"{"),
}


@pytest.mark.parametrize("how", [name for name in SLOW if name != "stops in the middle of the body"])
def test_the_deadline_holds_over_headers_and_body_together(
    client: RequestsClient, provider: Provider, how: str
) -> None:
    provider.answer(SLOW[how])
    error = refusal(client, provider.url, 0.4)
    assert (error.kind, error.sent) == (Failure.TIMEOUT, True)
    assert error.message == "no whole answer within 0.4 s"
    provider.wait_for_quiet()


def test_the_deadline_holds_when_the_body_stops_and_the_connection_stays(
    client: RequestsClient, provider: Provider
) -> None:
    def answer(wire: told.Wire) -> None:
        wire.send(told.head(200, Content_Length=50) + b"{")
        wire.wait_for_hang_up()

    provider.answer(answer)
    assert refusal(client, provider.url, 0.4).kind is Failure.TIMEOUT
    provider.wait_for_quiet()


def test_the_deadline_holds_over_a_handshake_that_drips(client: RequestsClient) -> None:
    record = b"\x16\x03\x03\x3f\xff" + b"\x02\x00\x3f\xfb" + b"\x03\x03" * 500
    with Provider(greeting=told.drip(record, 0.02)) as provider:
        error = refusal(client, provider.url.replace("http:", "https:"), 0.4)
        assert (error.kind, error.sent) == (Failure.TIMEOUT, False)
        assert error.message == "no connection within 0.4 s"
        provider.wait_for_quiet()


def test_the_deadline_holds_over_a_handshake_that_never_comes(client: RequestsClient) -> None:
    with Provider(greeting=told.silence) as provider:
        error = refusal(client, provider.url.replace("http:", "https:"), 0.4)
        assert (error.kind, error.sent) == (Failure.TIMEOUT, False)


def test_the_deadline_holds_while_a_request_is_written(client: RequestsClient) -> None:
    def never_reads(wire: told.Wire) -> None:
        wire.pause()

    with Provider(greeting=never_reads) as provider:
        begun = time.monotonic()
        with pytest.raises(HttpError) as caught:
            client.send(Request("POST", Secret(provider.url), {}, b"x" * 64_000_000), 0.4)
        assert time.monotonic() - begun < 0.4 + SLACK
        assert (caught.value.kind, caught.value.sent) == (Failure.TIMEOUT, True)


@pytest.fixture
def unanswering() -> Iterator[Callable[[], int]]:
    """Ports that take no connection: their queue is full, so that a SYN gets no answer."""
    sockets: list[socket.socket] = []

    def port() -> int:
        listener = socket.socket()
        sockets.append(listener)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = socket.socket()
            sockets.append(waiting)
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return int(listener.getsockname()[1])

    yield port
    for each in sockets:
        each.close()


def test_the_deadline_holds_over_a_connection_that_is_never_made(
    client: RequestsClient, unanswering: Callable[[], int]
) -> None:
    error = refusal(client, f"http://127.0.0.1:{unanswering()}/", 0.4)
    assert (error.kind, error.sent) == (Failure.TIMEOUT, False)


def test_a_name_with_many_dead_addresses_gets_one_deadline_and_a_living_one_is_found(
    client: RequestsClient, provider: Provider, unanswering: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unanswering())) for _ in range(3)]
    alive = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", provider.port))
    resolve = socket.getaddrinfo
    names = {"dead.test": dead, "half.test": [*dead, alive]}
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: names.get(host) or resolve(host, *a, **k))
    assert refusal(client, "http://dead.test/", 0.4).kind is Failure.TIMEOUT
    begun = time.monotonic()
    assert ask(client, "http://half.test/", 0.8).status == 200
    assert time.monotonic() - begun < 0.8


def test_a_name_that_resolves_too_late_gets_no_second_deadline(
    client: RequestsClient, unanswering: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unanswering()))]

    def slow(*_: object, **__: object) -> object:
        threading.Event().wait(0.3)
        return found

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert refusal(client, "http://slow.test/", 0.4).kind is Failure.TIMEOUT


def test_a_whole_answer_just_in_time_is_an_answer(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.late(told.document({"balance": 5}), 0.3))
    assert ask(client, provider.url, 1.0).body == b'{"balance":5}'


# Size


@pytest.mark.parametrize("coding", ["length", "chunked", "end of connection"])
def test_a_body_over_1_mib_is_refused_early(client: RequestsClient, provider: Provider, coding: str) -> None:
    piece = b" " * 65536
    heads = {
        "length": told.head(200, Content_Length=1 << 40),
        "chunked": told.head(200, Transfer_Encoding="chunked"),
        "end of connection": told.head(),
    }
    pieces = endless(b"10000\r\n" + piece + b"\r\n" if coding == "chunked" else piece)
    provider.answer(told.stream(pieces, heads[coding]))
    error = refusal(client, provider.url, 5)
    assert (error.kind, error.message, error.sent) == (Failure.TOO_LARGE, "the answer is larger than 1 MiB", True)
    provider.wait_for_quiet()


def test_exactly_1_mib_is_read(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.whole(b" " * (1 << 20)))
    assert len(ask(client, provider.url).body) == 1 << 20
    provider.answer(told.whole(b" " * ((1 << 20) + 1)))
    assert refusal(client, provider.url).kind is Failure.TOO_LARGE


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_refused_in_bounded_memory(client: RequestsClient, provider: Provider, layers: int) -> None:
    ask(client, provider.url)
    bomb = gzip.compress(b" " * 300_000_000, 6)
    if layers == 2:
        bomb = gzip.compress(bomb)
    provider.answer(told.whole(bomb, Content_Encoding=", ".join(["gzip"] * layers)))
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "answer",
    [
        told.stream(endless(b"1" * 65536), told.head(200, Transfer_Encoding="chunked")),
        told.stream(endless(b"a" * 65536), b"HTTP/1.1 200 OK\r\nX-Long: "),
        told.stream(endless(b"X: y\r\n" * 1000), b"HTTP/1.1 200 OK\r\n"),
        told.stream(endless(b"a" * 65536), b"HTTP/1.1 "),
    ],
    ids=["chunk size", "header", "headers", "status line"],
)
def test_an_endless_line_is_refused_in_bounded_memory(
    client: RequestsClient, provider: Provider, answer: told.Answer
) -> None:
    provider.answer(answer)
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.CONNECTION
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


# Broken answers

BROKEN: dict[str, told.Answer] = {
    "body shorter than its length": told.truncated(b'{"balance": 5}'),
    "no final chunk": told.chunked(b'{"balance": 5}', end=b""),
    "cut in a chunk": told.chunked(b'{"balance": 5}', end=b"20\r\nabc"),
    "cut in a chunk size": told.chunked(b'{"balance": 5}', end=b"2"),
    "chunk size that is none": told.chunked(b'{"balance": 5}', end=b"zz\r\n"),
    "closed without an answer": told.closed,
    "reset without an answer": told.reset,
    "not HTTP": told.raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "two lengths": told.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n{}   "),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_answer_is_no_answer(client: RequestsClient, provider: Provider, how: str) -> None:
    provider.answer(BROKEN[how])
    error = refusal(client, provider.url)
    assert (error.kind, error.sent) == (Failure.CONNECTION, True)
    assert error.message.startswith("the connection broke before the whole answer: ")


def test_an_answer_that_is_not_gzip_as_it_says_is_invalid(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.whole(b'{"balance": 5}', Content_Encoding="gzip"))
    error = refusal(client, provider.url)
    assert (error.kind, error.message) == (Failure.INVALID, "the answer is not encoded as its Content-Encoding says")


def test_a_refused_connection_was_never_sent(client: RequestsClient) -> None:
    with Provider() as gone:
        url = gone.url
    error = refusal(client, url)
    assert (error.kind, error.message, error.sent) == (Failure.CONNECTION, "no connection: Connection refused", False)


@pytest.mark.parametrize("host", ["unknown.invalid", "a" * 64 + ".invalid", "a..invalid"])
def test_a_name_that_does_not_resolve_says_so(
    client: RequestsClient, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask_nobody(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if host == "unknown.invalid":
        monkeypatch.setattr(socket, "getaddrinfo", ask_nobody)
    error = refusal(client, f"http://{host}/{CANARY}")
    assert (error.kind, error.message, error.sent) == (Failure.DNS, "the host name does not resolve", False)


# What it must never keep, send or say


def test_cookies_are_neither_kept_nor_sent(client: RequestsClient, provider: Provider) -> None:
    provider.answer({"balance": 5}, Set_Cookie="session=1; Path=/")
    for _ in range(3):
        ask(client, provider.url)
    assert [request.headers["Cookie"] for request in provider.requests] == [None] * 3


def test_netrc_is_not_read(
    client: RequestsClient, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login someone password {CANARY}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    ask(client, provider.url, headers={"Authorization": Secret("Bearer ours")})
    ask(client, provider.url)
    assert [request.headers["Authorization"] for request in provider.requests] == ["Bearer ours", None]


def test_redirects_are_handed_back_not_followed(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.redirect("/elsewhere"))
    response = ask(client, provider.url)
    assert (response.status, response.headers["location"], len(provider.requests)) == (302, "/elsewhere", 1)


def test_the_body_of_a_redirect_is_bounded_too(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.stream(endless(b" " * 65536), told.head(302, Location="/elsewhere")))
    tracemalloc.start()
    try:
        assert refusal(client, provider.url).kind is Failure.TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_no_error_and_no_log_line_holds_the_url_or_a_header(
    client: RequestsClient, provider: Provider, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    odd = {"headers that are none": told.raw(b"HTTP/1.1 200 OK\r\nno colon\r\n: nameless\r\n\r\n{}")}
    headers = {"Authorization": Secret(f"Bearer {CANARY}")}
    errors: list[HttpError] = []
    for answer in (*BROKEN.values(), *SLOW.values(), *odd.values()):
        provider.answer(answer)
        try:
            ask(client, f"{provider.url}/{CANARY}?key={CANARY}", 0.2, headers=headers)
        except HttpError as error:
            errors.append(error)
    assert len(errors) > 15
    urls = (f"http://127.0.0.1:1/{CANARY}", f"http://a..invalid/{CANARY}", f"https://127.0.0.1:1/?k={CANARY}")
    errors += [refusal(client, url) for url in urls]
    errors.append(refusal(client, provider.url, headers={"X-Key": Secret(f"{CANARY}\n")}))
    assert (errors[-1].kind, errors[-1].sent) == (Failure.CONNECTION, False)
    for error in errors:
        assert CANARY not in f"{error} {error.message} {error!r}"
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    assert CANARY not in caplog.text
    assert CANARY not in "".join(capfd.readouterr())


# Connections


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
                ask(client, provider.url, 0.0235)
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


# Retry-After


def in_a_minute(**shift: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=60, **shift), usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 400, 999_999_999),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wednesday, 21-Oct-15 07:28:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("5, 10", None),
        ("٣", None),
        ("Wed, 99 Oct 99999 07:28:00 GMT", None),
        ("0 0 0 0 0", None),
        ("Mon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    client: RequestsClient, provider: Provider, value: str, seconds: float | None
) -> None:
    provider.answer(told.raw(told.head(429, Content_Length=0)[:-2] + f"Retry-After: {value}\r\n\r\n".encode()))
    assert ask(client, provider.url).retry_after == seconds


def test_a_retry_after_date_is_counted_from_now(client: RequestsClient, provider: Provider) -> None:
    provider.answer(told.status(503, Retry_After=in_a_minute()))
    assert ask(client, provider.url).retry_after == pytest.approx(60, abs=2)
    provider.answer(told.status(503, Retry_After=in_a_minute().replace("GMT", "-0000")))
    assert ask(client, provider.url).retry_after == pytest.approx(60, abs=2)


def test_a_retry_after_date_is_counted_from_the_answers_own_date_where_ours_is_wrong(
    client: RequestsClient, provider: Provider
) -> None:
    provider.answer(told.status(503, Date="Sun, 05 Apr 2026 10:00:00 GMT", Retry_After="Sun, 05 Apr 2026 10:00:45 GMT"))
    assert ask(client, provider.url).retry_after == 45
