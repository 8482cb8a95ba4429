"""Feishu's codes, mentions and look."""

import json
from collections.abc import Iterator

import pytest
from attrs import evolve

from support.messages import FixedClock, low
from support.robots import FeishuBot
from token_monitor.channels.feishu import Feishu, FeishuChannel
from token_monitor.channels.robot import Format
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.grouping import grouped
from token_monitor.core.secret import Secret
from token_monitor.core.url import Url
from token_monitor.core.words import Kind, Reason, State
from token_monitor.http import RequestsClient

USER = "ou_18eac85d35a26f989317ad4f02e8bbbb"


@pytest.fixture
def bot() -> Iterator[FeishuBot]:
    with FeishuBot() as running:
        yield running


def channel(bot: FeishuBot, **how: object) -> FeishuChannel:
    return FeishuChannel(Feishu(Url(bot.address), **how), RequestsClient(), FixedClock())


def answered(bot: FeishuBot, status: int, body: dict[str, object], **headers: str) -> ChannelError:
    bot.answer(status, body=json.dumps(body).encode(), headers={"X": "y", **headers})
    with pytest.raises(ChannelError) as caught:
        channel(bot).send(low())
    return caught.value


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("name", ["code", "StatusCode"])
@pytest.mark.parametrize(
    ("code", "words", "scope", "pause", "hint"),
    [
        (11232, "frequency limited psm[lark.oapi]appID[1500]", Scope.RETRY, 10.0, "asks for a pause"),
        (99991400, "request trigger frequency limit", Scope.RETRY, 10.0, "asks for a pause"),
        (9499, "Bad Request", Scope.MESSAGE, None, "does not accept"),
        (19001, "param invalid: incoming webhook access token invalid", Scope.CHANNEL, None, "no bot has this URL"),
        (19002, "params error, msg_type need", Scope.MESSAGE, None, "does not accept"),
        (19007, "Bot Not Enabled", Scope.CHANNEL, None, "not enabled"),
        (19021, "sign match fail or timestamp is not within one hour", Scope.CHANNEL, None, "set secret"),
        (19022, "Ip Not Allowed", Scope.CHANNEL, None, "list of addresses; add it"),
        (19024, "Key Words Not Found", Scope.CHANNEL, None, "none of the bot's keywords"),
        (19036, "The message exceeds the size limit of 30KB", Scope.MESSAGE, None, "too long"),
        (200621, "parse card json err", Scope.MESSAGE, None, "the card"),
    ],
)
def test_a_code_says_what_it_means_for_the_next_message_whatever_the_status_and_its_name(
    bot: FeishuBot, status: int, name: str, code: int, words: str, scope: Scope, pause: float | None, hint: str
) -> None:
    error = answered(bot, status, {name: code, "msg": words, "data": {}})
    assert (error.scope, error.retry_after, error.ambiguous) == (scope, pause, False)
    assert error.reason.startswith(f"{bot.authority} answered code {code}: ")
    assert hint in error.reason


@pytest.mark.parametrize("words", ["too many request", "Too Many Requests", "frequency limited"])
def test_a_bad_request_that_says_too_many_is_tried_again(bot: FeishuBot, words: str) -> None:
    error = answered(bot, 200, {"code": 9499, "msg": words})
    assert (error.scope, error.retry_after) == (Scope.RETRY, 10.0)


def test_a_refusal_beside_an_old_success_is_a_refusal(bot: FeishuBot) -> None:
    assert answered(bot, 200, {"StatusCode": 0, "code": 19024, "msg": ""}).scope is Scope.CHANNEL
    assert answered(bot, 200, {"StatusCode": 19024, "code": 0, "msg": ""}).scope is Scope.CHANNEL


def test_a_server_in_trouble_is_that_whatever_its_code(bot: FeishuBot) -> None:
    assert answered(bot, 502, {"code": 19001}).scope is Scope.RETRY
    assert answered(bot, 502, {"code": 19021}).scope is Scope.RETRY


def test_the_old_answer_is_an_acknowledgement_too(bot: FeishuBot) -> None:
    bot.answer(body=b'{"Extra":null,"StatusCode":0,"StatusMessage":"success"}')
    assert channel(bot).send(low())


