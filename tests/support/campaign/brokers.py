"""The real brokers, read all the time by a reader that does not pass the gate."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from pika.exceptions import AMQPError

from support.campaign.counterpart import Counterpart, Fault
from support.kafka import Broker
from support.rabbitmq import PASSWORD, USER, RabbitServer

TOPIC = "alerts"
TIMEOUT = "3s"
READER = "reader-of-the-campaign"


class BrokerCounterpart(Counterpart):
    """reading: held while the broker is read or not there."""

    last = "kill"

    def begin(self) -> int:
        self.reading = threading.Lock()
        port = self.start()
        ended = threading.Event()
        reader = threading.Thread(target=self._read_on, args=[ended], name=f"reader of {self.name}")
        reader.start()
        self.opened.callback(reader.join)
        self.opened.callback(ended.set)
        return port

    def start(self) -> int:
        """Start the broker; its port."""
        raise NotImplementedError

    def read(self) -> None:
        """Record what is new."""
        raise NotImplementedError

    def killed(self) -> None: ...

    def started(self) -> None: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def faults(self) -> Mapping[str, Fault]:
        return {
            "stop": self.stopped,
            "kill": self.crashed,
            "freeze": self.frozen,
            "delay": self.slowed,
            "reset": self.resetting,
        }

    @contextmanager
    def crashed(self) -> Iterator[None]:
        """What it has acknowledged is read first, for Tansu keeps it in memory."""
        with self.stopped(), self.reading:
            self.read()
            self.killed()
            try:
                yield
            finally:
                self._start_again()

    def _start_again(self) -> None:
        """Meanwhile a connection out of this machine may have taken one of its ports, for a moment."""
        for _ in range(4):
            try:
                return self.started()
            except AssertionError:
                time.sleep(2)
        return self.started()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        with self.reading:
            self.freeze()
            try:
                yield
            finally:
                self.thaw()

    @contextmanager
    def resetting(self) -> Iterator[None]:
        over = threading.Event()

        def reset() -> None:
            while not over.wait(self.luck.uniform(0.05, 0.5)):
                self.gate.reset()

        thread = threading.Thread(target=reset, name="resets")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def finish(self) -> None:
        with self.reading:
            self.read()

    def note(self, body: bytes, alert: str | None) -> None:
        text = body.decode()
        assert json.loads(text)["alert"]["id"] == alert
        self.take([str(alert)], text)

    def _read_on(self, ended: threading.Event) -> None:
        while not ended.wait(0.1):
            with self.reading, suppress(OSError, AMQPError):  # it is read again, at the end in earnest
                self.read()


class KafkaCounterpart(BrokerCounterpart):
    name = "kafka"
    what = "Tansu, a real broker of Kafka's protocol"

    def settings(self) -> Mapping[str, Any]:
        return {"brokers": f"127.0.0.1:{self.gate.port}", "topic": TOPIC, "timeout": TIMEOUT}

    def start(self) -> int:
        self.broker = self.opened.enter_context(Broker(advertised=self.gate.port))
        self.broker.create(TOPIC)
        self._follow()
        self.opened.callback(self._leave)
        return self.broker.port

    def _follow(self) -> None:
        self.gate.spared = READER.encode()  # the broker sends its clients to the gate, the reader too
        settings = {"bootstrap.servers": self.broker.address, "group.id": READER, "client.id": READER}
        self._consumer = Consumer(settings | {"enable.auto.commit": False, "log_level": 0})
        self._consumer.assign([TopicPartition(TOPIC, 0, 0)])
        self._next = 0

    def _leave(self) -> None:
        self._consumer.close()

    def read(self) -> None:
        end = self.broker.end(TOPIC)
        while self._next < end:
            record = self._consumer.poll(1.0)
            if record is not None and record.error() is None:
                self._next = record.offset() + 1
                headers = dict(record.headers() or [])
                self.note(record.value(), headers["alert-id"].decode())

    def killed(self) -> None:
        self._leave()
        self.broker.kill()

    def started(self) -> None:
        self.broker.start()
        self.broker.create(TOPIC)
        self._follow()

    def freeze(self) -> None:
        self.broker.freeze()

    def thaw(self) -> None:
        self.broker.thaw()


class RabbitCounterpart(BrokerCounterpart):
    name = "rabbitmq"
    what = "RabbitMQ"

    def settings(self) -> Mapping[str, Any]:
        where = {"host": "127.0.0.1", "port": self.gate.port, "routing_key": TOPIC, "timeout": TIMEOUT}
        return {**where, "username": USER, "password": PASSWORD}

    def start(self) -> int:
        self.broker = self.opened.enter_context(RabbitServer(self.folder))
        self.broker.declare(TOPIC)
        return self.broker.port

    def read(self) -> None:
        for taken in self.broker.take(TOPIC):
            self.note(taken.body, taken.properties.message_id)
        time.sleep(0.1)

    def killed(self) -> None:
        self.broker.kill()

    def started(self) -> None:
        self.broker.start()

    def freeze(self) -> None:
        self.broker.freeze()

    def thaw(self) -> None:
        self.broker.thaw()
