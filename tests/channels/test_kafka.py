"""Kafka, against a real broker."""

import re
import ssl
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trustme
from confluent_kafka import KafkaError

from support.kafka import Broker
from support.live_delivering import LiveDelivery
from support.messages import low
from support.relay import Relay
from token_monitor.channels.kafka import Kafka, KafkaChannel, Mechanism, Protocol
from token_monitor.channels.kafka_errors import MENDED_BY_PEOPLE, failure
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.payload import payload
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

TIMEOUT = Seconds(1.0)
_topics = count()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"alerts-{next(_topics)}"
    broker.create(name)
    return name


def settings(broker: Broker, topic: str = "alerts", **changed: Any) -> Kafka:
    return Kafka(**{"brokers": broker.address, "topic": topic, "timeout": TIMEOUT} | changed)


def channel(broker: Broker, topic: str = "alerts", **changed: Any) -> KafkaChannel:
    return KafkaChannel(settings(broker, topic, **changed), ssl.create_default_context)


def refusal(channel: KafkaChannel, text: str = "x", within: float = TIMEOUT) -> ChannelError:
    started = time.monotonic()
    with pytest.raises(ChannelError) as caught:
        channel.send(low(text))
    assert time.monotonic() - started < within + 1.0
    assert caught.value.reason.isprintable()
    assert "canary" not in caught.value.reason + repr(channel)
    return caught.value


def test_a_record_has_the_subject_as_key_the_webhooks_body_as_value_and_the_alerts_id(broker: Broker, topic: str):
    answer = channel(broker, topic).send(low())
    [stored] = broker.read(topic)
    assert answer == f"{broker.address} stored it in {topic}, partition 0, offset 0"
    assert stored.key == "facefusion/balance"
    assert stored.value == payload(low())
    assert stored.headers == {"alert-id": "e-1", "content-type": "application/json"}


def test_alerts_of_one_subject_share_a_partition(broker: Broker):
    broker.create("spread", partitions=4)
    one = channel(broker, "spread")
    for number in range(8):
        one.send(low(number=number))
    stored = broker.read("spread")
    assert len({record.partition for record in stored}) == 1
    assert [record.headers["alert-id"] for record in stored] == [f"e-{number}" for number in range(8)]


def test_a_broker_that_is_not_there_is_tried_again_and_nothing_was_sent():
    error = refusal(channel(Broker()), within=2.5)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "cannot be reached" in error.reason


def test_a_name_that_does_not_exist_is_tried_again():
    error = refusal(channel(Broker(), brokers="nobody.invalid:9092"), within=2.5)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "cannot be resolved" in error.reason


def test_one_broker_of_several_is_enough(broker: Broker, topic: str):
    assert channel(broker, topic, brokers=f"127.0.0.1:1,{broker.address}").send(low())


def test_a_frozen_broker_holds_a_delivery_no_longer_than_the_timeout_and_may_have_it(topic: str, broker: Broker):
    one = channel(broker, topic)
    one.send(low(number=1))
    broker.freeze()
    try:
        during = refusal(one)
        before = refusal(channel(broker, topic))
    finally:
        broker.thaw()
    assert (during.scope, during.ambiguous) == (Scope.RETRY, True)
    assert (before.scope, before.ambiguous) == (Scope.RETRY, False)
    one.send(low(number=2))
    ids = [stored.headers["alert-id"] for stored in broker.read(topic)]
    assert len(ids) in (2, 3)  # the one in doubt came, or it did not; the one that never left did not
    assert ids[-1] == "e-2"


def test_what_failed_without_doubt_does_not_come_later():
    broker = Broker()
    one = channel(broker)
    try:
        broker.start()
        broker.create("alerts")
        one.send(low(number=1))
        broker.kill()
        time.sleep(0.3)
        assert not refusal(one, within=2.5).ambiguous
        broker.start()
        one.send(low(number=2))
        stored = broker.read("alerts")
        assert [record.headers["alert-id"] for record in stored] == ["e-2"]
    finally:
        broker.kill()


def test_a_wrong_login_waits_for_someone_to_mend_it():
    with Broker("--authentication") as broker:
        login = {"security_protocol": Protocol.SASL_PLAINTEXT, "sasl_mechanism": Mechanism.SCRAM_SHA_256}
        error = refusal(channel(broker, **login, username="nobody", password=Secret("password-canary")))
    assert (error.scope, error.ambiguous) == (Scope.CHANNEL, False)
    assert "check username, password, sasl_mechanism" in error.reason


def test_a_topic_that_the_broker_refuses_waits_for_someone_to_mend_it(broker: Broker):
    refused = settings(broker)
    object.__setattr__(refused, "topic", "not a topic")  # which the settings themselves do not let through
    error = refusal(KafkaChannel(refused, ssl.create_default_context), within=2.5)
    assert error.scope is Scope.CHANNEL
    assert "unfit for a topic" in error.reason


@pytest.mark.parametrize("name", sorted(set(MENDED_BY_PEOPLE) - {"SASL_AUTHENTICATION_FAILED"}))
def test_what_people_must_mend_is_never_in_doubt(name: str):
    error = failure("b:1", "t", KafkaError(getattr(KafkaError, name)), ambiguous=True)
    assert (error.scope, error.ambiguous) == (Scope.CHANNEL, False)
    assert re.match(r"b:1: .{10}", error.reason)


