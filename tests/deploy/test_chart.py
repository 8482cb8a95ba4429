"""The Helm chart: whatever is asked of it is clean, and is what Kubernetes takes; what makes no sense is refused."""

from typing import Any

import jsonschema
import pytest

import token_monitor
from support import helm, kubernetes
from support.chart_values import COMBINATIONS, INFERENCE
from support.kubernetes import validate

EACH = pytest.mark.parametrize("values", COMBINATIONS.values(), ids=COMBINATIONS)


def beside(**more: Any) -> dict[str, Any]:
    """The values of a sidecar of a container that has `more`."""
    return {"mode": "classic-sidecar", "inference": {"container": INFERENCE | more}}


@EACH
def test_every_resource_is_one_that_kubernetes_takes_strictly(values: dict[str, Any]) -> None:
    for document in helm.documents(values):
        validate(document)


@EACH
def test_the_chart_is_clean_for_helm(values: dict[str, Any]) -> None:
    report, _said = helm.lint(values, "v1.31.0")
    assert report["errors"] == []
    assert {message["error"] for message in report["messages"]} == {"icon is recommended"}


def test_the_check_is_strict() -> None:
    deployment, policy = helm.one("Deployment"), helm.one("NetworkPolicy")
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    policy["spec"]["egres"] = policy["spec"].pop("egress")
    monitor = helm.one("PodMonitor", {"podMonitor": {"enabled": True}})
    monitor["spec"]["podMetricsEndpoints"][0]["prt"] = "monitor"
    for wrong in (deployment, policy, monitor):
        with pytest.raises(jsonschema.ValidationError, match=r"(was|were) unexpected"):
            validate(wrong)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mode": "sidecar"}, "/mode"),
        ({"mdoe": "watch-only"}, "mdoe"),
        ({"mode": "classic-sidecar"}, "image"),
        ({"mode": "native-sidecar", "inference": {"container": INFERENCE | {"name": "x"}}}, "name"),
        (beside(ports=[{"name": "http"}]), "missing property 'containerPort'"),
        (beside(ports=[{"containerPort": "http"}]), "/ports/0/containerPort"),
        ({"enabled": False}, "/enabled"),
        ({"inference": {"container": INFERENCE}}, "/inference/container"),
        ({"sharedFolder": True}, "/sharedFolder"),
        (
            {"mode": "classic-sidecar", "inference": {"container": INFERENCE}, "persistence": {"enabled": True}},
            "enabled",
        ),
        ({"settings": {"WARNING_THRESHOLD": 0.1}}, "/settings/WARNING_THRESHOLD"),
        ({"secret": {"keys": []}}, "/secret/keys"),
        ({"secret": {"keys": ["a-b"]}}, "/secret/keys"),
        ({"port": 80}, "/port"),
        ({"pod": {"containers": []}}, "'containers'"),
        ({"pod": {"automountServiceAccountToken": True}}, "'automountServiceAccountToken'"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.RefusedError, match=said):
        helm.render(values)


def test_a_native_sidecar_is_refused_where_it_would_hold_inference_back_for_ever() -> None:
    native = {"mode": "native-sidecar", "inference": {"container": INFERENCE}}
    said = "native-sidecar needs Kubernetes 1.29"
    assert said in helm.lint(native, "v1.28.9")[1]
    assert said not in helm.lint(native, "v1.29.0")[1]


def test_the_first_version_that_is_admitted_and_the_first_with_native_sidecars_are_checked() -> None:
    chart = helm.parsed((helm.CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["kubeVersion"] == f">={kubernetes.VERSIONS[0]}.0-0"
    assert kubernetes.NATIVE in kubernetes.VERSIONS


def test_the_chart_has_the_version_of_the_program() -> None:
    chart = helm.parsed((helm.CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == token_monitor.__version__
    assert helm.one("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        f":{token_monitor.__version__}"
    )


def test_the_notes_advise_against_a_monitor_in_each_of_several_replicas() -> None:
    values = {"mode": "classic-sidecar", "inference": {"container": INFERENCE, "replicas": 10}}
    notes = helm.render(values)["NOTES.txt"]
    assert "WARNING: 10 replicas have 10 monitors" in notes
    assert "mode: watch-only" in notes
    assert "WARNING" not in helm.render(values | {"inference": {"container": INFERENCE}})["NOTES.txt"]


def test_the_notes_name_the_secret_that_is_needed_and_only_then() -> None:
    notes = helm.render(name="tokens")["NOTES.txt"]
    assert "reads FACEFUSION_API_TOKEN from the Secret token-monitor" in notes
    assert "create secret generic token-monitor --from-env-file=FILE" in notes
    assert "rollout restart deployment/tokens" in notes
    for absent in ("create secret", "rollout restart"):
        assert absent not in helm.render({"secret": {"values": {"A": "b"}}})["NOTES.txt"]
