"""The tables say what the code says: variables, keys, defaults, alerts, commands, metrics, failures."""

import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import attrs
import pytest

from support.markdown import CHINESE, OPERATIONS, README, SOURCES, Document
from token_monitor import delivery
from token_monitor.app.registry import REGISTRY
from token_monitor.config.accounts import INHERITED
from token_monitor.config.from_environment import ACCOUNT_VARIABLES
from token_monitor.config.load import DAEMON, load
from token_monitor.config.settings import AccountSettings, PublishSettings, Settings
from token_monitor.core.alert import _HEADLINES, Alert
from token_monitor.core.errors import Failure
from token_monitor.core.routing import QuietHours, Route
from token_monitor.core.time import Seconds, human_duration
from token_monitor.core.words import Kind, Level, Reason, Why
from token_monitor.sources.dialect import Auth, Extract, JsonEndpoint
from token_monitor.stores import channels as channel_table

BOTH = pytest.mark.parametrize("readme", [README, CHINESE], ids=lambda document: document.path)
SAMPLES = {
    "FACEFUSION_API_TOKEN": "another-credential",
    "CRITICAL_THRESHOLD": "3",
    "ALERT_WEBHOOK_URL": "https://alerts.example.com/hook",
    "TOKEN_MONITOR_API_KEY": "a-key-of-its-own",
}
BARE = "accounts: [{name: a, credential: the-credential%s}]\n"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def load_with(yaml: str = "", **more: str) -> Settings:
        environ = {"HOME": "/home/somebody", **more}
        if yaml:
            (tmp_path / "tm.yaml").write_text(yaml)
            environ["TOKEN_MONITOR_CONFIG"] = "tm.yaml"
        else:
            environ = {"FACEFUSION_API_TOKEN": "the-credential", **environ}
        return load(environ, tmp_path, REGISTRY)

    return load_with


def cell(text: str) -> str:
    """What a cell says in code; empty for a dash."""
    return "" if text == "–" else text.strip("`")


@BOTH
def test_the_table_of_variables_has_every_variable_once(readme: Document) -> None:
    names = readme.table_with("FACEFUSION_API_TOKEN").names
    assert sorted(names) == sorted({*ACCOUNT_VARIABLES, *DAEMON.values(), "TOKEN_MONITOR_CONFIG"})


@BOTH
def test_setting_a_variable_to_the_default_in_the_table_changes_nothing(
    readme: Document, settings: Callable[..., Settings]
) -> None:
    for name, default, _ in readme.table_with("FACEFUSION_API_TOKEN").rows:
        if value := cell(default).replace("~", "/home/somebody"):
            assert settings(**{cell(name): value}) == settings(), name


@BOTH
def test_a_variable_without_a_default_in_the_table_is_not_set(
    readme: Document, settings: Callable[..., Settings]
) -> None:
    rows = readme.table_with("FACEFUSION_API_TOKEN").rows
    unset = {cell(name) for name, default, _ in rows if not cell(default)}
    assert unset == {*SAMPLES, "BALANCE_API_TOKEN", "ALERT_WEBHOOK_SECRET", "TOKEN_MONITOR_CONFIG"}
    for name, value in SAMPLES.items():
        assert settings(**{name: value}) != settings(), name


@BOTH
def test_the_table_of_account_keys_has_every_key_and_says_which_stand_in_defaults(readme: Document) -> None:
    table = readme.table_with("max_failures")
    own = {field.name for field in attrs.fields(AccountSettings)} - {"source", "rules"} | {"thresholds"}
    assert sorted(table.names) == sorted(own)
    yes = table.rows[table.names.index("interval")][2]
    assert {name for name, row in zip(table.names, table.rows, strict=True) if row[2] == yes} == set(INHERITED)


@BOTH
def test_writing_an_account_key_with_its_default_changes_nothing(
    readme: Document, settings: Callable[..., Settings]
) -> None:
    checked = 0
    for name, default, *_ in readme.table_with("max_failures").rows:
        if default.startswith("`"):
            assert settings(BARE % f", {cell(name)}: {cell(default)}") == settings(BARE % ""), name
            checked += 1
    assert checked == 7


@BOTH
def test_the_table_of_channels_has_every_type_with_its_keys_and_defaults(readme: Document) -> None:
    table = readme.table_with("slack")
    assert sorted(table.names) == sorted(["stdout", *REGISTRY.channels])
    for name, row in zip(table.names, table.rows, strict=True):
        if name in REGISTRY.channels:
            written = dict(re.findall(r"`(\w+)`(?: ?[(（](`\w+`|–)[)）])?", row[1]))
            assert {key: cell(default) for key, default in written.items()} == {
                field.name: default_of(field) for field in attrs.fields(REGISTRY.channels[name])
            }


