"""A real RabbitMQ server in a folder and on ports of its own, and a reader that shares nothing with our channel."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pika
from attrs import frozen
from pika.adapters.blocking_connection import BlockingChannel

from support import services

USER, PASSWORD = "ops", "rabbit-canary"  # may do everything in /
WRITER = "writer"  # may write to what is called open…


@frozen
class Taken:
    """One message as the server gives it out."""

    exchange: str
    routing_key: str
    properties: pika.BasicProperties
    body: bytes
    redelivered: bool

    @property
    def subject(self) -> str:
        return str(json.loads(self.body)["alert"]["subject"])


class RabbitServer:
    """What it stored and its ports outlive a restart.

    settings: lines of rabbitmq.conf.
    """

    def __init__(self, folder: Path, *settings: str) -> None:
        services.require("rabbitmq-server")
        self._epmd_program = str(services.require("epmd"))
        self._folder = folder
        self.port, distribution, self._names = (services.free_port() for _ in range(3))
        self._write("definitions.json", json.dumps(_definitions()))
        self._write("plugins", "[].")
        own = (f"listeners.tcp.1 = 127.0.0.1:{self.port}", f"load_definitions = {folder}/definitions.json")
        self._write("rabbitmq.conf", "\n".join((*own, "log.console.level = error", *settings)) + "\n")
        self._environment = os.environ | {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "ERL_CRASH_DUMP": f"{folder}/crash",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self._epmd: subprocess.Popen[bytes] | None = None
        self._shell: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it serves."""
        if self._epmd is None:  # or the server would leave one behind
            command = [self._epmd_program, "-port", str(self._names), "-address", "127.0.0.1"]
            self._epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with (self._folder / "out").open("ab") as out:
            self._shell = subprocess.Popen(
                ["/usr/lib/rabbitmq/bin/rabbitmq-server"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._shell.poll() is None, (self._folder / "out").read_text()[-2000:]
            try:
                with self.channel():
                    return
            except pika.exceptions.AMQPError:
                time.sleep(0.1)
        raise TimeoutError((self._folder / "out").read_text()[-2000:])

    def stop(self) -> None:
        """As an administrator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        """A channel of the administrator's."""
        login = pika.PlainCredentials(USER, PASSWORD)
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", self.port, credentials=login))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def declare(self, queue: str, exchange: str = "", routing_key: str = "", **arguments: Any) -> None:
        """A durable queue, emptied, perhaps bound to a durable topic exchange."""
        with self.channel() as channel:
            channel.queue_declare(queue, durable=True, arguments=arguments or None)
            channel.queue_purge(queue)
            if exchange:
                channel.exchange_declare(exchange, "topic", durable=True)
                channel.queue_bind(queue, exchange, routing_key)

    def take(self, queue: str) -> list[Taken]:
        """All that is in `queue`, and no more."""
        taken = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None or properties is None or body is None:
                    return taken
                taken.append(Taken(method.exchange, method.routing_key, properties, body, method.redelivered))

    def _end(self, how: signal.Signals) -> None:
        if self._shell is not None:
            self._signal(how)
            self._shell.wait(60)
            self._shell = None

    def _signal(self, how: signal.Signals) -> None:
        os.kill(int((self._folder / "pid").read_text()), how)

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if self._shell is not None:
            with suppress(OSError):  # it ended by itself, perhaps before it wrote its id
                self._signal(signal.SIGKILL)
            with suppress(ProcessLookupError):
                os.killpg(self._shell.pid, signal.SIGKILL)
            self._shell.wait(60)
            self._shell = None
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait()
            self._epmd = None


def _definitions() -> dict[str, Any]:
    def permission(user: str, write: str) -> dict[str, str]:
        return {"user": user, "vhost": "/", "configure": ".*", "write": write, "read": ".*"}

    users = [{"name": name, "password": PASSWORD, "tags": "administrator"} for name in (USER, WRITER)]
    return {
        "users": users,
        "vhosts": [{"name": "/"}, {"name": "closed"}],
        "permissions": [permission(USER, ".*"), permission(WRITER, "open.*")],
    }
