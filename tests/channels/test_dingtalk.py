"""DingTalk's codes, mentions and look."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from support.messages import FixedClock, low
from support.robots import DingTalkRobot, hmac_sha256
from token_monitor.channels.dingtalk import DingTalk, DingTalkChannel
from token_monitor.channels.robot import Format
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.http import RequestsClient

NEWER = "description:{};solution:请联系群管理员;link:请参考本接口对应文档获得具体要求;"
SIGN = "机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中"


@pytest.fixture
def robot() -> Iterator[DingTalkRobot]:
    with DingTalkRobot() as running:
        yield running


def channel(robot: DingTalkRobot, **how: object) -> DingTalkChannel:
    return DingTalkChannel(DingTalk(Url(robot.address), **how), RequestsClient(), FixedClock())


def answered(robot: DingTalkRobot, body: dict[str, object], **how: object) -> ChannelError:
    robot.answer(body=json.dumps(body, ensure_ascii=False).encode())
    with pytest.raises(ChannelError) as caught:
        channel(robot, **how).send(low())
    return caught.value


@pytest.mark.parametrize(
    ("code", "scope", "pause", "hint"),
    [
        (-1, Scope.RETRY, None, "busy"),
        (130101, Scope.RETRY, 60.0, "20 messages a minute"),
        (410100, Scope.RETRY, 60.0, "20 messages a minute"),
        (660026, Scope.RETRY, 60.0, "20 messages a minute"),
        (88, Scope.CHANNEL, None, "access_token"),
        (404, Scope.CHANNEL, None, "copy the URL"),
        (43004, Scope.CHANNEL, None, "proxy"),
        (300001, Scope.CHANNEL, None, "no robot has this access_token"),
        (300005, Scope.CHANNEL, None, "no robot has this access_token"),
        (400101, Scope.CHANNEL, None, "no robot has this access_token"),
        (400013, Scope.CHANNEL, None, "dissolved"),
        (400102, Scope.CHANNEL, None, "stopped"),
        (400106, Scope.CHANNEL, None, "no longer in the group"),
        (40035, Scope.MESSAGE, None, "does not accept"),
        (400105, Scope.MESSAGE, None, "type of message"),
        (430101, Scope.MESSAGE, None, "unsafe link"),
        (430102, Scope.MESSAGE, None, "unsuitable"),
        (430103, Scope.MESSAGE, None, "picture"),
        (430104, Scope.MESSAGE, None, "unsuitable"),
        (460101, Scope.MESSAGE, None, "too long"),
        (777777, Scope.RETRY, None, "does not document"),
    ],
)
def test_a_code_says_what_it_means_for_the_next_message(
    robot: DingTalkRobot, code: int, scope: Scope, pause: float | None, hint: str
) -> None:
    error = answered(robot, {"errcode": code, "errmsg": "what it says"})
    assert (error.scope, error.retry_after, error.ambiguous) == (scope, pause, False)
    assert error.reason.startswith(f"{robot.authority} answered code {code}: ")
    assert hint in error.reason
    assert "what it says" not in error.reason


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("keywords not in content", "none of the robot's keywords"),
        ("sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]", "copy the secret (SEC…)"),
        ("invalid timestamp", "set the clock of this machine"),
        ("ip 203.0.113.9 not in whitelist", "address (203.0.113.9) is not on"),
        (NEWER.format("关键词不匹配"), "none of the robot's keywords"),
        (NEWER.format(SIGN), "copy the secret (SEC…)"),
        (NEWER.format("机器人发送签名过期"), "set the clock of this machine"),
        (NEWER.format("来源IP不在白名单"), "address is not on"),
        (NEWER.format("别的"), "check its keywords, secret and list of addresses"),
        ("something new", "check its keywords, secret and list of addresses"),
    ],
)
def test_one_code_for_all_security_settings_is_told_apart_by_its_words(
    robot: DingTalkRobot, words: str, hint: str
) -> None:
    error = answered(robot, {"errcode": 310000, "errmsg": words}, secret=Secret("SEC-of-the-robot"))
    assert error.scope is Scope.CHANNEL
    assert hint in error.reason


def test_the_guard_before_the_robot_asks_for_a_pause_without_a_code(robot: DingTalkRobot) -> None:
    error = answered(robot, {"status": 1111, "wait": 5, "source": "x5", "punish": "deny", "uuid": "24ce64f6"})
    assert (error.scope, error.retry_after) == (Scope.RETRY, 60.0)
    assert "code 1111" in error.reason


def test_the_signature_is_added_to_the_url_whatever_its_query(robot: DingTalkRobot) -> None:
    key = b"SEC-of-the-robot"
    secret = Secret(key.decode())
    signed = hmac.new(key, b"1775383200000\n" + key, hashlib.sha256).digest()
    assert hmac_sha256(key, b"1775383200000\n" + key) == base64.b64encode(signed).decode()
    for given, more in (("/send?access_token=t%2Bt&b=", {"access_token": ["t+t"], "b": [""]}), ("/send", {})):
        settings = DingTalk(Url(robot.url + given + "#part"), secret=secret)
        with pytest.raises(ChannelError, match="no robot has this access_token"):
            DingTalkChannel(settings, RequestsClient(), FixedClock()).send(low())
        query = parse_qs(urlsplit(robot.requests[-1].path).query, keep_blank_values=True)
        assert query == {**more, "timestamp": ["1775383200000"], "sign": [base64.b64encode(signed).decode()]}


@pytest.mark.parametrize("look", list(Format))
def test_people_are_mentioned_in_both_formats(robot: DingTalkRobot, look: Format) -> None:
    channel(robot, format=look, at_mobiles=("13800000000", "+86-13900000000")).send(low())
    channel(robot, format=look, at_all=True).send(low())
    channel(robot, format=look).send(low())
    some, everybody, nobody = robot.bodies
    assert some["at"] == {"atMobiles": ["13800000000", "+86-13900000000"], "isAtAll": False}
    assert everybody["at"] == {"atMobiles": [], "isAtAll": True}
    assert nobody["at"] == {"atMobiles": [], "isAtAll": False}
    kind = some["msgtype"]
    written = some[kind]["content" if kind == "text" else "text"]
    assert written.endswith("@13800000000 @+86-13900000000")
    assert "@" not in json.dumps(nobody[kind])


@pytest.mark.parametrize("mobile", ["", "138 0000 0000", "@all", "tom", "1380000000０", "13800000000\n"])
def test_what_is_no_phone_number_is_refused(mobile: str) -> None:
    with pytest.raises(ValueError, match="no phone number; numbers such as"):
        DingTalk(Url("https://h/x"), at_mobiles=(mobile,))


def test_markdown_is_a_heading_a_sentence_and_the_time(robot: DingTalkRobot) -> None:
    channel(robot).send(low())
    assert robot.bodies[0] == {
        "msgtype": "markdown",
        "markdown": {
            "title": "[WARNING] facefusion: 5 calls left, below the warning threshold of 10.",
            "text": "#### 🟠 [WARNING] facefusion\n\n5 calls left, below the warning threshold of 10.\n\n"
            "> 2026-04-05 10:00:00 UTC · token-monitor",
        },
        "at": {"atMobiles": [], "isAtAll": False},
    }


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("[CRITICAL] chat (balance_cny): 1 left.", "#### 🔴 [CRITICAL] chat (balance_cny)"),
        ("【严重】chat（balance_cny）：剩余 1。", "#### 🔴 【严重】chat（balance_cny）"),
        ("[INFO] chat: recovered.", "#### 🟢 [INFO] chat"),
        ("【测试】chat：这是一条测试告警。", "#### 🔵 【测试】chat"),
        ("[ERROR] chat: the balance cannot be read.", "#### 🔴 [ERROR] chat"),
        ("[NEW] chat: a tag of later.", "#### 🟠 [NEW] chat"),
    ],
)
def test_the_heading_shows_the_level_of_each_alert(robot: DingTalkRobot, text: str, heading: str) -> None:
    channel(robot).send(low(text))
    assert robot.bodies[0]["markdown"]["text"].startswith(f"{heading}\n\n")


def test_what_a_provider_says_is_no_markup(robot: DingTalkRobot) -> None:
    channel(robot).send(low("[ERROR] a*b: Last error: **x** `y` ![z](https://a.example/b.png) <font>. Check."))
    written = robot.bodies[0]["markdown"]["text"]
    assert not [markup for markup in ("**", "`", "](", "<") if markup in written]
    assert "https://a.example/b.png" in written
