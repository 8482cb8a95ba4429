from decimal import Decimal
from pathlib import Path

from token_monitor.config.credential import Credential
from token_monitor.config.settings import ChannelSettings
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url
from token_monitor.core.words import Language
from token_monitor.sources.dialect import Auth, AuthScheme, Expression, Extract, JsonEndpoint, Method

WHOLE = """
defaults: {interval: 5m, cooldown: 30m, max_failures: 4, notify_when_blind: on, thresholds: {warning: 15%}}
accounts:
  - name: facefusion
    provider: generic
    endpoint: https://api.example.org/v1/balance
    credential: ${FACEFUSION_API_TOKEN}
    value: data[0].left
    unit: calls
    method: post
    body: '{"query": "{ balance }"}'
    auth: {scheme: header, name: X-Key, prefix: "Token "}
    headers: {X-Team: "${TEAM}-1"}
    interval: 1:30
    thresholds: {warning: 10, critical: 3, margin: 0}
    channels: [ops]
  - name: deepseek
    credential: file:FOLDER/token
    language: zh
    unit: credits
    scale: 0.01
    quantities:
      balance_cny: {value: cny, unit: CNY, thresholds: {warning: 50}}
      balance_usd: {value: usd, thresholds: {}}
      other: {value: rest}
channels:
  ops: {type: webhook, url: "${OPS_URL}", secret: "0123", timeout: 2}
  chat: {type: slack, url: https://hooks.example.org/x}
"""
ONE = "accounts: [{name: a, credential: k}]\n"


def test_a_whole_file_becomes_exactly_these_settings(desk):
    desk.write("token", "sk-ds\n")
    text = WHOLE.replace("FOLDER", str(desk.folder)).replace("1:30", "90")
    environ = {"FACEFUSION_API_TOKEN": "sk-ff", "TEAM": "video", "OPS_URL": "https://ops.example.org/secret"}
    settings = desk.load(environ, text)
    first, second = settings.accounts
    assert first.source == JsonEndpoint(
        endpoint=Url("https://api.example.org/v1/balance"),
        method=Method.POST,
        body='{"query": "{ balance }"}',
        auth=Auth(AuthScheme.HEADER, "X-Key", "Token "),
        headers={"X-Team": Secret("video-1")},
        quantities={"balance": Extract(value=Expression("data[0].left"), unit="calls")},
    )
    assert first.credential == Credential(literal=Secret("sk-ff"))
    assert first.rules == {"balance": Rule(Bound(Decimal(10)), Bound(Decimal(3)), Bound(Decimal(0)))}
    assert first.channels == ("stdout", "ops")
    assert (first.interval, first.cooldown, first.max_failures, first.notify_when_blind) == (90, 1800, 4, True)

    assert (second.provider, second.language, second.interval) == ("generic", Language.ZH, 300)
    assert second.credential == Credential(file=desk.folder / "token")
    assert list(second.source.quantities.items()) == [
        ("balance_cny", Extract(value=Expression("cny"), unit="CNY", scale=Decimal("0.01"))),
        ("balance_usd", Extract(value=Expression("usd"), unit="credits", scale=Decimal("0.01"))),
        ("other", Extract(value=Expression("rest"), unit="credits", scale=Decimal("0.01"))),
    ]
    percent = Bound(Decimal(15), percent=True)
    assert second.rules == {"balance_cny": Rule(Bound(Decimal(50))), "balance_usd": Rule(), "other": Rule(percent)}
    assert second.channels == ("stdout", "ops", "chat")

    ops = settings.channels["ops"]
    assert (ops.options.url, ops.options.secret) == (Url("https://ops.example.org/secret"), Secret("0123"))
    assert ops == ChannelSettings("ops", "webhook", ops.options)
    assert (ops.options.timeout, settings.channels["chat"].options.timeout) == (Seconds(2), Seconds(5))
    assert settings.notices == ()


def test_name_and_credential_are_all_an_account_needs(desk):
    (account,) = desk.load(yaml=ONE).accounts
    assert account.source == JsonEndpoint()
    assert (account.rules, account.channels, account.language) == ({"balance": Rule()}, ("stdout",), Language.EN)


