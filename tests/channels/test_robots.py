"""What holds for the robots of DingTalk, WeCom and Feishu alike, against robots that check what the real ones check."""

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta, timezone

import pytest
from attrs import evolve, frozen

from support.clock import FakeClock
from support.messages import FixedClock, low
from support.robots import ADDRESS, SECRET, TOKEN, DingTalkRobot, FeishuBot, Robot, WeComRobot, people_read
from token_monitor.channels.dingtalk import DingTalk, DingTalkChannel
from token_monitor.channels.feishu import Feishu, FeishuChannel
from token_monitor.channels.robot import Format
from token_monitor.channels.wecom import WeCom, WeComChannel
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.grouping import DIGEST, group_id, grouped
from token_monitor.core.message import Message
from token_monitor.core.pace import Pacer
from token_monitor.core.ports import Channel, Clock, GroupChannel
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.core.words import Level, Reason, State
from token_monitor.http import RequestsClient

HTTP = RequestsClient()
CHINESE = "【警告】facefusion：剩余 5 次调用，低于警告阈值 10。"


@frozen
class Kind:
    """One kind of robot. signs: it can ask for a signature and for keywords. size: its limit, and what it counts."""

    robot: Callable[..., Robot]
    make: Callable[..., Channel]
    signs: bool
    limits: dict[Format, int]
    size: Callable[[Robot], int]


def dingtalk(url: str, secret: str | None = None, clock: Clock | None = None, **how: object) -> Channel:
    settings = DingTalk(Url(url), secret=None if secret is None else Secret(secret), **how)
    return DingTalkChannel(settings, HTTP, clock or FixedClock())


def wecom(url: str, secret: str | None = None, clock: Clock | None = None, **how: object) -> Channel:
    assert secret is None
    return WeComChannel(WeCom(Url(url), **how), HTTP)


def feishu(url: str, secret: str | None = None, clock: Clock | None = None, **how: object) -> Channel:
    settings = Feishu(Url(url), secret=None if secret is None else Secret(secret), **how)
    return FeishuChannel(settings, HTTP, clock or FixedClock())


def whole(robot: Robot) -> int:
    return len(robot.requests[-1].body)


def content(robot: Robot) -> int:
    return len(people_read(robot.bodies[-1]).encode())


BOTH = dict.fromkeys(Format, 20_000)
KINDS = {
    "dingtalk": Kind(DingTalkRobot, dingtalk, True, BOTH, whole),
    "wecom": Kind(WeComRobot, wecom, False, {Format.TEXT: 2048, Format.MARKDOWN: 4096}, content),
    "feishu": Kind(FeishuBot, feishu, True, BOTH, whole),
}
SIGNING = [name for name, kind in KINDS.items() if kind.signs]
formats = pytest.mark.parametrize("look", list(Format))


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def robot(kind: Kind) -> Iterator[Robot]:
    with kind.robot() as running:
        yield running


def refusal(channel: Channel, message: Message | None = None) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(message or low())
    error = caught.value
    told = "".join([error.reason, repr(error), repr(channel), *traceback.format_exception(error)])
    assert error.reason.isprintable()
    assert TOKEN not in told
    assert SECRET not in told
    assert "canary" not in told
    return error


@formats
@pytest.mark.parametrize("text", [low().text, CHINESE], ids=["en", "zh"])
def test_a_robot_takes_a_message_and_people_read_all_of_it(kind: Kind, robot: Robot, look: Format, text: str) -> None:
    channel = kind.make(robot.address, format=look)
    assert channel.send(low(text)).startswith(f"{robot.authority} answered 200: ")
    [body] = robot.bodies
    read = people_read(body)
    for piece in ("facefusion", "5", "10"):
        assert piece in read
    assert text.partition(": " if text.startswith("[") else "：")[2] in read
    assert "2026-04-05 10:00:00 UTC · token-monitor" in read
    if look is Format.TEXT:
        assert text in read


