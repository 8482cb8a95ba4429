"""The page about spare credentials says what the code says, and its examples work."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from attrs import evolve

from support.markdown import FAILOVER, ROOT, all_blocks
from support.web import account, quantity
from token_monitor import asking, failover
from token_monitor.app.daemon import SWITCHES_SHOWN
from token_monitor.app.registry import REGISTRY
from token_monitor.config.failover import MAX_SPARES
from token_monitor.config.load import load
from token_monitor.config.settings import FailoverSettings, Settings
from token_monitor.core.number import to_json
from token_monitor.core.published import OLDEST, document
from token_monitor.core.time import rfc3339
from token_monitor.core.words import State, Why
from token_monitor.stores.failovers import SWITCHES_KEPT

EXAMPLES = ROOT / "examples" / "failover"
VARIABLES = {
    "FACEFUSION_API_TOKEN": "first-one",
    "FACEFUSION_STUDIO_TOKEN": "second-one",
    "FACEFUSION_AGENCY_TOKEN": "third-one",
    "SLACK_URL": "https://hooks.slack.com/services/x",
}


def settings(folder: Path, text: str) -> Settings:
    (folder / "tm.yaml").write_text(text, encoding="utf-8")
    return load({"HOME": str(folder), "TOKEN_MONITOR_CONFIG": "tm.yaml", **VARIABLES}, folder, REGISTRY)


def test_the_table_of_keys_has_every_key() -> None:
    names = FAILOVER.table_with("dwell").names
    assert sorted(names) == sorted(field.name for field in attrs.fields(FailoverSettings))


def test_writing_a_key_with_its_default_changes_nothing(tmp_path: Path) -> None:
    bare = "accounts: [{name: a, credential: abcdef, spares: [other1], failover: {%s}}]"
    checked = 0
    for name, default, _ in FAILOVER.table_with("dwell").rows:
        if default.startswith("`"):
            written = f"{name.strip('`')}: {default.strip('`')}"
            assert settings(tmp_path, bare % written).accounts == settings(tmp_path, bare % "").accounts, name
            checked += 1
    assert checked == 4


def test_the_numbers_and_words_of_the_page_are_those_of_the_code() -> None:
    for said in (
        f"At most {MAX_SPARES} spares",
        f"the newest {SWITCHES_KEPT:,} stay",
        f"not within {OLDEST} intervals",
        f"the latest {SWITCHES_SHOWN} switches",
        "(" + ", ".join(f"`{why}`" for why in Why) + ")",
    ):
        assert said in " ".join(FAILOVER.text.split()), said
    assert timedelta(days=1).total_seconds() == failover.REVIEW_EVERY
    assert asking.GRACE < 1


@pytest.mark.parametrize("block", all_blocks("json", "status"), ids=lambda block: block.where)
def test_the_file_that_is_shown_is_one_that_is_written(block: Any) -> None:
    at = datetime(2026, 4, 5, 10, tzinfo=UTC)
    low = account("a", quantity("a", state=State.LOW, balance="5", read_at=at), last_success=at)
    assert to_json(document({"facefusion": low}, at)) + "\n" == block.text
    shown = json.loads(block.text)
    keys = {"updated", *shown["accounts"]["facefusion"]} - {"limit", "unit"}
    assert set(FAILOVER.table_with("usable").names) == keys


def test_the_example_can_be_loaded_and_names_what_the_containers_share(tmp_path: Path) -> None:
    found = settings(tmp_path, (EXAMPLES / "monitor.yaml").read_text(encoding="utf-8"))
    (only,) = found.accounts
    assert list(only.spares or {}) == ["studio", "agency"]
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    monitor, inference = compose["services"]["token-monitor"], compose["services"]["facefusion"]
    assert only.failover is not None
    assert only.failover.publish == Path("/shared/credential")
    assert [only.failover.group] == monitor["group_add"] == inference["group_add"]
    assert "shared:/shared" in monitor["volumes"]
    assert "shared:/shared:ro" in inference["volumes"]
    owner = re.search(r"uid=(\d+),gid=(\d+)", compose["volumes"]["shared"]["driver_opts"]["o"])
    assert owner is not None
    assert f"USER {owner[1]}:" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert owner[2] == only.failover.group


def test_the_container_of_the_example_has_every_program_that_its_channels_run(tmp_path: Path) -> None:
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    mounts = [volume.split(":") for volume in compose["services"]["token-monitor"]["volumes"]]
    (example,) = [source for source, place, *_ in mounts if place == "/etc/token-monitor/monitor.yaml"]
    channels = settings(tmp_path, (EXAMPLES / example).read_text(encoding="utf-8")).channels.values()
    programs = {channel.options.command[0].value for channel in channels if channel.type == "exec"}
    assert programs <= {place for _, place, *_ in mounts}


def chosen(folder: Path, calls: int = 20, name: str = "facefusion", **changes: object) -> str:
    """What the example prints for a status with these changes."""
    now = datetime.now(UTC)
    read = evolve(account("facefusion", quantity("facefusion", balance="100", read_at=now)), last_success=now)
    status: Any = json.loads(to_json(document({"facefusion": read}, now)))
    status["updated"] = changes.pop("updated", status["updated"])
    status["accounts"]["facefusion"] |= changes
    return printed(folder, json.dumps(status).encode(), calls, name)


def printed(
    folder: Path, content: bytes, calls: int = 20, name: str = "facefusion", python: str = sys.executable
) -> str:
    """What the example prints for a file with this content."""
    file = folder / "status.json"
    file.write_bytes(content)
    program = (python, EXAMPLES / "choose_processor.py", file, name, str(calls))
    done = subprocess.run(program, capture_output=True, check=True, text=True)
    assert done.stderr == ""
    return done.stdout.strip()


def ago(**age: float) -> str:
    return rfc3339(datetime.now(UTC) - timedelta(**age))


def test_the_example_runs_a_job_where_it_can_be_paid(tmp_path: Path) -> None:
    assert chosen(tmp_path) == "cloud"
    assert chosen(tmp_path, calls=100) == "cloud"
    assert chosen(tmp_path, state="unlimited", balance=None) == "cloud"
    local: list[dict[str, Any]] = [
        {"calls": 101},
        {"usable": False},
        {"usable": None, "state": "unknown", "balance": None},
        {"balance": None},
        {"name": "another"},
        {"balance": "100"},
        {"balance": True, "calls": 1},
        {"balance": float("inf")},
        {"usable": "yes"},
        {"silent": True},
        {"last_success": ago(minutes=6)},
        {"last_success": None},
        {"updated": ago(minutes=6)},
        {"updated": ago(minutes=-6)},
        {"updated": 3},
    ]
    for changes in local:
        assert chosen(tmp_path, **changes) == "local", changes


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"null", b"[]", b'{"updated":1}', b"[" * 100_000, b'{"accounts":[]}']
)
def test_the_example_runs_a_job_locally_whatever_is_in_the_file(tmp_path: Path, content: bytes) -> None:
    assert printed(tmp_path, content) == "local"


@pytest.mark.parametrize("version", ["3.8", "3.10"])
def test_the_example_runs_where_python_is_old(tmp_path: Path, version: str) -> None:
    python = f"python{version}"
    if not shutil.which(python) or subprocess.run((python, "-V"), capture_output=True, check=False).returncode:
        pytest.skip(f"there is no {python} here")
    assert chosen(tmp_path) == "cloud"
    assert printed(tmp_path, (tmp_path / "status.json").read_bytes(), python=python) == "cloud"


@pytest.mark.parametrize(("to", "status", "ran"), [("spare1", 0, True), ("", 0, False)])
def test_the_example_restarts_only_for_a_switch(tmp_path: Path, to: str, status: int, ran: bool) -> None:
    script = (EXAMPLES / "restart_on_switch.sh", "touch", tmp_path / "ran")
    environment = {"PATH": os.environ["PATH"], "TM_CREDENTIAL_TO": to}
    assert subprocess.run(script, env=environment, check=False).returncode == status
    assert (tmp_path / "ran").exists() == ran


def test_a_restart_that_fails_is_tried_again() -> None:
    environment = {"PATH": os.environ["PATH"], "TM_CREDENTIAL_TO": "spare1"}
    assert subprocess.run((EXAMPLES / "restart_on_switch.sh", "false"), env=environment, check=False).returncode == 75
