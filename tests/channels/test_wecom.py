"""WeCom's codes, mentions and look."""

import json
from collections.abc import Iterator

import pytest

from support.delivering import DeliveryBench
from support.messages import low
from support.robots import WeComRobot, people_read
from token_monitor.channels.robot import Format
from token_monitor.channels.wecom import WeCom, WeComChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient


@pytest.fixture
def robot() -> Iterator[WeComRobot]:
    with WeComRobot() as running:
        yield running


def channel(robot: WeComRobot, **how: object) -> WeComChannel:
    return WeComChannel(WeCom(Url(robot.address), **how), RequestsClient())


@pytest.mark.parametrize(
    ("code", "scope", "pause", "hint"),
    [
        (-1, Scope.RETRY, None, "busy"),
        (6000, Scope.RETRY, None, "busy"),
        (45009, Scope.RETRY, 60.0, "20 messages a minute"),
        (45033, Scope.RETRY, None, "too many calls at once"),
        (60020, Scope.CHANNEL, None, "trusted addresses; add it"),
        (93000, Scope.CHANNEL, None, "the key is wrong or the robot was removed"),
        (93004, Scope.CHANNEL, None, "stopped"),
        (93008, Scope.CHANNEL, None, "not in the group"),
        (40008, Scope.MESSAGE, None, "type of message"),
        (40033, Scope.MESSAGE, None, "a character of the message"),
        (40035, Scope.MESSAGE, None, "does not accept"),
        (40058, Scope.MESSAGE, None, "may be too long"),
        (44004, Scope.MESSAGE, None, "empty"),
        (45002, Scope.MESSAGE, None, "too long"),
        (47001, Scope.MESSAGE, None, "cannot read"),
        (777777, Scope.RETRY, None, "does not document"),
    ],
)
def test_a_code_says_what_it_means_for_the_next_message(
    robot: WeComRobot, code: int, scope: Scope, pause: float | None, hint: str
) -> None:
    robot.answer(body=json.dumps({"errcode": code, "errmsg": "what it says, from ip: 203.0.113.9"}).encode())
    with pytest.raises(ChannelError) as caught:
        channel(robot).send(low())
    error = caught.value
    assert (error.scope, error.retry_after, error.ambiguous) == (scope, pause, False)
    assert error.reason.startswith(f"{robot.authority} answered code {code}: ")
    assert hint in error.reason
    assert "what it says" not in error.reason


def test_markdown_is_a_coloured_line_a_sentence_and_the_time(robot: WeComRobot) -> None:
    channel(robot).send(low("【警告】facefusion：剩余 5 次调用，低于警告阈值 10。"))
    assert robot.bodies[0] == {
        "msgtype": "markdown",
        "markdown": {
            "content": '<font color="warning">**【警告】facefusion**</font>\n剩余 5 次调用，低于警告阈值 10。\n'
            '<font color="comment">2026-04-05 10:00:00 UTC · token-monitor</font>'
        },
    }


@pytest.mark.parametrize(
    ("tag", "color"),
    [("[CRITICAL] ", "warning"), ("【严重】", "warning"), ("【通知】", "info"), ("[TEST] ", "comment")],
)
def test_the_colour_is_the_level_of_each_alert(robot: WeComRobot, tag: str, color: str) -> None:
    channel(robot).send(low(f"{tag}a: b."))
    assert robot.bodies[0]["markdown"]["content"].startswith(f'<font color="{color}">**{tag}a**</font>\nb.')


def test_people_are_mentioned_in_text_which_is_then_the_format(robot: WeComRobot) -> None:
    channel(robot, at_mobiles=("13800000000",)).send(low())
    channel(robot, at_all=True, format=Format.TEXT).send(low())
    channel(robot, format=Format.TEXT).send(low())
    content = f"{low().text}\n2026-04-05 10:00:00 UTC · token-monitor"
    assert robot.bodies == [
        {"msgtype": "text", "text": {"content": content, "mentioned_mobile_list": ["13800000000"]}},
        {"msgtype": "text", "text": {"content": content, "mentioned_mobile_list": ["@all"]}},
        {"msgtype": "text", "text": {"content": content}},
    ]


@pytest.mark.parametrize("how", [{}, {"format": Format.TEXT}, {"at_all": True}])
def test_a_burst_of_long_alerts_arrives_whole_in_as_many_messages_as_it_needs(
    robot: WeComRobot, how: dict[str, object]
) -> None:
    bench = DeliveryBench()
    bench.channel = channel(robot, **how)  # type: ignore[assignment]
    bench.restart()
    for number in range(30):
        bench.raise_alert(f"account-{number}-{'额' * 80}")
    bench.run(60)
    read = "\n".join(people_read(body) for body in robot.bodies)
    assert [alert.id for alert in bench.raised if alert.id not in read] == []
    assert "已截断" not in read
    assert "(cut)" not in read
    assert 2 <= len(robot.bodies) <= 8


@pytest.mark.parametrize("who", [{"at_mobiles": ("13800000000",)}, {"at_all": True}])
def test_markdown_that_is_to_mention_people_is_refused(who: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="mentions people in format text only"):
        WeCom(Url("https://h/x"), format=Format.MARKDOWN, **who)


def test_what_a_provider_says_mentions_nobody_and_is_no_markup(robot: WeComRobot) -> None:
    channel(robot).send(low('[ERROR] a: Last error: <@all> <font color="info">x</font> **y**. Check.'))
    sentence = robot.bodies[0]["markdown"]["content"].split("\n")[1]
    assert "<" not in sentence
    assert "**" not in sentence