def test_the_time_of_an_alert_is_utc_whatever_zone_it_was_told_in(kind: Kind, robot: Robot) -> None:
    message = low()
    there = message.alert.at.astimezone(timezone(timedelta(hours=8)))
    kind.make(robot.address).send(evolve(message, alert=evolve(message.alert, at=there)))
    assert "2026-04-05 10:00:00 UTC" in people_read(robot.bodies[0])


@formats
def test_a_group_is_one_message_with_every_text_and_no_time(kind: Kind, robot: Robot, look: Format) -> None:
    group = grouped(
        [low(number=1), low(CHINESE, number=2), low("[CRITICAL] chat: 3 calls left. Top up now.", number=3)]
    )
    kind.make(robot.address, format=look).send(group)
    [body] = robot.bodies
    read = people_read(body)
    for piece in ("5 calls left, below", "剩余 5 次调用", "3 calls left. Top up now.", "chat", "token-monitor"):
        assert piece in read
    assert "UTC" not in read


@formats
def test_a_digest_begins_with_its_heading(kind: Kind, robot: Robot, look: Format) -> None:
    for messages in ([low(CHINESE)], [low(CHINESE), low("[CRITICAL] chat: 3 calls left. Top up now.", number=2)]):
        kind.make(robot.address, format=look).send(grouped(messages, group_id(messages, DIGEST)))
        read = people_read(robot.bodies[-1])
        assert "免打扰时段内暂缓发送的告警（2026-04-05 10:00 UTC）：" in read
        assert read.index("免打扰") < read.index("剩余 5 次调用")


@formats
@pytest.mark.parametrize("name", SIGNING)
def test_a_signature_is_the_documented_one(name: str, look: Format) -> None:
    kind = KINDS[name]
    for secret in (SECRET, "x", "long" * 40, "a+b/c=&d"):
        with kind.robot(secret) as robot:
            kind.make(robot.address, secret=secret, format=look).send(low())
            assert len(robot.bodies) == 1


@pytest.mark.parametrize("name", SIGNING)
def test_a_wrong_secret_a_missing_one_and_a_wrong_clock_say_what_to_mend(name: str) -> None:
    kind = KINDS[name]
    with kind.robot(SECRET) as robot:
        wrong = refusal(kind.make(robot.address, secret="another-canary"))
        missing = refusal(kind.make(robot.address))
        late = refusal(kind.make(robot.address, secret=SECRET, clock=FixedClock(robot.wall + timedelta(minutes=61))))
        early = refusal(kind.make(robot.address, secret=SECRET, clock=FixedClock(robot.wall - timedelta(minutes=61))))
        kind.make(robot.address, secret=SECRET, clock=FixedClock(robot.wall + timedelta(minutes=59))).send(low())
    assert {error.scope for error in (wrong, missing, late, early)} == {Scope.CHANNEL}
    assert "secret" in wrong.reason
    assert "asks for a signature; set secret" in missing.reason
    assert "clock of this machine" in late.reason
    assert "clock of this machine" in early.reason


@formats
@pytest.mark.parametrize("name", SIGNING)
def test_a_keyword_that_is_missing_says_which_to_set_and_that_one_works(name: str, look: Format) -> None:
    kind = KINDS[name]
    with kind.robot(keywords=("deploy", "上线")) as robot:
        error = refusal(kind.make(robot.address, format=look))
        assert error.scope is Scope.CHANNEL
        assert "make token-monitor one" in error.reason
        for keywords in (("token-monitor",), ("facefusion",), ("[WARNING]",)):
            robot.keywords = keywords
            kind.make(robot.address, format=look).send(low())


@pytest.mark.parametrize("name", SIGNING)
def test_an_address_that_is_not_allowed_is_told_so_that_it_can_be(name: str) -> None:
    kind = KINDS[name]
    with kind.robot(closed=True) as robot:
        error = refusal(kind.make(robot.address))
    assert error.scope is Scope.CHANNEL
    assert f"address ({ADDRESS}) is not on" in error.reason


