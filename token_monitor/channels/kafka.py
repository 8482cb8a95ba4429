"""A Kafka topic: one record an alert, through librdkafka (https://docs.confluent.io/platform/current/clients/librdkafka)."""

import importlib.util
import re
import ssl
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from token_monitor.channels.idle import IdleTimer
from token_monitor.channels.kafka_errors import MENDED_BY_PEOPLE, TELLING, failure, name_of
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.payload import payload
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer
    from confluent_kafka import Message as Record

_TIMEOUT: Final = Seconds(10.0)
_SLICE: Final = 0.25  # the wait for metadata, before we look at the errors met meanwhile
_PATIENCE: Final = 2.0  # some brokers create a topic when asked for it, and a name may have several addresses
_PAUSE: Final = 0.05
_POLL: Final = 0.1  # https://github.com/confluentinc/confluent-kafka-python/issues/2215: above 0.2 all of it is waited
_IDLE: Final = 5.0
_LONGEST: Final = 2**31 - 1  # milliseconds, of librdkafka's settings
_BROKER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.ASCII)
_TOPIC: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")  # org.apache.kafka.common.internals.Topic


class Protocol(StrEnum):
    """Kafka's names of what is spoken to a broker."""

    PLAINTEXT = "plaintext"
    SSL = "ssl"
    SASL_PLAINTEXT = "sasl_plaintext"
    SASL_SSL = "sasl_ssl"


