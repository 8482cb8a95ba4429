"""A connection to an AMQP 0-9-1 broker that confirms what is published, every wait within a deadline.

`pika.BlockingConnection` waits for a confirm as long as the broker is silent. Here its asynchronous sibling is driven
by the thread that sends; between calls nothing runs.
"""

import os
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from pika import BasicProperties, ConnectionParameters, DeliveryMode, SelectConnection
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.channel import Channel
from pika.exceptions import AMQPError
from pika.spec import Basic

_FAREWELL: Final = 0.3


class Returned(Exception):  # noqa: N818 - the protocol's word
    """No queue took the message."""


class Nacked(Exception):  # noqa: N818
    """The broker could not take responsibility for it."""


# What a `Link` raises.
FAILURES: Final = (OSError, AMQPError, AMQPConnectorException, Returned, Nacked)


class _Loop(IOLoop):
    """Knows its sockets, so that a silent connection can be ended without the broker's consent."""

    def __init__(self) -> None:
        super().__init__()
        self.watched: set[int] = set()

    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None:
        self.watched.add(fd)
        super().add_handler(fd, handler, events)

    def remove_handler(self, fd: int) -> None:
        self.watched.discard(fd)
        super().remove_handler(fd)

    def shut(self) -> None:
        for fd in self.watched:
            with socket.socket(fileno=os.dup(fd)) as duplicate:
                try:
                    duplicate.shutdown(socket.SHUT_RDWR)
                except OSError:  # not connected yet, or no more
                    continue


class Link:
    """One connection and one channel with publisher confirms.

    lost: why it is of no more use.
    blocked: the broker told publishers to wait.
    """

    def __init__(self, parameters: ConnectionParameters) -> None:
        self.lost: BaseException | None = None
        self.blocked = False
        self._channel: Channel | None = None
        self._verdict: BaseException | str | None = None
        self._loop = _Loop()
        self._connection = SelectConnection(
            parameters,
            on_open_callback=self._opened,
            on_open_error_callback=self._ended,
            on_close_callback=self._ended,
            custom_ioloop=self._loop,
        )

    def open(self, deadline: float) -> None:
        """Raises TimeoutError, or what kept the connection from opening."""
        self._run(lambda: self._channel is not None, deadline)

    def alive(self) -> bool:
        """Whether the connection is there still, by all that has come in."""
        self._turn(lambda: False, time.monotonic())
        return self.lost is None

    def publish(self, exchange: str, routing_key: str, body: bytes, message_id: str, deadline: float) -> None:
        """Returns on the broker's confirm. Raises TimeoutError, Returned, Nacked, or what ended the connection."""
        assert self._channel is not None
        properties = BasicProperties(
            content_type="application/json",
            content_encoding="utf-8",
            delivery_mode=DeliveryMode.Persistent.value,
            message_id=message_id,
            app_id="token-monitor",
        )
        self._verdict = None
        self._channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
        self._run(lambda: self._verdict is not None, deadline)
        if isinstance(self._verdict, BaseException):
            raise self._verdict

    def close(self) -> None:
        """With a farewell if the broker takes it."""
        try:
            self._part()
        except AssertionError:
            pass  # pika's own, where the abort of a connection being made meets the end of its socket
        finally:
            self._loop.close()

    def _part(self) -> None:
        if self._connection.is_open:
            self._connection.close()
            self._turn(lambda: self.lost is not None, time.monotonic() + _FAREWELL)
        elif not self._connection.is_closed and not self._connection.is_closing:
            self._connection.close()
        self._loop.shut()
        self._turn(lambda: self._connection.is_closed, time.monotonic() + _FAREWELL)

    def _run(self, done: Callable[[], bool], deadline: float) -> None:
        self._turn(lambda: done() or self.lost is not None, deadline)
        if not done():
            raise self.lost or TimeoutError

    def _turn(self, done: Callable[[], bool], deadline: float) -> None:
        """Let the connection work until `done` or the deadline, at least once unless `done`."""
        self._loop.activate_poller()
        timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), lambda: None)
        try:
            while not done():
                self._loop.poll()
                self._loop.process_timeouts()
                if time.monotonic() >= deadline:
                    return
        finally:
            self._loop.remove_timeout(timer)
            self._loop.deactivate_poller()

    def _opened(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._block(True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._block(False))
        connection.channel(on_open_callback=self._channel_opened)

    def _block(self, blocked: bool) -> None:
        self.blocked = blocked

    def _channel_opened(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._ended)
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._confirming(channel))

    def _confirming(self, channel: Channel) -> None:
        self._channel = channel

    def _returned(self, *_: object) -> None:
        self._verdict = Returned()  # a confirm follows, which then says nothing

    def _confirmed(self, frame: Any) -> None:
        if self._verdict is None:
            self._verdict = Nacked() if isinstance(frame.method, Basic.Nack) else "confirmed"

    def _ended(self, _of: object, reason: BaseException) -> None:
        self.lost = self.lost or reason