def test_a_wrong_url_is_a_matter_of_the_channel(kind: Kind, robot: Robot) -> None:
    error = refusal(kind.make(robot.address.replace(TOKEN, "wrong-canary")))
    assert error.scope is Scope.CHANNEL
    assert "copy the URL of" in error.reason


def test_too_many_messages_are_tried_again_after_a_pause(kind: Kind, robot: Robot) -> None:
    channel = kind.make(robot.address)
    while len(robot.bodies) == len(robot.requests) < 100:
        with contextlib.suppress(ChannelError):
            channel.send(low())
    error = refusal(channel)
    assert error.scope is Scope.RETRY
    assert error.retry_after in (10.0, 60.0)
    assert not error.ambiguous


def test_at_its_pace_a_robot_never_gets_too_many(kind: Kind, robot: Robot) -> None:
    clock = FakeClock()
    channel = kind.make(robot.address, clock=clock)
    assert channel.pace is not None
    pacer = Pacer(channel.pace)
    started = clock.steady
    for number in range(65):
        clock.advance(pacer.wait(clock.steady))
        if kind is KINDS["feishu"]:
            clock.advance(0.25)  # a round trip: five in a second are Feishu's other limit
        robot.wall = clock.wall
        pacer.called(clock.steady)
        channel.send(low(number=number))
    assert len(robot.bodies) == 65
    assert 180 <= clock.steady - started < 200


@formats
@pytest.mark.parametrize("letter", ["x", "额", "🟠", "é", '"', "<", "*"])
def test_a_long_text_is_cut_to_the_documented_bytes_and_says_so(
    kind: Kind, robot: Robot, look: Format, letter: str
) -> None:
    for text in (letter * 60_000, f"【严重】facefusion：{letter * 30_000}", f"{letter} " * 30_000):
        kind.make(robot.address, format=look).send(low(text))
        limit = kind.limits[look]
        assert limit - 20 <= kind.size(robot) <= limit
        read = people_read(robot.bodies[-1])
        assert "… (cut)" in read or "……（已截断）" in read
        assert "\ufffd" not in read
        assert "token-monitor" in read


@formats
def test_a_text_of_just_the_size_is_not_cut(kind: Kind, robot: Robot, look: Format) -> None:
    channel = kind.make(robot.address, format=look)
    channel.send(low("x" * 1000))
    room = kind.limits[look] - kind.size(robot)
    channel.send(low("x" * (1000 + room)))
    assert kind.size(robot) == kind.limits[look]
    assert "cut" not in people_read(robot.bodies[-1])
    channel.send(low("x" * (1001 + room)))
    assert "… (cut)" in people_read(robot.bodies[-1])


@formats
@pytest.mark.parametrize("at_all", [False, True], ids=["nobody", "everybody"])
@pytest.mark.parametrize("text", ["[WARNING] a: {} calls.", "【严重】额度：剩余 {}。", '[ERROR] a: {} <b> "*`&\x1b.'])
def test_a_group_that_fits_arrives_whole_and_one_alert_more_would_not(
    kind: Kind, robot: Robot, look: Format, text: str, at_all: bool
) -> None:
    if kind is KINDS["wecom"] and at_all and look is Format.MARKDOWN:
        pytest.skip("WeCom's Markdown mentions nobody")
    channel = kind.make(robot.address, format=look, at_all=at_all)
    assert isinstance(channel, GroupChannel)
    messages = [low(text.format(f"number-{number:03}-{'x' * 200}"), number) for number in range(100)]
    sizes = [number for number in range(2, 101) if channel.fits(grouped(messages[:number]))]
    assert sizes == list(range(2, len(sizes) + 2))
    most = sizes[-1]
    channel.send(grouped(messages[:most]))
    read = people_read(robot.bodies[-1])
    assert all(f"number-{number:03}-" in read for number in range(most))
    assert "cut" not in read
    assert "已截断" not in read
    channel.send(grouped(messages[: most + 1]))
    read = people_read(robot.bodies[-1])
    assert "… (cut)" in read or "……（已截断）" in read