def test_the_signature_is_the_example_of_the_document(bot: FeishuBot) -> None:
    """Time and secret are the key, the message is empty. By OpenSSL: HMAC-SHA256 of "" under "1775383200\\ndemo"."""
    bot.secret = "demo"
    channel(bot, secret=Secret("demo")).send(low())
    [body] = bot.bodies
    assert body["timestamp"] == "1775383200"
    assert body["sign"] == "6+akonczuEpPtQODxftKJQZDdOn/ZAoxq9yX/nmt5xs="


def test_markdown_is_a_card_with_the_colour_of_its_level(bot: FeishuBot) -> None:
    channel(bot).send(low("【警告】facefusion：剩余 5 次调用，低于警告阈值 10。"))
    assert bot.bodies[0] == {
        "msg_type": "interactive",
        "card": {
            "config": {"wide_screen_mode": True},
            "header": {"template": "orange", "title": {"tag": "plain_text", "content": "【警告】facefusion"}},
            "elements": [
                {"tag": "div", "text": {"tag": "plain_text", "content": "剩余 5 次调用，低于警告阈值 10。"}},
                {
                    "tag": "note",
                    "elements": [{"tag": "plain_text", "content": "2026-04-05 10:00:00 UTC · token-monitor"}],
                },
            ],
        },
    }


@pytest.mark.parametrize(
    ("changed", "color"),
    [
        ({"state": State.CRITICAL}, "red"),
        ({"state": State.EXHAUSTED}, "red"),
        ({"state": State.OK, "reason": Reason.RECOVERED}, "green"),
        ({"kind": Kind.VISIBILITY, "state": State.CRITICAL, "measured": None}, "red"),
        ({"kind": Kind.TEST, "state": State.OK, "measured": None}, "blue"),
    ],
)
def test_the_card_has_the_colour_of_the_level(bot: FeishuBot, changed: dict[str, object], color: str) -> None:
    message = low()
    channel(bot).send(evolve(message, alert=evolve(message.alert, **changed)))
    assert bot.bodies[0]["card"]["header"]["template"] == color


def test_the_card_of_a_group_is_headed_by_its_gravest_alert(bot: FeishuBot) -> None:
    grave = low("[CRITICAL] chat: 3 calls left.", 2)
    grave = evolve(grave, alert=evolve(grave.alert, state=State.CRITICAL))
    channel(bot).send(grouped([low(), grave]))
    card = bot.bodies[0]["card"]
    assert card["header"] == {"template": "red", "title": {"tag": "plain_text", "content": "[CRITICAL] chat"}}
    assert card["elements"][0]["text"]["content"] == f"{low().text}\n[CRITICAL] chat: 3 calls left."


def test_a_text_without_a_head_still_has_a_card(bot: FeishuBot) -> None:
    channel(bot).send(low("something else"))
    channel(bot).send(low(""))
    assert [body["card"]["header"]["title"]["content"] for body in bot.bodies] == ["token-monitor"] * 2


def test_people_are_mentioned_in_both_formats(bot: FeishuBot) -> None:
    channel(bot, at_users=(USER,), at_all=True).send(low())
    channel(bot, at_users=(USER,), at_all=True, format=Format.TEXT).send(low())
    card, text = bot.bodies
    assert card["card"]["elements"][1] == {"tag": "markdown", "content": f"<at id={USER}></at><at id=all></at>"}
    assert text == {
        "msg_type": "text",
        "content": {
            "text": f"{low().text}\n2026-04-05 10:00:00 UTC · token-monitor\n"
            f'<at user_id="{USER}"></at><at user_id="all"></at>'
        },
    }


def test_what_a_provider_says_mentions_nobody(bot: FeishuBot) -> None:
    channel(bot, format=Format.TEXT).send(low('Last error: <at user_id="all">x</at>'))
    assert "<at" not in bot.bodies[0]["content"]["text"]


@pytest.mark.parametrize("user", ["", "13800000000", "all", "ou_", "ou_a b", 'ou_"x'])
def test_what_is_no_open_id_is_refused(user: str) -> None:
    with pytest.raises(ValueError, match="no open_id; ids such as ou_"):
        Feishu(Url("https://h/x"), at_users=(user,))
