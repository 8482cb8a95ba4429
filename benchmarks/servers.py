"""A provider and a receiver that cost little: raw asyncio, in the process of the benchmark or in one of their own."""

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable

Answer = Callable[[str, bytes], bytes]
"""(path, body) → the JSON body of the answer."""


class Server:
    """HTTP/1.1 with keep-alive on a free loopback port, in a thread of its own.

    answered: when each answer left, by path; `time.monotonic`.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._ready = threading.Event()
        self.port = 0
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next(
                    (int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0
                )
                body = await reader.readexactly(length)
                answer = self._answer(head.split(" ", 2)[1], body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


def balance(value: object) -> bytes:
    return json.dumps({"balance": value}).encode()


class Stamps:
    """When things happened, by a key; `time.monotonic`."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.times: list[tuple[str, float]] = []

    def add(self, key: str) -> None:
        with self.changed:
            self.times.append((key, time.monotonic()))
            self.changed.notify_all()

    def wait_for(self, count: int, timeout: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: len(self.times) >= count, timeout)