@pytest.mark.parametrize("name", ["_MSG_TIMED_OUT", "NOT_ENOUGH_REPLICAS", "_PURGE_INFLIGHT", "KAFKA_STORAGE_ERROR"])
def test_everything_else_is_tried_again_and_in_doubt_if_it_was_sent(name: str):
    error = failure("b:1", "t", KafkaError(getattr(KafkaError, name)), ambiguous=True)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)


def test_a_broker_that_goes_away_during_the_login_is_not_one_that_refuses_it():
    gone = KafkaError(KafkaError._AUTHENTICATION, "SASL handshake failed: Local: Broker transport failure: (n/a)")
    assert failure("b:1", "t", gone).scope is Scope.RETRY


def test_a_message_too_large_is_given_up_and_the_next_one_passes(broker: Broker, topic: str):
    one = channel(broker, topic)
    error = refusal(one, "x" * 2_000_000)
    assert (error.scope, error.ambiguous) == (Scope.MESSAGE, False)
    assert one.send(low())


def test_tls_is_spoken_and_the_certificate_is_checked(tmp_path: Path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Relay(context) as relay, Broker(advertised=relay.port) as broker:
        relay.target = broker.port
        front = {"brokers": f"127.0.0.1:{relay.port}", "security_protocol": Protocol.SSL}
        assert channel(broker, **front, ca_file=str(tmp_path / "ca.pem")).send(low())
        error = refusal(channel(broker, **front), within=2.5)

        def environment() -> ssl.SSLContext:
            return ssl.create_default_context(cafile=tmp_path / "ca.pem")

        assert KafkaChannel(settings(broker, **front), environment).send(low())
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "TLS fails; check security_protocol and ca_file" in error.reason


def threads() -> int:
    """Those of librdkafka, in this process."""
    return sum(name.read_text().startswith("rdk:") for name in Path("/proc/self/task").glob("*/comm"))


def wait_for_no_threads() -> None:
    deadline = time.monotonic() + 15
    while threads():
        assert time.monotonic() < deadline, threads()
        time.sleep(0.02)


def test_threads_end_with_the_producer_when_idle_and_after_failures(
    monkeypatch: pytest.MonkeyPatch, broker: Broker, topic: str
):
    wait_for_no_threads()  # of earlier tests
    monkeypatch.setattr("token_monitor.channels.kafka._IDLE", 0.5)
    one = channel(broker, topic, timeout=Seconds(10.0))
    for _ in range(3):
        one.send(low())
    assert 0 < threads() < 6
    down = channel(Broker(), timeout=Seconds(0.2))
    errors = [refusal(down) for _ in range(5)]
    wait_for_no_threads()
    assert len(errors) == 5
    assert one.send(low())


def test_librdkafka_writes_nothing_of_its_own(capfd: pytest.CaptureFixture[str]):
    refusal(channel(Broker()), within=2.5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"brokers": "user:canary@b:1"}, "unfit brokers"),
        ({"brokers": "a:1,,b:1"}, "unfit brokers"),
        ({"topic": "a b"}, "unfit topic"),
        ({"topic": ".."}, "unfit topic"),
        ({"username": "u", "password": Secret("canary")}, "begins with sasl_"),
        ({"security_protocol": Protocol.SASL_SSL, "username": "u"}, "a login in part"),
        ({"ca_file": "/nowhere.pem"}, "without TLS"),
        ({"sasl_mechanism": Mechanism.SCRAM_SHA_256}, "sasl_mechanism without a login"),
        ({"security_protocol": Protocol.SSL, "ca_file": "/nowhere.pem"}, "readable certificates"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_words(changed: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told) as caught:
        Kafka(**{"brokers": "b:1", "topic": "t"} | changed)
    assert "canary" not in str(caught.value)


def test_a_missing_library_is_a_mistake_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"install token-monitor\[kafka\]"):
        Kafka("b:1", "t")


def arrived(broker: Broker) -> list[tuple[str, str]]:
    return [(record.key, record.headers["alert-id"]) for record in broker.read("alerts")]


def test_connections_cut_under_load_lose_nothing_and_keep_the_order(monkeypatch: pytest.MonkeyPatch):
    with Relay() as relay, Broker(advertised=relay.port) as broker:
        relay.target = broker.port
        broker_side = Broker(advertised=relay.port)
        broker_side.address = f"127.0.0.1:{relay.port}"
        broker.create("alerts", partitions=4)
        with LiveDelivery(channel(broker_side), monkeypatch) as live:
            for _ in range(3):
                live.raise_alerts(100)
                half = live.bench.pending // 2
                live.wait_until(lambda half=half: live.bench.pending <= half)
                relay.cut()
                time.sleep(0.3)
                relay.mend()
            live.wait_until_delivered()
            live.check(arrived(broker_side))


def test_a_broker_killed_and_started_again_gets_what_was_owed(monkeypatch: pytest.MonkeyPatch):
    with Broker() as broker:
        broker.create("alerts", partitions=4)
        with LiveDelivery(channel(broker), monkeypatch) as live:
            live.raise_alerts(100)
            live.wait_until_delivered()
            before = arrived(broker)  # which this broker forgets
            broker.kill()
            live.raise_alerts(100)
            live.wait_until(lambda: len(live.channel.failures) > 0)
            broker.start()  # which creates the topic when asked for it
            live.wait_until_delivered()
            live.check(before + arrived(broker))