@formats
@pytest.mark.parametrize("text", ["\ud800 and \x00\x1b[31m\x85\r\t", "quotes \" ' \\ \\u0041", "\u2028 👩‍👩‍👧 ﷽"])
def test_odd_characters_arrive_and_are_never_escaped(kind: Kind, robot: Robot, look: Format, text: str) -> None:
    kind.make(robot.address, format=look).send(low(text.replace("\\u", "\\ u")))
    [request] = robot.requests
    assert b"\\u" not in request.body
    assert json.loads(request.body.decode()) == robot.bodies[0]


def test_nobody_is_mentioned_when_an_episode_closes(kind: Kind, robot: Robot) -> None:
    message = low("[INFO] facefusion: recovered, 50 calls left (threshold 10).")
    closing = evolve(message, alert=evolve(message.alert, state=State.OK, reason=Reason.RECOVERED))
    assert closing.alert.level is Level.INFO
    channel = kind.make(robot.address, at_all=True)
    channel.send(closing)
    channel.send(low())
    quiet, loud = (json.dumps(body) for body in robot.bodies)
    for told in ('"isAtAll": true', "@all", "<at id=all></at>"):
        assert told not in quiet
    assert any(told in loud for told in ('"isAtAll": true', "@all", "<at id=all></at>"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"<html>errcode 0</html>",
        b"[]",
        b"null",
        b'{"ok": true}',
        b'{"errcode": null, "code": true}',
        b"[" * 9999,
    ],
)
def test_an_answer_without_a_code_is_no_acknowledgement(kind: Kind, robot: Robot, body: bytes) -> None:
    robot.answer(200, headers={"X": "y"}, body=body)
    error = refusal(kind.make(robot.address))
    assert error.scope is Scope.CHANNEL
    assert "check that the URL is" in error.reason


@pytest.mark.parametrize("status", [200, 400, 413])
@pytest.mark.parametrize("code", [1, -2, 230020, 12345678])
def test_a_code_that_nobody_documents_is_tried_again(kind: Kind, robot: Robot, code: int, status: int) -> None:
    robot.answer(status, body=json.dumps({"errcode": code, "errmsg": f"echo {TOKEN}", "code": code}).encode())
    error = refusal(kind.make(robot.address))
    assert (error.scope, error.retry_after) == (Scope.RETRY, None)
    assert f"code {code}: a code that" in error.reason


def test_a_code_of_zero_under_an_error_status_is_no_acknowledgement(kind: Kind, robot: Robot) -> None:
    for status, scope in ((500, Scope.RETRY), (403, Scope.CHANNEL), (302, Scope.CHANNEL)):
        robot.answer(status, body=b'{"errcode": 0, "code": 0}')
        assert refusal(kind.make(robot.address)).scope is scope


def test_where_the_status_says_that_the_url_is_wrong_an_unknown_code_is_not_asked(kind: Kind, robot: Robot) -> None:
    for status, scope in ((302, Scope.CHANNEL), (404, Scope.CHANNEL), (429, Scope.RETRY), (503, Scope.RETRY)):
        robot.answer(status, body=b'{"errcode": 230020, "code": 230020}')
        error = refusal(kind.make(robot.address))
        assert (error.scope, f"answered {status}: " in error.reason) == (scope, True)


@pytest.mark.parametrize("body", [b"", b'{"errcode": 0, "code": 0}', b'{"ok": false}'])
def test_without_a_code_that_refuses_it_http_400_gives_the_message_up(kind: Kind, robot: Robot, body: bytes) -> None:
    robot.answer(400, headers={"X": "y"}, body=body)
    assert refusal(kind.make(robot.address)).scope is Scope.MESSAGE


def test_a_code_as_text_counts_as_the_number(kind: Kind, robot: Robot) -> None:
    robot.answer(200, body=b'{"errcode": "0", "code": "0"}')
    assert kind.make(robot.address).send(low())