@BOTH
def test_the_table_of_routing_has_every_key(readme: Document) -> None:
    table = readme.table_with("quiet_hours")
    assert table.names == [field.name for field in attrs.fields(Route)]
    kinds, levels, _, _, quiet = (row[2] for row in table.rows)
    assert set(re.findall(r"`(\w+)`", kinds)) == {kind.value for kind in Kind} - {"test"}
    assert set(re.findall(r"`(\w+)`", levels)) == {level.value for level in Level}
    assert {field.name for field in attrs.fields(QuietHours)} <= set(re.findall(r"`(\w+)`", quiet))


@BOTH
def test_writing_a_key_of_routing_with_its_default_changes_nothing(
    readme: Document, settings: Callable[..., Settings]
) -> None:
    channels = "channels: {c: {type: slack, url: 'https://hooks.slack.com/services/x'%s}}\n"
    written = {cell(row[0]): cell(row[1]) for row in readme.table_with("quiet_hours").rows if cell(row[1])}
    assert written == {"send_resolved": "true"}
    bare = settings(BARE % "" + channels % "")
    assert settings(BARE % "" + channels % ", send_resolved: true") == bare
    assert settings(BARE % "" + channels % ", send_resolved: false") != bare


@BOTH
def test_the_keys_of_publish_and_their_defaults_are_named(readme: Document, settings: Callable[..., Settings]) -> None:
    (told,) = [one for one in readme.prose.split("\n\n") if "`publish`" in one and "`group`" in one]
    written = dict(re.findall(r"`(\w+)`(?: ?[(（]`?(\w+|–)`?[)）])?", told))
    del written["publish"]
    fields = [field.name for field in attrs.fields(PublishSettings)]
    assert [name for name in written if name in fields] == fields
    found = settings(BARE % "" + "publish: {status: /run/status.json}\n").publish
    assert found == PublishSettings(Path("/run/status.json"), written["mode"])  # type: ignore[arg-type]


@BOTH
def test_every_cause_of_a_switch_is_named(readme: Document) -> None:
    (told,) = [one for one in readme.prose.split("\n\n") if "`credential_why`" in one]
    assert {why.value for why in Why} == set(re.findall(r"`([a-z_]+)`", told.partition("`credential_why`")[2]))


def default_of(field: "attrs.Attribute[object]") -> str:
    if field.type is Seconds or field.name == "timeout":
        return human_duration(field.default)  # type: ignore[arg-type]
    if isinstance(field.default, bool | StrEnum):
        return str(field.default).lower()
    assert field.default in (attrs.NOTHING, None, ()) or isinstance(field.default, attrs.Factory)
    return ""


@BOTH
def test_the_table_of_alerts_has_every_msg_with_its_level(readme: Document) -> None:
    told = {(cell(row[0]), row[1]) for row in readme.table_with("Token balance low").rows}
    raised = {("Token alert closed", "info")}
    for kind, state in _HEADLINES:
        reason = Reason.FIRST if state.rank else Reason.RECOVERED
        alert = Alert("id", kind, "a/b", "a", state, reason, "episode", at=None)  # type: ignore[arg-type]
        raised.add((alert.headline, alert.level.value))
    assert told == raised


@BOTH
def test_every_reason_is_named(readme: Document) -> None:
    (line,) = [line for line in readme.prose.splitlines() if line.startswith("`reason`")]
    assert set(re.findall(r"`(\w+)`", line)) - {"reason"} == {reason.value for reason in Reason}


@pytest.mark.parametrize(("kind", "first"), [(JsonEndpoint, "endpoint"), (Auth, "scheme"), (Extract, "value")])
def test_the_tables_of_the_source_dialect_have_every_key(kind: type, first: str) -> None:
    assert SOURCES.table_with(first).names == [field.name for field in attrs.fields(kind)]


@pytest.mark.parametrize("first", ["endpoint", "value"])
def test_writing_a_key_of_the_dialect_with_its_default_changes_nothing(
    first: str, settings: Callable[..., Settings]
) -> None:
    for name, default, _ in SOURCES.table_with(first).rows:
        if value := cell(default):
            written, bare = (settings(BARE % more) for more in (f", {cell(name)}: {value}", ""))
            if name == "`value`":  # it is the default of the reading, not of the setting
                continue
            assert written == bare, name


def test_the_table_of_failures_has_every_kind_in_its_order() -> None:
    assert SOURCES.table_with("timeout").names == [failure.value for failure in Failure]


def test_the_table_of_deliveries_given_up_has_every_reason() -> None:
    verdicts = re.findall(r'return "(\w+)"', inspect.getsource(delivery))
    buried = re.findall(r"why = '(\w+)'", inspect.getsource(channel_table))
    assert sorted(OPERATIONS.table_with("refused").names) == sorted([delivery.REFUSED, *verdicts, *buried])
