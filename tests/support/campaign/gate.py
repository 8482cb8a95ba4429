"""A port in front of a server, at which connections can be refused, reset and slowed down, while the server goes on."""

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Self

from support.services import free_port

_RESET = struct.pack("ii", 1, 0)


class Gate:
    """Open while it is entered. target: the port behind it. pause: seconds before each piece that passes.

    spared: a connection is left alone if what its client says first has this in it.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.pause: Callable[[], float] | None = None
        self.spared = b""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gate")
        self._open: set[asyncio.StreamWriter] = set()
        self._troubled: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = free_port()

    def open(self) -> None:
        deadline = time.monotonic() + 5
        while True:
            try:
                self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", self.port))
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def close(self) -> None:
        """Refuse what comes, reset what is there."""
        self._do(self._close())

    def reset(self) -> None:
        """Reset what is there."""
        self._do(self._reset())

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset()

    async def _reset(self) -> None:
        _abort(self._troubled)

    async def _end(self) -> None:
        await self._close()
        _abort(self._open)
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=5)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._open.add(writer)
        with suppress(OSError):
            first = await reader.read(65536) if self.spared else b""
            spared = bool(first) and self.spared in first
            behind, beyond = await asyncio.open_connection("127.0.0.1", self.target)
            ends.append(beyond)
            self._open.add(beyond)
            if not spared:
                self._troubled.update(ends)
            beyond.write(first)
            pumps = [asyncio.create_task(self._pump(*way, spared)) for way in ((reader, beyond), (behind, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        for end in ends:
            end.close()
        self._open.difference_update(ends)
        self._troubled.difference_update(ends)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, spared: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.pause is not None and not spared:
                    await asyncio.sleep(self.pause())
                writer.write(data)
                await writer.drain()


def _abort(writers: Iterable[asyncio.StreamWriter]) -> None:
    for writer in list(writers):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
