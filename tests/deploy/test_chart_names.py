"""Names that YAML would take for something else stay texts, and what would be no name is refused by the chart."""

import copy
from typing import Any

import pytest

from support import helm
from support.chart_values import COMBINATIONS, INFERENCE
from support.kubernetes import validate

LABELS = {"release": "true", "team": "1e3"}
STRANGE: dict[str, Any] = {
    "settings": {"NO": "off", "Y": "1"},
    "secret": {"name": "123", "values": {"ON": "1", "NULL": "~"}},
    "config": "accounts: []\n",
    "persistence": {"enabled": True, "size": "1", "storageClassName": "1.5"},
    "networkPolicy": {"monitoringNamespace": "true"},
    "podMonitor": {"enabled": True, "interval": "1m30s", "labels": LABELS},
    "prometheusRule": {"enabled": True, "labels": LABELS},
    "pod": {"serviceAccountName": "0x1"},
    "podLabels": LABELS,
    "podAnnotations": {"example.com/scrape": "false"},
}


@pytest.mark.parametrize("name", ["123", "true", "null", "0x1", "1.5", "2026-01-01", "a" * 53])
def test_a_name_that_looks_like_a_number_stays_a_name(name: str) -> None:
    beside = {name: value for name, value in STRANGE.items() if name not in ("persistence", "networkPolicy", "pod")} | {
        "mode": "native-sidecar",
        "inference": {"container": INFERENCE},
        "sharedFolder": True,
    }
    for values in ({}, STRANGE, beside):
        for document in helm.documents(values, name):
            validate(document)
            if document["kind"] != "Secret":
                assert document["metadata"]["name"] == name


def test_a_name_is_nothing_but_a_name() -> None:
    asked = copy.deepcopy(COMBINATIONS["an operator that selects"])
    asked["podMonitor"]["labels"] = {"release": "a", "app.kubernetes.io/instance": "mine"}
    labels = helm.one("PodMonitor", asked)["metadata"]["labels"]
    assert labels["app.kubernetes.io/instance"] == "mine"
    assert labels["app.kubernetes.io/name"] == "token-monitor"


def test_every_resource_says_who_made_it() -> None:
    for document in helm.documents(STRANGE):
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"].startswith("token-monitor-")


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("secret.name", "A"),
        ("secret.name", "a, b: c"),
        ("secret.name", "a" * 254),
        ("image.repository", "a b"),
        ("image.tag", "1\n"),
        ("persistence.size", "big"),
        ("persistence.storageClassName", "a}"),
        ("networkPolicy.monitoringNamespace", "a, b: c"),
        ("networkPolicy.monitoringNamespace", "a" * 64),
        ("networkPolicy.monitoringNamespace", "a.b"),
        ("podMonitor.interval", "abc"),
        ("podMonitor.interval", ""),
        ("podMonitor.interval", "30"),
        ("podMonitor.labels", {"a": "b c"}),
        ("prometheusRule.labels", {"a": "b" * 64}),
        ("pod.serviceAccountName", "A B"),
        ("host", "localhost"),
    ],
)
def test_what_is_no_name_is_refused_by_the_name_of_its_value(value: str, wrong: Any) -> None:
    asked: Any = wrong
    for part in reversed(value.split(".")):
        asked = {part: asked}
    with pytest.raises(helm.RefusedError, match="/" + value.replace(".", "/")):
        helm.render(asked)


@pytest.mark.parametrize("name", ["app.kubernetes.io/name", "app.kubernetes.io/instance"])
def test_a_pod_has_no_label_twice(name: str) -> None:
    with pytest.raises(helm.RefusedError, match=f"'{name}'"):
        helm.render({"podLabels": {name: "mine"}})


@pytest.mark.parametrize(
    "asked", [{"podMonitor": {"labels": {"a b": "c"}}}, {"podLabels": {"a b": "c"}}, {"podAnnotations": {"a b": "c"}}]
)
def test_what_is_no_name_of_a_label_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(helm.RefusedError, match="'a b'"):
        helm.render(asked)
