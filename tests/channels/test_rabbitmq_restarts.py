"""A real RabbitMQ server that goes and comes back while alerts are delivered."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from support.live_delivering import LiveDelivery
from support.rabbitmq import PASSWORD, USER, RabbitServer
from token_monitor.channels.rabbitmq import RabbitMQ, RabbitMQChannel
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]


@pytest.mark.parametrize("end", [RabbitServer.stop, RabbitServer.kill])
def test_a_server_that_ends_under_load_loses_nothing_and_keeps_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[[RabbitServer], None]
):
    with RabbitServer(tmp_path) as server:
        server.declare("alerts")
        login = (USER, Secret(PASSWORD))
        settings = RabbitMQ("127.0.0.1", *login, "alerts", port=server.port, timeout=Seconds(2.0))
        channel = RabbitMQChannel(settings, ssl.create_default_context)
        with LiveDelivery(channel, monkeypatch) as live:
            for _ in range(2):
                live.raise_alerts(400)
                live.wait_until(lambda: live.bench.pending < 300)
                end(server)
                live.wait_until(lambda: len(live.channel.failures) > 0)
                server.start()
            live.wait_until_delivered()
            messages = server.take("alerts")
            duplicates = live.check([(str(one.subject), str(one.properties.message_id)) for one in messages])
        print(f"\n800 alerts, {len(live.channel.failures)} failed attempts, {duplicates} duplicates")
