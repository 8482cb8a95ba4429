"""A RabbitMQ exchange (AMQP 0-9-1), with publisher confirms (https://www.rabbitmq.com/docs/confirms#publisher-confirms)."""

import importlib.util
import logging
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from token_monitor.channels.idle import IdleTimer
from token_monitor.channels.rabbitmq_errors import unconfirmed, unopened
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.payload import payload
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

if TYPE_CHECKING:
    from pika import ConnectionParameters

    from token_monitor.channels.amqp import Link

_TIMEOUT: Final = Seconds(5.0)
_IDLE: Final = 10.0
_LONGEST_NAME: Final = 255  # bytes of a short string, AMQP 0-9-1 section 4.2.5.3


@frozen
class RabbitMQ:
    """Nothing is declared: exchange, queue and binding belong to whoever reads.

    port: by default 5671 or 5672, with or without tls.
    exchange: without one, to the queue that routing_key names.
    vhost: `/` by default.
    ca_file: the certificates to trust instead of the system's, PEM.
    timeout: of one delivery, connecting included.
    """

    host: str
    username: str
    password: Secret
    routing_key: str
    exchange: str | None = None
    vhost: str | None = None
    port: int | None = None
    tls: bool = False
    ca_file: str | None = None
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        if importlib.util.find_spec("pika") is None:
            raise ValueError("type rabbitmq without its library; install token-monitor[rabbitmq]")
        if not self.host or not self.host.isprintable() or set(self.host) & set(" /@,"):
            raise ValueError("an unfit host; a host name such as rabbitmq.example.com")
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError(f"port {self.port}; a port from 1 to 65535")
        if (
            max(len(name.encode()) for name in (self.exchange or "", self.routing_key, self.vhost or ""))
            > _LONGEST_NAME
        ):
            raise ValueError(f"a name too long; exchange, routing_key and vhost have at most {_LONGEST_NAME} bytes")
        if not self.exchange and not self.routing_key:
            raise ValueError("neither exchange nor routing_key; without an exchange, routing_key names the queue")
        if self.ca_file is not None:
            if not self.tls:
                raise ValueError("ca_file without tls; tls: true with it")
            _context(self.ca_file)

    @property
    def authority(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port or (5671 if self.tls else 5672)}"

    @property
    def target(self) -> str:
        """Where it publishes to, as its users call it."""
        if not self.exchange:
            return f"queue {self.routing_key!r}"
        return f"exchange {self.exchange!r} with routing key {self.routing_key!r}"


class RabbitMQChannel:
    """Delivered is a persistent message that was routed to a queue and confirmed.

    One connection at a time, closed when idle.

    tls: see `core.tools.Tools`.
    """

    pace: Final[Pace | None] = None

    def __init__(self, settings: RabbitMQ, tls: Callable[[], ssl.SSLContext]) -> None:
        self._settings = settings
        self._tls = tls
        self._link: Link | None = None
        self._idle = IdleTimer(_IDLE, self._drop)
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # each failure is said once, by us

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        from token_monitor.channels.amqp import FAILURES

        settings, deadline = self._settings, time.monotonic() + self._settings.timeout
        where = settings.exchange or "", settings.routing_key
        with self._idle.use():
            try:
                link = self._connected(deadline)
            except FAILURES as error:
                self._drop()
                raise unopened(settings.authority, settings.vhost or "/", error) from None
            try:
                link.publish(*where, payload(message), message.id, deadline)
            except FAILURES as error:
                blocked = link.blocked
                self._drop()
                raise unconfirmed(settings.authority, *where, error, blocked=blocked) from None
        return f"{settings.authority} confirmed it for {settings.target}"

    def _connected(self, deadline: float) -> "Link":
        if self._link is not None:
            if self._link.alive():
                return self._link
            self._drop()
        from token_monitor.channels.amqp import Link

        self._link = Link(self._parameters())
        self._link.open(deadline)
        return self._link

    def _parameters(self) -> "ConnectionParameters":
        import pika

        settings = self._settings
        host, port = settings.authority.rsplit(":", 1)
        context = None
        if settings.tls:
            context = self._tls() if settings.ca_file is None else _context(settings.ca_file)
        return pika.ConnectionParameters(
            host=host,
            port=int(port),
            virtual_host=settings.vhost or "/",
            credentials=pika.PlainCredentials(settings.username, settings.password.reveal()),
            ssl_options=None if context is None else pika.SSLOptions(context, host),
            connection_attempts=1,
            socket_timeout=settings.timeout,
            stack_timeout=settings.timeout,
            client_properties={"connection_name": "token-monitor"},
        )

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


def _context(file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except OSError:  # an SSLError is one
        raise ValueError("ca_file without readable certificates; a PEM file") from None
