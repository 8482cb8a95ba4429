"""Channels that do not speak HTTP, each with its real receiver, which can be out of reach for a while."""

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from email import message_from_bytes
from pathlib import Path

from attrs import field, frozen

from support.kafka import Broker
from support.mail_server import MailServer
from support.rabbitmq import PASSWORD, USER, RabbitServer
from support.receiver import Receiver
from support.relay import Relay
from support.tools import make_tools
from token_monitor.channels.apprise import Apprise, AppriseChannel
from token_monitor.channels.email import Email, EmailChannel, Security
from token_monitor.channels.exec import Exec, ExecChannel
from token_monitor.channels.kafka import Kafka, KafkaChannel
from token_monitor.channels.rabbitmq import RabbitMQ, RabbitMQChannel
from token_monitor.core.argument import Argument
from token_monitor.core.mail import Mailbox
from token_monitor.core.message import Message
from token_monitor.core.ports import Channel
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

TIMEOUT = Seconds(5.0)
CANARIES = (PASSWORD, "path-canary", "query-canary")

Ids = Callable[[], list[str]]


def id_of(message: Message) -> str:
    return message.id


@frozen
class Peer:
    """arrived: what tells each message apart, in the order in which they came. named: the same of one to be sent.

    where: is in every answer and reason. away, back: the receiver is out of reach, and is not.
    """

    channel: Channel
    arrived: Ids
    where: str
    away: Callable[[], None]
    back: Callable[[], None]
    named: Callable[[Message], str] = field(default=id_of)


Open = Callable[[Path], AbstractContextManager[Peer]]


@contextmanager
def email(_folder: Path) -> Iterator[Peer]:
    with MailServer() as server, Relay() as relay:
        relay.target = server.port
        sender = Mailbox("monitor@example.com")
        settings = Email("127.0.0.1", sender, [sender], Security.NONE, relay.port, timeout=TIMEOUT)

        def arrived() -> list[str]:
            contents = [mail.content for mail in server.mails]
            found = [message_from_bytes(content)["Message-ID"] for content in contents if isinstance(content, bytes)]
            return [str(name).strip("<>").partition("@")[0] for name in found]

        channel = EmailChannel(settings, make_tools())
        yield Peer(channel, arrived, f"127.0.0.1:{relay.port}", relay.cut, relay.mend)


@contextmanager
def kafka(_folder: Path) -> Iterator[Peer]:
    with Relay() as relay, Broker(advertised=relay.port) as broker:
        relay.target = broker.port
        broker.create("alerts")
        settings = Kafka(f"127.0.0.1:{relay.port}", "alerts", TIMEOUT)

        def arrived() -> list[str]:
            return [stored.headers["alert-id"] for stored in broker.read("alerts")]

        channel = KafkaChannel(settings, ssl.create_default_context)
        yield Peer(channel, arrived, settings.brokers, relay.cut, relay.mend)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[Peer]:
    with RabbitServer(folder) as server, Relay() as relay:
        relay.target = server.port
        server.declare("alerts")
        settings = RabbitMQ("127.0.0.1", USER, Secret(PASSWORD), "alerts", port=relay.port, timeout=TIMEOUT)
        came: list[str] = []

        def arrived() -> list[str]:
            came.extend(str(taken.properties.message_id) for taken in server.take("alerts"))
            return came

        channel = RabbitMQChannel(settings, ssl.create_default_context)
        yield Peer(channel, arrived, settings.authority, relay.cut, relay.mend)


@contextmanager
def exec_(folder: Path) -> Iterator[Peer]:
    """Its receiver is out of reach when the program says so."""
    program, came, away = folder / "program", folder / "came", folder / "away"
    program.write_text(f'#!/bin/sh\n[ -e "{away}" ] && exit 75\necho "$TM_ID" >> "{came}"\n')
    program.chmod(0o755)
    came.touch()
    channel = ExecChannel(Exec([Argument(str(program))], TIMEOUT))
    yield Peer(channel, lambda: came.read_text().split(), str(program), away.touch, away.unlink)


@contextmanager
def apprise(_folder: Path) -> Iterator[Peer]:
    """Its services have no place for an id."""
    with Receiver() as receiver, Relay() as relay:
        relay.target = receiver.port
        url = f"json://user:{PASSWORD}@127.0.0.1:{relay.port}/path-canary?+X-Key=query-canary"

        def arrived() -> list[str]:
            return [json.loads(request.body)["message"] for request in receiver.requests]

        channel = AppriseChannel(Apprise(Secret(url), TIMEOUT))
        yield Peer(channel, arrived, "json://", relay.cut, relay.mend, lambda message: message.text)


PEERS: Mapping[str, Open] = {
    "apprise": apprise,
    "email": email,
    "exec": exec_,
    "kafka": kafka,
    "rabbitmq": rabbitmq,
}
