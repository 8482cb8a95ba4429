"""deploy/prometheus under the real promtool and the real Prometheus."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.daemon import Daemon
from support.markdown import KUBERNETES, PROMETHEUS, README
from support.prometheus import DEPLOY, Prometheus
from support.services import require
from support.site import Site

GROUPS = yaml.safe_load((DEPLOY / "token-monitor.rules.yaml").read_text(encoding="utf-8"))["groups"]
EVERY: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
RULES = [rule for rule in EVERY if "alert" in rule]
RECORDED: dict[str, str] = {rule["record"]: rule["expr"] for rule in EVERY if "record" in rule}
RULE = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def promtool(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [require("promtool"), *arguments], cwd=DEPLOY, capture_output=True, check=False, text=True, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as place:
        yield place


@pytest.fixture
def daemon(site: Site) -> Daemon:
    """One that sees 5 calls left, below the threshold of 10."""
    site.provider.says(5)
    return site.start(site.account()).watching()


@pytest.fixture
def prometheus(daemon: Daemon, tmp_path: Path) -> Iterator[Prometheus]:
    with Prometheus(tmp_path / "prometheus", daemon.entry(msg="Watching")["listen"]) as running:
        yield running


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "token-monitor.rules.yaml"), ("check", "config", "prometheus.yaml")],
    ids=["rules", "config"],
)
def test_promtool_accepts_what_is_deployed(arguments: tuple[str, ...]) -> None:
    status, said = promtool(*arguments)
    assert (status, "SUCCESS" in said) == (0, True), said


def test_every_rule_fires_and_does_not_fire_as_its_cases_say() -> None:
    status, said = promtool("test", "rules", "token-monitor.tests.yaml")
    assert status == 0, said


def test_every_rule_has_a_case_in_which_it_fires() -> None:
    cases = yaml.safe_load((DEPLOY / "token-monitor.tests.yaml").read_text(encoding="utf-8"))["tests"]
    told = [
        sample["labels"]
        for case in cases
        for asked in case["promql_expr_test"]
        for sample in asked.get("exp_samples", ())
    ]
    assert {rule["alert"] for rule in RULES} == set(re.findall(r'alertname="(\w+)"', "".join(told)))


@RULE
def test_a_rule_says_how_grave_it_is_and_has_a_section_that_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (page, anchor) == (PROMETHEUS.path, rule["alert"].lower())
    assert anchor in PROMETHEUS.anchors


def test_the_page_makes_a_url_of_each_runbook(tmp_path: Path) -> None:
    for file in DEPLOY.glob("token-monitor.*.yaml"):
        shutil.copy(file, tmp_path)
    (line,) = [block.text for block in PROMETHEUS.blocks if block.text.startswith("sed ")]
    subprocess.run(["sh", "-euc", line], cwd=tmp_path, check=True, timeout=10)

    made = (tmp_path / "token-monitor.rules.yaml").read_text(encoding="utf-8")
    urls = re.findall(r"runbook_url: (https://\S+)", made)
    assert [url.partition("/blob/main/")[2] for url in urls] == [rule["annotations"]["runbook"] for rule in RULES]
    status, said = promtool("test", "rules", str(tmp_path / "token-monitor.tests.yaml"))
    assert status == 0, said


def test_the_page_has_a_section_for_every_rule_in_their_order() -> None:
    assert [title for level, title in PROMETHEUS.headings if level == 3] == [rule["alert"] for rule in RULES]


def test_both_pages_say_which_rules_take_the_end_of_a_job_for_a_loss() -> None:
    seen_by_its_targets_alone = {"TokenMonitorAbsent", "TokenMonitorAccountGone"}
    for page in (KUBERNETES, PROMETHEUS):
        (told,) = [one for one in re.split(r"\n\n|\n- ", page.prose) if "Job" in one and "scaled to zero" in one]
        assert seen_by_its_targets_alone <= set(re.findall(r"\w+", told))


@RULE
def test_a_rule_asks_only_for_metrics_that_exist_and_shows_only_labels_that_it_has(rule: dict[str, Any]) -> None:
    metrics = {
        name: set(re.findall(r"\w+", re.sub(r"\(.*\)|histogram|–", "", labels))) for name, labels in metric_rows()
    }
    asked = re.sub(r"token_monitor:[\w:]+", lambda name: RECORDED[name[0]], rule["expr"])
    used = re.findall(r"token_monitor_\w+", asked)
    assert set(used) <= set(metrics)
    found = set() if re.search("without|group by", asked) else {"instance"}
    labels = found.union(*(metrics[name] for name in used))
    shown = re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values()))
    assert set(shown) <= labels


def metric_rows() -> list[tuple[str, str]]:
    table = README.table_with("token_monitor_balance")
    return [(name, row[1]) for name, row in zip(table.names, table.rows, strict=True)]


def test_prometheus_scrapes_the_daemon_loads_the_rules_and_fires_what_is_low_until_it_is_topped_up(
    site: Site, prometheus: Prometheus
) -> None:
    prometheus.wait_until(lambda: prometheus.firing("TokenBalanceLow"))
    (low,) = prometheus.firing("TokenBalanceLow")
    assert low["annotations"]["summary"] == "facefusion/balance is low: 5 calls left"
    assert low["labels"] == {
        "alertname": "TokenBalanceLow", "severity": "warning", "job": "token-monitor",
        "account": "facefusion", "quantity": "balance", "unit": "calls",
    }  # fmt: skip
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    loaded = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    names = [rule.get("alert") or rule["record"] for rule in EVERY]
    assert [(rule["name"], rule.get("lastError", "")) for rule in loaded] == [(name, "") for name in names]
    site.provider.says(100)
    prometheus.wait_until(lambda: not prometheus.get("alerts")["alerts"])


def test_a_monitor_that_ends_is_noticed_and_what_it_said_last_stands(daemon: Daemon, prometheus: Prometheus) -> None:
    prometheus.wait_until(lambda: prometheus.firing("TokenBalanceLow"))
    daemon.stop()
    down = "TokenMonitorDown"
    prometheus.wait_until(
        lambda: [alert for alert in prometheus.get("alerts")["alerts"] if alert["labels"]["alertname"] == down]
    )
    assert not prometheus.firing(down)  # that takes 5 minutes
    assert prometheus.get("query?query=absent(token_monitor_state)")["result"]
    assert prometheus.firing("TokenBalanceLow")
