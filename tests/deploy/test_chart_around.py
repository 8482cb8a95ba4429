"""What the chart makes around the Pod: who may reach it, whom it may reach, and what Prometheus is told of it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import helm, services
from support.chart_values import COMBINATIONS, SIDECARS
from support.markdown import ROOT

RULES = ROOT / "deploy/prometheus/token-monitor.rules.yaml"
SCRAPED = {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}


def selected(selector: dict[str, Any], values: dict[str, Any]) -> bool:
    """Whether a selector takes the Pods of the Deployment."""
    labels = helm.one("Deployment", values)["spec"]["template"]["metadata"]["labels"]
    return selector["matchLabels"].items() <= labels.items()


def test_alone_the_monitor_may_ask_names_and_https_and_be_scraped_and_nothing_else() -> None:
    policy = helm.one("NetworkPolicy")["spec"]
    assert selected(policy["podSelector"], {})
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ((source, port),) = [(rule["from"], rule["ports"]) for rule in policy["ingress"]]
    assert source == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert port == [{"port": "monitor", "protocol": "TCP"}]
    (egress,) = policy["egress"]
    assert {(each["port"], each["protocol"]) for each in egress["ports"]} == {(53, "UDP"), (53, "TCP"), (443, "TCP")}


def test_the_dns_server_may_listen_elsewhere() -> None:
    (egress,) = helm.one("NetworkPolicy", {"networkPolicy": {"dnsPort": 5353}})["spec"]["egress"]
    assert [each["port"] for each in egress["ports"]] == [5353, 5353, 443]


def test_more_may_be_allowed() -> None:
    broker = COMBINATIONS["a broker"]["networkPolicy"]["egress"]
    values = {"networkPolicy": {"egress": broker, "monitoringNamespace": "metrics"}}
    policy = helm.one("NetworkPolicy", values)["spec"]
    assert policy["egress"][1:] == broker
    assert "metrics" in str(policy["ingress"])


@pytest.mark.parametrize("mode", SIDECARS)
def test_beside_inference_there_is_no_policy_for_it_would_be_one_for_inference(mode: str) -> None:
    asked = helm.example(mode) | {"networkPolicy": {"enabled": True}}
    assert "NetworkPolicy" not in [document["kind"] for document in helm.documents(asked)]


@pytest.mark.parametrize("mode", ["watch-only", *SIDECARS])
def test_the_pod_monitor_scrapes_the_port_of_the_monitor(mode: str) -> None:
    values = helm.example(mode) | SCRAPED
    monitor = helm.one("PodMonitor", values)["spec"]
    assert selected(monitor["selector"], values)
    (endpoint,) = monitor["podMetricsEndpoints"]
    spec = helm.one("Deployment", values)["spec"]["template"]["spec"]
    every = [*spec.get("initContainers", ()), *spec["containers"]]
    (container,) = [each for each in every if endpoint["port"] in [port["name"] for port in each.get("ports", ())]]
    assert container["name"] == "token-monitor"
    assert endpoint["path"] == "/metrics"


def test_the_job_that_prometheus_scrapes_is_one_that_the_rules_know() -> None:
    label = helm.one("PodMonitor", SCRAPED)["spec"]["jobLabel"]
    job = helm.one("Deployment")["spec"]["template"]["metadata"]["labels"][label]
    patterns = set(re.findall(r'job=~"([^"]+)"', RULES.read_text(encoding="utf-8")))
    assert patterns
    assert all(re.fullmatch(pattern, job) for pattern in patterns)


def test_the_prometheus_rule_has_the_rules_that_are_tested(tmp_path: Path) -> None:
    spec = helm.one("PrometheusRule", SCRAPED)["spec"]
    assert spec == yaml.safe_load(RULES.read_text(encoding="utf-8"))
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    promtool = services.require("promtool")
    subprocess.run((promtool, "check", "rules", tmp_path / "rules.yaml"), capture_output=True, check=True)


def test_nothing_of_the_operator_is_made_unless_it_is_asked_for() -> None:
    operators = {"PodMonitor", "PrometheusRule"}
    assert not operators & {document["kind"] for document in helm.documents()}
    labelled = [helm.one(kind, COMBINATIONS["an operator that selects"]) for kind in operators]
    assert [each["metadata"]["labels"]["release"] for each in labelled] == ["prometheus", "prometheus"]
