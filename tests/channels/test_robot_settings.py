"""The robots as users configure them."""

from pathlib import Path

import pytest

from token_monitor.app.registry import REGISTRY
from token_monitor.channels.dingtalk import DingTalk, DingTalkChannel
from token_monitor.channels.feishu import Feishu, FeishuChannel
from token_monitor.channels.robot import Format
from token_monitor.channels.slack import Slack, SlackChannel
from token_monitor.channels.webhook import Webhook
from token_monitor.channels.wecom import WeCom, WeComChannel
from token_monitor.config.load import load
from token_monitor.config.problems import ConfigError
from token_monitor.config.settings import Settings
from token_monitor.core.pace import Pace
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

DINGTALK = "https://oapi.dingtalk.com/robot/send?access_token=canary-token"
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=canary-key"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/canary-hook"
LARK = "https://open.larksuite.com/open-apis/bot/v2/hook/canary-hook"
SLACK = "https://hooks.slack.com/services/T/B/canary"


def from_environment(folder: Path, **environ: str) -> Settings:
    return load({"HOME": str(folder), "FACEFUSION_API_TOKEN": "tok-1234567", **environ}, folder, REGISTRY)


def problems(folder: Path, yaml: str = "", **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        from_yaml(folder, yaml) if yaml else from_environment(folder, **environ)
    return [str(problem) for problem in caught.value.problems]


def from_yaml(folder: Path, channel: str) -> object:
    file = folder / "tm.yaml"
    file.write_text(f"accounts: [{{name: a, credential: c}}]\nchannels: {{ops: {channel}}}\n")
    return load({"HOME": str(folder), "TOKEN_MONITOR_CONFIG": str(file)}, folder, REGISTRY).channels["ops"].options


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (DINGTALK, DingTalk),
        (WECOM, WeCom),
        (FEISHU, Feishu),
        (LARK, Feishu),
        (SLACK, Slack),
        ("https://OAPI.DingTalk.com/robot/send?access_token=t", DingTalk),
        ("https://oapi.dingtalk.com./robot/send?access_token=t", DingTalk),
        ("https://qyapi.weixin.qq.com.:443/cgi-bin/webhook/send?key=k", WeCom),
        ("https://Open.Feishu.cn./open-apis/bot/v2/hook/h", Feishu),
        ("https://hooks.slack.com./services/T/B/x", Slack),
        ("https://oapi.dingtalk.com.example/robot/send", Webhook),
        ("https://api.dingtalk.com/x", Webhook),
    ],
)
def test_the_host_of_the_webhook_url_says_what_it_is(tmp_path: Path, url: str, kind: type) -> None:
    settings = from_environment(tmp_path, ALERT_WEBHOOK_URL=url, WEBHOOK_TIMEOUT="2")
    assert settings.channels["webhook"].options == kind(Url(url), timeout=Seconds(2.0))


@pytest.mark.parametrize("url", [DINGTALK, FEISHU, LARK])
def test_the_webhook_secret_signs_for_dingtalk_and_feishu(tmp_path: Path, url: str) -> None:
    settings = from_environment(tmp_path, ALERT_WEBHOOK_URL=url, ALERT_WEBHOOK_SECRET="SECcanary")
    options = settings.channels["webhook"].options
    assert isinstance(options, DingTalk | Feishu)
    assert options.secret == Secret("SECcanary")
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(("url", "kind"), [(WECOM, "wecom"), (SLACK, "slack")])
def test_where_there_is_nothing_to_sign_a_secret_is_a_mistake(tmp_path: Path, url: str, kind: str) -> None:
    assert problems(tmp_path, ALERT_WEBHOOK_URL=url, ALERT_WEBHOOK_SECRET="SECcanary") == [
        f"ALERT_WEBHOOK_SECRET: ***; unset; a channel of type {kind} has no secret"
    ]


def test_every_key_can_be_written_in_yaml(tmp_path: Path) -> None:
    ding = f"{{type: dingtalk, url: '{DINGTALK}', secret: SECx, format: Text, at_mobiles: [13800000000], at_all: yes}}"
    assert from_yaml(tmp_path, ding) == DingTalk(Url(DINGTALK), Secret("SECx"), Format.TEXT, ("13800000000",), True)
    wecom = f"{{type: wecom, url: '{WECOM}', at_mobiles: ['+86-13800000000'], timeout: 3s}}"
    assert from_yaml(tmp_path, wecom) == WeCom(Url(WECOM), at_mobiles=("+86-13800000000",), timeout=Seconds(3.0))
    feishu = f"{{type: feishu, url: '{LARK}', secret: x, format: markdown, at_users: [ou_1a], at_all: true}}"
    assert from_yaml(tmp_path, feishu) == Feishu(Url(LARK), Secret("x"), Format.MARKDOWN, ("ou_1a",), True)


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        (f"{{type: dingtalk, url: '{DINGTALK}', format: html}}", "channels.ops.format: html; one of markdown, text"),
        (
            f"{{type: dingtalk, url: '{DINGTALK}', at_mobiles: [tom-canary]}}",
            "channels.ops: at_mobiles with what is no phone number; numbers such as 13800000000 or +86-13800000000",
        ),
        (
            f"{{type: dingtalk, url: '{DINGTALK}', at_mobiles: 13800000000}}",
            "channels.ops.at_mobiles: a single value; a list such as [a, b]",
        ),
        (
            f"{{type: wecom, url: '{WECOM}', format: markdown, at_all: yes}}",
            "channels.ops: format markdown with at_mobiles or at_all; WeCom mentions people in format text only",
        ),
        (
            f"{{type: feishu, url: '{FEISHU}', at_users: [all]}}",
            "channels.ops: at_users with what is no open_id; ids such as ou_18eac85d35a26f989317ad4f02e8bbbb",
        ),
        (f"{{type: wecom, url: '{WECOM}', secret: SECcanary}}", "channels.ops.secret: unknown key; "),
        ("{type: feishu}", "channels.ops.url: missing"),
        (
            "{type: webhook, url: 'https://OAPI.dingtalk.com./robot/send?access_token=canary'}",
            "channels.ops.type: webhook; dingtalk, whose host this URL names",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(tmp_path: Path, channel: str, line: str) -> None:
    [told] = problems(tmp_path, channel)
    assert told.startswith(line)
    assert "canary" not in told


def test_robots_are_paced_to_twenty_a_minute_and_slack_to_one_a_second() -> None:
    for channel in (DingTalkChannel, WeComChannel, FeishuChannel):
        assert channel.pace == Pace(20, 60.0)
    assert SlackChannel.pace == Pace(1, 1.0)