class Mechanism(StrEnum):
    """How a user proves who it is."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


@frozen
class Kafka:
    """brokers: `host:port`, several separated by commas. timeout: of one delivery, connecting included.

    ca_file: the certificates to trust instead of the system's, PEM.
    """

    brokers: str
    topic: str
    timeout: Seconds = _TIMEOUT
    security_protocol: Protocol = Protocol.PLAINTEXT
    sasl_mechanism: Mechanism = Mechanism.PLAIN
    username: str | None = None
    password: Secret | None = None
    ca_file: str | None = None

    def __attrs_post_init__(self) -> None:
        if importlib.util.find_spec("confluent_kafka") is None:
            raise ValueError("type kafka without its library; install token-monitor[kafka]")
        if not all(_BROKER.fullmatch(broker.strip()) for broker in self.brokers.split(",")):
            raise ValueError("unfit brokers; host:port, several separated by commas")
        if not _TOPIC.fullmatch(self.topic):
            raise ValueError("an unfit topic; 1 to 249 of the characters a-z A-Z 0-9 . _ -")
        if self._sasl != (self.username is not None) or self._sasl != (self.password is not None):
            raise ValueError("a login in part; username, password and a security_protocol that begins with sasl_")
        if self.sasl_mechanism is not Mechanism.PLAIN and not self._sasl:
            raise ValueError("sasl_mechanism without a login; a security_protocol that begins with sasl_ with it")
        if self.ca_file is not None:
            if not self._encrypted:
                raise ValueError("ca_file without TLS; a security_protocol of ssl or sasl_ssl with it")
            _check_certificates(self.ca_file)

    @property
    def _sasl(self) -> bool:
        return self.security_protocol in (Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL)

    @property
    def _encrypted(self) -> bool:
        return self.security_protocol in (Protocol.SSL, Protocol.SASL_SSL)

    def options(self, tls: Callable[[], ssl.SSLContext]) -> dict[str, Any]:
        """librdkafka's settings (its CONFIGURATION.md); the password is revealed here.

        Raises OSError: `tls` does.
        """
        milliseconds = min(max(int(self.timeout * 1000), 1), _LONGEST)
        options: dict[str, Any] = {
            "bootstrap.servers": self.brokers,
            "client.id": "token-monitor",
            "enable.idempotence": True,
            "acks": "all",
            "message.timeout.ms": milliseconds,
            "socket.connection.setup.timeout.ms": max(milliseconds, 1000),
            "topic.metadata.propagation.max.ms": milliseconds,
            "linger.ms": 0,
            "queue.buffering.max.messages": 100,
            "log.connection.close": False,
            "log_level": 0,
            "security.protocol": self.security_protocol.value,
        }
        if self.password is not None:
            options["sasl.mechanism"] = self.sasl_mechanism.value
            options["sasl.username"] = self.username
            options["sasl.password"] = self.password.reveal()
        if self._encrypted:
            options |= {"ssl.ca.location": self.ca_file} if self.ca_file is not None else _trusted(tls())
        return options


class KafkaChannel:
    """Delivered is a record that every in-sync replica has, as the delivery report says.

    One producer at a time. It goes after a failure, and with it what it still held: nothing arrives after `send` failed
    that was not flagged ambiguous. It also goes when idle, for while no broker is there it queues 2 errors a second.

    tls: see `core.tools.Tools`.
    """

    pace: Final[Pace | None] = None

    def __init__(self, settings: Kafka, tls: Callable[[], ssl.SSLContext]) -> None:
        self._settings = settings
        self._tls = tls
        self._producer: Producer | None = None
        self._met: list[KafkaError] = []
        self._idle = IdleTimer(_IDLE, self._drop)

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        deadline = time.monotonic() + self._settings.timeout
        with self._idle.use():
            try:
                record = self._delivered(self._connected(deadline), message, deadline)
            except ChannelError:
                self._drop()
                raise
        where = f"{self._settings.topic}, partition {record.partition()}, offset {record.offset()}"
        return f"{self._settings.brokers} stored it in {where}"

    def _connected(self, deadline: float) -> "Producer":
        """A producer that has found its topic. Raises ChannelError: it has not, and nothing was sent."""
        if self._producer is not None:
            self._producer.poll(0)
            if not self._met:
                return self._producer
            self._drop()
        from confluent_kafka import Producer

        try:
            options = self._settings.options(self._tls)
        except OSError as error:
            raise ChannelError(Scope.RETRY, f"{self._settings.brokers}: {error}") from None
        self._met = []
        self._producer = Producer(options | {"error_cb": self._met.append})
        self._find_topic(self._producer, deadline)
        self._met.clear()
        return self._producer

    def _find_topic(self, producer: "Producer", deadline: float) -> None:
        patience = min(deadline, time.monotonic() + _PATIENCE)
        while (error := self._looked_up(producer, deadline)) is not None:
            name = name_of(error)
            soon = name in MENDED_BY_PEOPLE or "_ALL_BROKERS_DOWN" in map(name_of, self._met)
            if name == "_AUTHENTICATION" or time.monotonic() + _SLICE >= (patience if soon else deadline):
                raise failure(self._settings.brokers, self._settings.topic, error)
            time.sleep(_PAUSE)

    def _looked_up(self, producer: "Producer", deadline: float) -> "KafkaError | None":
        """None: the topic is there. Otherwise the error that says most about why not."""
        from confluent_kafka import KafkaException

        topic = self._settings.topic
        wait = max(min(_SLICE, deadline - time.monotonic()), 0.001)
        error: KafkaError | None
        try:
            error = producer.list_topics(topic, timeout=wait).topics[topic].error
        except KafkaException as raised:
            producer.poll(0)
            met = {name_of(error): error for error in self._met}
            error = next((met[name] for name in TELLING if name in met), raised.args[0])
        return error

    def _delivered(self, producer: "Producer", message: Message, deadline: float) -> "Record":
        """The record as the broker has it. Raises ChannelError."""
        from confluent_kafka import KafkaError, KafkaException

        reports: list[tuple[KafkaError | None, Record]] = []
        try:
            producer.produce(
                self._settings.topic,
                value=payload(message),
                key=message.alert.subject.encode("utf-8", "backslashreplace"),
                headers=[("alert-id", message.id.encode()), ("content-type", b"application/json")],
                on_delivery=lambda error, record: reports.append((error, record)),
            )
        except KafkaException as raised:
            raise failure(self._settings.brokers, self._settings.topic, raised.args[0]) from None
        while not reports and (left := deadline - time.monotonic()) > 0:
            producer.poll(min(left, _POLL))
        if not reports:
            raise failure(
                self._settings.brokers, self._settings.topic, KafkaError(KafkaError._MSG_TIMED_OUT), ambiguous=True
            )
        error, record = reports[0]
        if error is not None:
            raise failure(self._settings.brokers, self._settings.topic, error, ambiguous=True)
        return record

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.close()


def _trusted(context: ssl.SSLContext) -> dict[str, str]:
    """The authorities of `context`; librdkafka's own where it does not say, as with a folder of certificates."""
    authorities = context.get_ca_certs(binary_form=True)
    return {"ssl.ca.pem": "".join(map(ssl.DER_cert_to_PEM_cert, authorities))} if authorities else {}


def _check_certificates(file: str) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except OSError:  # ssl.SSLError is one
        raise ValueError("ca_file without readable certificates; a PEM file") from None
