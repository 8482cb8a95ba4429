from decimal import Decimal
from pathlib import Path

import pytest

from support.config_tables import bad_cases
from token_monitor.config.credential import Credential
from token_monitor.config.load import load
from token_monitor.config.settings import AccountSettings, DaemonSettings
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Endpoint, Url
from token_monitor.core.words import Language
from token_monitor.sources.dialect import Expression, Extract, JsonEndpoint

TOKEN = {"FACEFUSION_API_TOKEN": "sk-abcdef"}
DURATION = "a duration above 0 such as 300, 30s, 5m or 1h30m"


def test_a_credential_alone_is_enough_and_the_rest_are_the_documented_defaults(desk):
    settings = desk.load({**TOKEN, "HOME": "/home/someone"})
    source = JsonEndpoint(
        endpoint=Endpoint("https://api.facefusion.cloud/v1/balance"),
        quantities={"balance": Extract(value=Expression("balance"), unit="calls")},
    )
    assert settings.accounts == (
        AccountSettings(
            name="facefusion",
            provider="generic",
            source=source,
            credential=Credential(literal=Secret("sk-abcdef")),
            rules={"balance": Rule(warning=Bound(Decimal(10)))},
            channels=("stdout",),
            interval=300,
            timeout=10,
            cooldown=1800,
            max_failures=5,
            notify_when_blind=False,
            language=Language.EN,
        ),
    )
    assert settings.channels == {}
    assert settings.notices == ()
    assert settings.daemon == DaemonSettings(
        data=Path("/home/someone/.local/state/token-monitor"),
        listen=("127.0.0.1", 9775),
        log_level="info",
        log_format="json",
    )


def test_every_variable_has_its_effect(desk):
    settings = desk.load(
        {
            "BALANCE_API_TOKEN": "sk-other",
            "BALANCE_CHECK_ENDPOINT": "http://127.0.0.1:8080/b?x=1",
            "BALANCE_PROVIDER": "generic",
            "BALANCE_FIELD": "data.left",
            "BALANCE_UNIT": "CNY",
            "ACCOUNT_NAME": "studio",
            "WARNING_THRESHOLD": "15%",
            "CRITICAL_THRESHOLD": "0.50",
            "CHECK_INTERVAL": "1h30m",
            "REQUEST_TIMEOUT": "0.5",
            "ALERT_COOLDOWN": "0",
            "MAX_FAILURES": "1",
            "NOTIFY_WHEN_BLIND": "Yes",
            "ALERT_LANGUAGE": "zh",
            "ALERT_WEBHOOK_URL": "https://example.org/hook/abc",
            "ALERT_WEBHOOK_SECRET": "hmac-key",
            "WEBHOOK_TIMEOUT": "2s",
            "TOKEN_MONITOR_DATA": ":memory:",
            "TOKEN_MONITOR_LISTEN": "[::1]:9775",
            "TOKEN_MONITOR_API_KEY": "admin",
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "console",
        }
    )
    (account,) = settings.accounts
    assert account.source.endpoint == Endpoint("http://127.0.0.1:8080/b?x=1")
    assert account.source.quantities == {"balance": Extract(value=Expression("data.left"), unit="CNY")}
    assert account.rules == {"balance": Rule(Bound(Decimal(15), percent=True), Bound(Decimal("0.50")))}
    assert (account.name, account.credential) == ("studio", Credential(literal=Secret("sk-other")))
    assert (account.interval, account.timeout, account.cooldown) == (5400, 0.5, 0)
    assert (account.max_failures, account.notify_when_blind, account.language) == (1, True, Language.ZH)
    assert account.channels == ("stdout", "webhook")
    webhook = settings.channels["webhook"]
    assert (webhook.name, webhook.type) == ("webhook", "webhook")
    assert webhook.options.url == Url("https://example.org/hook/abc")
    assert (webhook.options.secret, webhook.options.timeout) == (Secret("hmac-key"), Seconds(2))
    assert settings.daemon == DaemonSettings(None, ("::1", 9775), "debug", "console", Secret("admin"))


@pytest.mark.parametrize(("assignment", "problems"), bad_cases(Path(__file__).with_name("bad_environment.txt")))
def test_every_bad_variable_gives_exactly_the_line_of_the_table(desk, assignment, problems):
    name, _, value = assignment.partition("=")
    assert desk.problems({**TOKEN, name: value}) == problems


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("FACEFUSION_API_TOKEN", "a\nb", "holds a line break, a control character or outer white space"),
        ("ACCOUNT_NAME", "a\udcffb", "not UTF-8"),
        ("ACCOUNT_NAME", "a\x1b[2J", "a\\x1b[2J"),
    ],
)
def test_a_value_that_is_no_line_of_text_is_told_in_one_line(desk, name, value, found):
    (line,) = desk.problems({**TOKEN, name: value})
    assert line.startswith(f"{name}: {found}; ")