def test_a_scalar_stays_the_text_that_was_written(desk):
    text = "accounts: [{name: 0123, credential: off, unit: 1_000, value: 'no', notify_when_blind: off}]"
    (account,) = desk.load(yaml=text).accounts
    assert (account.name, account.credential.literal) == ("0123", Secret("off"))
    assert account.source.quantities == {"balance": Extract(unit="1_000", value=Expression("no"))}
    assert account.notify_when_blind is False


def test_an_empty_value_is_unset(desk):
    text = (
        "defaults:\nchannels:\n"
        'accounts: [{name: a, credential: k, unit: "", interval: ~, thresholds: , language: null}]'
    )
    assert desk.load(yaml=text) == desk.load(yaml=ONE)


def test_the_word_null_in_quotes_is_a_word(desk):
    assert desk.load(yaml='accounts: [{name: "null", credential: k}]').accounts[0].name == "null"


def test_a_variable_is_filled_in_anywhere_in_a_scalar_and_from_dotenv_and_a_file_too(desk):
    desk.write(".env", "CITY=Lyon")
    desk.write("unit", "calls\n")
    text = "accounts: [{name: 'a ${CITY}-$${CITY}-$5-$$', credential: k, unit: '${UNIT}'}]"
    (account,) = desk.load({"UNIT_FILE": "unit"}, text).accounts
    assert account.name == "a Lyon-${CITY}-$5-$$"
    assert account.source.quantities == {"balance": Extract(unit="calls")}


def test_what_a_variable_holds_is_text_and_never_yaml_or_a_reference(desk):
    text = "accounts: [{name: '${NAME}', credential: '${KEY}'}]"
    (account,) = desk.load({"NAME": "x, y: {z} ${KEY}", "KEY": "file:/nowhere"}, text).accounts
    assert account.name == "x, y: {z} ${KEY}"
    assert account.credential == Credential(literal=Secret("file:/nowhere"))


def test_a_credential_from_a_name_file_is_read_anew(desk):
    desk.write("token", "sk-1\n")
    text = "accounts: [{name: a, credential: '${KEY}'}]"
    (account,) = desk.load({"KEY_FILE": "token"}, text).accounts
    assert account.credential == Credential(file=desk.folder / "token")


def test_a_reference_may_be_put_together(desk):
    desk.write("token", "sk-1\n")
    text = "accounts: [{name: a, credential: 'file:${DIR}/token'}]"
    (account,) = desk.load({"DIR": str(desk.folder)}, text).accounts
    assert account.credential == Credential(file=Path(desk.folder, "token"))


def test_the_language_of_the_environment_is_a_default_that_the_file_overrides(desk):
    assert desk.load({"ALERT_LANGUAGE": "zh"}, ONE).accounts[0].language is Language.ZH
    assert desk.load({"ALERT_LANGUAGE": "zh"}, "defaults: {language: en}\n" + ONE).accounts[0].language is Language.EN
    assert desk.problems({"ALERT_LANGUAGE": "fr"}, ONE) == ["ALERT_LANGUAGE: fr; one of en, zh"]


def test_variables_that_the_file_does_not_use_are_named_in_one_notice(desk):
    environ = {
        "FACEFUSION_API_TOKEN": "k",
        "CHECK_INTERVAL": "0",
        "ALERT_WEBHOOK_URL_FILE": "nowhere",
        "ALERT_LANGUAGE": "zh",
        "LOG_LEVEL": "debug",
        "MAX_TOKENS": "5",
    }
    settings = desk.load(environ, "accounts: [{name: a, credential: '${FACEFUSION_API_TOKEN}'}]")
    assert settings.notices == (
        "MAX_TOKENS is set: token budgets are not part of this version",
        f"CHECK_INTERVAL, ALERT_WEBHOOK_URL: set and ignored, for {desk.folder / 'tm.yaml'} is the configuration",
    )
    assert settings.daemon.log_level == "debug"


def test_stdout_may_be_named_and_nothing_is_told_twice(desk):
    text = ONE.replace("}", ", channels: [ops, stdout, ops]}") + "channels: {ops: {type: slack, url: http://h/x}}"
    assert desk.load(yaml=text).accounts[0].channels == ("stdout", "ops")


def test_an_empty_list_of_channels_leaves_stdout(desk):
    text = ONE.replace("}", ", channels: []}") + "channels: {ops: {type: slack, url: http://h/x}}"
    assert desk.load(yaml=text).accounts[0].channels == ("stdout",)
