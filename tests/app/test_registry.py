"""What can be configured by name."""

import subprocess
import sys

import attrs
import pytest

from token_monitor.app.registry import REGISTRY
from token_monitor.core.time import Seconds


@pytest.mark.parametrize(
    ("host", "channel"),
    [
        ("hooks.slack.com", "slack"),
        ("hooks.slack-gov.com", "slack"),
        ("oapi.dingtalk.com", "dingtalk"),
        ("qyapi.weixin.qq.com", "wecom"),
        ("open.feishu.cn", "feishu"),
        ("open.larksuite.com", "feishu"),
        ("alerts.example.org", "webhook"),
    ],
)
def test_the_host_of_a_webhook_tells_its_channel(host: str, channel: str) -> None:
    assert REGISTRY.channel_of_host(host) == channel


@pytest.mark.parametrize("name", REGISTRY.channels)
def test_every_channel_type_has_frozen_settings(name: str) -> None:
    settings = REGISTRY.channels[name]
    assert attrs.has(settings)
    assert name in REGISTRY.channels


@pytest.mark.parametrize("name", REGISTRY.channels)
def test_the_timeout_of_every_channel_type_is_one_that_the_settings_bound(name: str) -> None:
    timeout = attrs.fields_dict(REGISTRY.channels[name]).get("timeout")
    assert timeout is None or timeout.type is Seconds


def test_a_daemon_imports_the_code_of_no_channel_that_it_does_not_use() -> None:
    code = "import sys, token_monitor.app.daemon; print(*sorted(m for m in sys.modules if '.channels.' in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["token_monitor.channels.stdout"]
