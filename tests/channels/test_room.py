"""How much a message to people may hold, where no robot counts it."""

import pytest

from support.messages import low
from token_monitor.channels.apprise import Apprise, AppriseChannel
from token_monitor.channels.dingtalk import DingTalkChannel
from token_monitor.channels.email import Email, EmailChannel
from token_monitor.channels.exec import ExecChannel
from token_monitor.channels.feishu import FeishuChannel
from token_monitor.channels.kafka import KafkaChannel
from token_monitor.channels.rabbitmq import RabbitMQChannel
from token_monitor.channels.slack import Slack, SlackChannel
from token_monitor.channels.stdout import StdoutChannel
from token_monitor.channels.template import TemplatedChannel
from token_monitor.channels.webhook import WebhookChannel
from token_monitor.channels.wecom import WeComChannel
from token_monitor.core.grouping import grouped
from token_monitor.core.mail import Mailbox, compose
from token_monitor.core.message import Message
from token_monitor.core.ports import GroupChannel
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient

PEOPLE = (DingTalkChannel, WeComChannel, FeishuChannel, SlackChannel, EmailChannel, AppriseChannel)
MACHINES = (WebhookChannel, TemplatedChannel, ExecChannel, KafkaChannel, RabbitMQChannel, StdoutChannel)
MAILBOX = Mailbox("ops@example.com")


def slack() -> GroupChannel:
    return SlackChannel(Slack(Url("https://hooks.slack.com/services/T/B/x")), RequestsClient())


def email() -> GroupChannel:
    return EmailChannel(Email("smtp.example.com", MAILBOX, [MAILBOX]), None)


def discord() -> GroupChannel:
    return AppriseChannel(Apprise(Secret("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js")))


def group(alerts: int, words: str = "x" * 60) -> Message:
    return grouped([low(f"[WARNING] account-{number}: {words}", number) for number in range(alerts)])


def most(channel: GroupChannel, words: str = "x" * 60) -> int:
    """How many alerts fit; and all numbers below, but none above."""
    fitting = [alerts for alerts in range(2, 500) if channel.fits(group(alerts, words))]
    assert fitting == list(range(2, 2 + len(fitting)))
    assert len(fitting) < 400
    return fitting[-1]


def test_people_get_several_alerts_as_one_message_and_machines_never() -> None:
    assert all(hasattr(channel, "fits") for channel in PEOPLE)
    assert not any(hasattr(channel, "fits") for channel in MACHINES)


def test_slack_has_room_for_four_thousand_characters_as_they_are_sent() -> None:
    assert most(slack()) == max(count for count in range(100) if len(group(count + 1).text) <= 4000) + 1
    assert most(slack(), "<" * 60) < most(slack()) / 3


def test_a_mail_is_no_larger_than_every_server_takes() -> None:
    count = most(email())
    assert 64_000 < len(compose(group(count), MAILBOX, [MAILBOX]).as_bytes()) <= 65_536


@pytest.mark.parametrize(("words", "least", "beyond"), [("x" * 60, 20, 25), ("<" * 60, 2, 10)])
def test_a_service_of_apprise_has_the_room_that_apprise_knows(words: str, least: int, beyond: int) -> None:
    assert least <= most(discord(), words) < beyond


def test_a_service_that_shows_two_lines_gets_each_alert_alone() -> None:
    channel = discord()
    [service] = channel._notifier
    service.body_max_line_count = 2
    assert not channel.fits(group(2))
