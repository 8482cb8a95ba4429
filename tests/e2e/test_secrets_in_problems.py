"""Canaries in settings that are wrong: the problem is named, the secret is not."""

import pytest

from support.canaries import CREDENTIAL, assert_command_clean
from support.site import Site


@pytest.mark.parametrize(
    "wrong",
    [
        {"ALERT_WEBHOOK_URL": "canary-host/path"},
        {"ALERT_WEBHOOK_URL": "ftp://hooks.example/canary-path"},
        {"ALERT_WEBHOOK_URL": "https://user:canary-pass@hooks.example/canary-path"},
        {"ALERT_WEBHOOK_URL": "https://qyapi.weixin.qq.com/send?key=canary-key", "ALERT_WEBHOOK_SECRET": "canary-hmac"},
        {"ALERT_WEBHOOK_URL": "https://hooks.slack.com/services/canary", "ALERT_WEBHOOK_SECRET": "canary-hmac"},
        {"ALERT_WEBHOOK_URL": "", "ALERT_WEBHOOK_SECRET": "canary-hmac"},
        {"BALANCE_CHECK_ENDPOINT": "https://canary-user:canary-pass@api.example/v1"},
        {"BALANCE_CHECK_ENDPOINT": "//api.example/v1?key=canary-key"},
        {"FACEFUSION_API_TOKEN": "canary\ncredential"},
        {"FACEFUSION_API_TOKEN": "canary-\x1bcredential"},
        {"FACEFUSION_API_TOKEN": "canary-one", "BALANCE_API_TOKEN": "canary-two"},
        {"FACEFUSION_API_TOKEN": "canary-one", "FACEFUSION_API_TOKEN_FILE": "/nonexistent"},
    ],
)
def test_nothing_shows_in_the_problems_of_the_environment(site: Site, wrong: dict[str, str]) -> None:
    done = site.run(site.account(**wrong), "check-config")
    assert done.status == 2, done.out
    assert_command_clean(done)


@pytest.mark.parametrize(
    "text",
    [
        'accounts: [{name: a, credential: "${CREDENTIAL}", interval: "${CREDENTIAL}"}]',
        'accounts: [{name: a, credential: "${CREDENTIAL}", thresholds: {warning: "${CREDENTIAL}"}}]',
        'accounts: [{name: a, credential: "${CREDENTIAL}", provider: "${CREDENTIAL}"}]',
        'accounts: [{name: a, credential: "${CREDENTIAL}", channels: ["${CREDENTIAL}"]}]',
        'accounts: [{name: "a/${CREDENTIAL}", credential: "${CREDENTIAL}"}]',
        "accounts: [{name: a, credential: {key: canary-literal}}]",
        "accounts: [{name: a, credential: [canary-literal]}]",
        "accounts: [{name: a, credential: canary-literal, credential: canary-literal}]",
        "accounts: [{name: a, credential: 'canary-literal}]",
        "accounts: [{name: a, credential: canary-literal}, {name: b, credential: 7, cooldown: soon}]",
        'accounts: [{name: a, credential: x-credential, headers: {X-A: "canary\\nliteral"}}]',
        "accounts: [{name: a, credential: x-credential, endpoint: 'https://u:canary@h/'}]",
        "accounts: [{name: a, credential: x-credential}]\nchannels: {c: {type: webhook, url: 'canary://x/y'}}",
        "accounts: [{name: a, credential: x-credential}]\n"
        "channels: {c: {type: webhook, url: 'https://h/x', headers: {X-A: ' canary-header'}}}",
        "accounts: [{name: a, credential: x-credential}]\n"
        "channels: {c: {type: webhook, url: 'https://h/x', secret: [canary-secret]}}",
    ],
)
def test_nothing_shows_in_the_problems_of_a_file(site: Site, text: str) -> None:
    environment = site.yaml(text, CREDENTIAL=CREDENTIAL)
    for arguments in (("check-config", "--show"), ("run",), ("check",)):
        done = site.run(environment, *arguments)
        assert done.status in (2, 3), done.out
        assert_command_clean(done)
