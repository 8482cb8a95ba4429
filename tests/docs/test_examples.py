"""What the documents show is what happens: settings load, samples are what the code writes, snippets run."""

import json
import re
import shlex
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.markdown import CHINESE, OPERATIONS, README, ROOT, Block, all_blocks
from token_monitor.app.registry import REGISTRY
from token_monitor.config.load import load
from token_monitor.config.settings import Settings
from token_monitor.core.alert import Alert, Measured, Switch
from token_monitor.core.number import to_json
from token_monitor.core.ports import Change
from token_monitor.core.texts import text
from token_monitor.core.words import Kind, Language, Reason, State, Trigger, Why
from token_monitor.logs import alert_line
from token_monitor.stores.monitor_db import open_monitor_db

where = pytest.mark.parametrize
ERROR = re.compile(r"Last error: (.*?)\. Check")


def loaded(written: str, folder: Path) -> Settings:
    """With every `${NAME}` set."""
    (folder / "config.yaml").write_text(written, encoding="utf-8")
    names = re.findall(r"\$\{(\w+)\}", written)
    values = {name: "https://hooks.slack.com/services/x" if "URL" in name else f"the-{name}" for name in names}
    values |= {name: "json://alerts.example" for name in names if name == "APPRISE_URL"}
    return load({"HOME": str(folder), "TOKEN_MONITOR_CONFIG": "config.yaml", **values}, folder, REGISTRY)


@where("block", all_blocks("yaml", "config"), ids=lambda block: block.where)
def test_a_configuration_that_is_shown_can_be_loaded(block: Block, tmp_path: Path) -> None:
    assert loaded(block.text, tmp_path).accounts


def test_the_example_file_can_be_loaded_and_shows_what_it_says(tmp_path: Path) -> None:
    settings = loaded((ROOT / "examples/config.yaml").read_text(encoding="utf-8"), tmp_path)
    assert [account.name for account in settings.accounts] == ["facefusion", "chat", "video"]
    assert [list(account.channels) for account in settings.accounts] == [
        ["stdout", "team", "oncall"], ["stdout", "team", "oncall"], ["stdout", "oncall"]
    ]  # fmt: skip
    assert settings.notices == ()


def test_the_example_file_names_every_variable_it_needs() -> None:
    written = (ROOT / "examples/config.yaml").read_text(encoding="utf-8")
    (export,) = [line for line in written.splitlines() if "export FACEFUSION" in line]
    assert set(re.findall(r"(\w+)=…", export)) == set(re.findall(r"\$\{(\w+)\}", written)) - {"NAME"}


@where("block", all_blocks("json", "alert-line"), ids=lambda block: block.where)
def test_an_alert_line_that_is_shown_is_what_is_written(block: Block) -> None:
    shown = json.loads(block.text, parse_int=Decimal, parse_float=Decimal)
    alert = rebuilt({**shown, "kind": "account", "id": shown["alert_id"], "at": shown["timestamp"]})
    assert alert_line(alert, "json") == block.text.removesuffix("\n")


@where("block", all_blocks("json", "webhook"), ids=lambda block: block.where)
def test_a_webhook_that_is_shown_is_what_is_sent(block: Block) -> None:
    shown = json.loads(block.text, parse_int=Decimal, parse_float=Decimal)
    alert, note = rebuilt(shown["alert"]), ERROR.search(shown["text"])
    told = text(alert, Language.EN, note[1] if note else "")
    assert to_json({"text": told, "alert": alert.fields()}) == block.text.removesuffix("\n")


def rebuilt(shown: dict[str, Any]) -> Alert:
    """The alert that has these fields."""
    measured = None
    if "quantity" in shown:
        measured = Measured(
            shown["quantity"], Trigger(shown.get("trigger", "threshold")), shown["balance"], shown["threshold"],
            shown.get("limit"), shown["unit"],
        )  # fmt: skip
    return Alert(
        id=shown["id"],
        kind=Kind(shown["kind"]),
        subject=shown.get("subject", ""),
        account=shown["account"],
        state=State(shown["state"]),
        reason=Reason(shown["reason"]),
        episode=shown.get("episode", ""),
        at=datetime.fromisoformat(shown.get("at") or shown["timestamp"]),
        measured=measured,
    )


def test_the_kinds_and_triggers_that_the_readme_names_are_all() -> None:
    for readme in (README, CHINESE):
        paragraphs = readme.prose.split("\n\n")
        (kinds,) = [one for one in paragraphs if one.startswith("`kind`")]
        assert set(re.findall(r"`(\w+)`", kinds)) - {"kind"} == {kind.value for kind in Kind}
        (numbers,) = [one for one in paragraphs if "`trigger`" in one]
        assert {trigger.value for trigger in Trigger} <= set(re.findall(r"`(\w+)`", numbers))


def test_the_query_for_the_switches_gives_what_was_stored(tmp_path: Path) -> None:
    (line,) = [block.text for block in OPERATIONS.blocks if "sqlite3" in block.text]
    _, database, query = shlex.split(line)
    assert database == "/var/lib/token-monitor/monitor.db"
    switch = Switch("a", "primary", "spare1", Why.EXHAUSTED, datetime(2026, 4, 5, 10, tzinfo=UTC))
    store = open_monitor_db(tmp_path)
    store.commit(Change("a", switch=switch), 0.0)
    with closing(sqlite3.connect(tmp_path / "monitor.db", timeout=0)) as db:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            db.execute(query)
        store.close()
        rows = db.execute(query).fetchall()
    assert rows == [("2026-04-05T10:00:00.000Z", "a", "primary", "spare1", "exhausted", 0)]
    told = OPERATIONS.prose.partition("`why` is ")[2].partition(";")[0]
    assert set(re.findall(r"`(\w+)`", told)) == {why.value for why in Why}