def test_all_mistakes_are_told_in_one_run(desk):
    environ = {
        "CHECK_INTERVAL": "0",
        "BALANCE_CHECK_ENDPOINT": "x",
        "CRITICAL_THRESHOLD": "20",
        "ALERT_WEBHOOK_URL": "x",
        "WEBHOOK_TIMEOUT": "0",
        "LOG_LEVEL": "loud",
        "MAX_FAILURES": "a",
        "MAX_FAILURES_FILE": "b",
    }
    assert [line.partition(":")[0] for line in desk.problems(environ)] == [
        "ALERT_WEBHOOK_URL",
        "BALANCE_CHECK_ENDPOINT",
        "CHECK_INTERVAL",
        "CRITICAL_THRESHOLD",
        "FACEFUSION_API_TOKEN",
        "LOG_LEVEL",
        "MAX_FAILURES",
        "WEBHOOK_TIMEOUT",
    ]


def test_without_a_credential_the_line_says_what_to_set(desk):
    assert desk.problems() == [
        "FACEFUSION_API_TOKEN: not set; the credential, or FACEFUSION_API_TOKEN_FILE; "
        "for many accounts TOKEN_MONITOR_CONFIG, a YAML file"
    ]


def test_the_alias_may_repeat_the_credential(desk):
    settings = desk.load({**TOKEN, "BALANCE_API_TOKEN": "sk-abcdef"})
    assert settings.accounts[0].credential == Credential(literal=Secret("sk-abcdef"))


def test_a_credential_file_is_kept_as_a_file_so_that_it_is_read_anew(desk):
    file = desk.write("token", "sk-1\n")
    credential = desk.load({"FACEFUSION_API_TOKEN_FILE": file}).accounts[0].credential
    assert credential == Credential(file=Path(file))
    desk.write("token", "sk-2\n")
    assert credential.resolve() == Secret("sk-2")


def test_an_empty_credential_file_is_a_problem(desk):
    desk.write("token", "\n")
    assert desk.problems({"BALANCE_API_TOKEN_FILE": "token"}) == [
        "BALANCE_API_TOKEN_FILE: an empty file; a file with the credential"
    ]


def test_an_unreadable_credential_file_is_not_also_called_missing(desk):
    assert desk.problems({"FACEFUSION_API_TOKEN_FILE": "gone"}) == [
        "FACEFUSION_API_TOKEN_FILE: FOLDER/gone cannot be read: No such file or directory; a readable text file"
    ]


@pytest.mark.parametrize("token", ["file:/etc/hostname", "vault:kv/x#y", "${HOME}", "aws-sm:x"])
def test_a_token_of_the_environment_is_never_taken_for_a_reference(desk, token):
    account = desk.load({"FACEFUSION_API_TOKEN": token}).accounts[0]
    assert account.credential == Credential(literal=Secret(token))


def test_an_empty_variable_is_unset(desk):
    environ = {**TOKEN, "CHECK_INTERVAL": "", "ALERT_WEBHOOK_URL": "", "BALANCE_API_TOKEN": "", "ACCOUNT_NAME_FILE": ""}
    assert desk.load(environ) == desk.load(TOKEN)


def test_a_value_read_from_a_file_is_named_by_its_file_and_not_shown(desk):
    desk.write("interval", "hunter2")
    assert desk.problems({**TOKEN, "CHECK_INTERVAL_FILE": "interval"}) == [
        f"CHECK_INTERVAL_FILE: the content of FOLDER/interval; {DURATION}"
    ]


def test_slack_takes_no_webhook_secret_and_the_problem_says_so(desk):
    environ = {**TOKEN, "ALERT_WEBHOOK_URL": "https://hooks.slack.com/services/x", "ALERT_WEBHOOK_SECRET": "s"}
    assert desk.problems(environ) == ["ALERT_WEBHOOK_SECRET: ***; unset; a channel of type slack has no secret"]
    del environ["ALERT_WEBHOOK_SECRET"]
    assert desk.load(environ).channels["webhook"].type == "slack"


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("off", None),
        ("OFF", None),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("localhost:0", ("localhost", 0)),
        ("[::]:9", ("::", 9)),
    ],
)
def test_listen_is_host_and_port_or_off(desk, text, listen):
    assert desk.load({**TOKEN, "TOKEN_MONITOR_LISTEN": text}).daemon.listen == listen


def test_the_state_folder_of_the_desktop_is_the_default_and_only_an_absolute_one_counts(desk):
    def data(**environ):
        return desk.load({**TOKEN, **environ}).daemon.data

    assert data(XDG_STATE_HOME="/s", HOME="/h") == Path("/s/token-monitor")
    assert data(XDG_STATE_HOME="s", HOME="/h") == Path("/h/.local/state/token-monitor")
    assert data(TOKEN_MONITOR_DATA="/d", XDG_STATE_HOME="/s") == Path("/d")


def test_on_a_terminal_logs_are_for_people_unless_said_otherwise(desk, registry):
    assert load(TOKEN, desk.folder, registry, terminal=True).daemon.log_format == "console"
    assert load({**TOKEN, "LOG_FORMAT": "json"}, desk.folder, registry, terminal=True).daemon.log_format == "json"


def test_budgets_are_announced_as_not_part_of_this_version(desk):
    notices = desk.load({**TOKEN, "MAX_TOKENS": "9", "WARNING_RATIO_FILE": "nowhere"}).notices
    assert notices == (
        "MAX_TOKENS is set: token budgets are not part of this version",
        "WARNING_RATIO is set: token budgets are not part of this version",
    )
