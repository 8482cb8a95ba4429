"""The Pod that the chart makes, whatever is asked of it: the monitor is confined, and never in the way of inference."""

import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import helm
from support.chart_values import COMBINATIONS, CONFIG, INFERENCE, SIDECARS
from support.markdown import ROOT
from token_monitor.app.registry import REGISTRY
from token_monitor.config.load import load

DATA, SECRET, CONFIGURED, SHARED = (
    "/var/lib/token-monitor",
    "/run/secrets/token-monitor",
    "/etc/token-monitor",
    "/shared",
)
EACH = pytest.mark.parametrize("values", COMBINATIONS.values(), ids=COMBINATIONS)
EACH_SIDECAR = pytest.mark.parametrize("mode", SIDECARS)


def pod(values: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = helm.one("Deployment", values)["spec"]["template"]["spec"]
    return spec


def containers(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By name, native sidecars too."""
    spec = pod(values)
    return {each["name"]: each for each in (*spec.get("initContainers", ()), *spec["containers"])}


def monitor(values: dict[str, Any]) -> dict[str, Any]:
    return containers(values)["token-monitor"]


def volumes(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in pod(values)["volumes"]}


def beside(mode: str, **values: Any) -> dict[str, Any]:
    """Values for a sidecar."""
    return {"mode": mode, "inference": {"container": INFERENCE}, **values}


@EACH
def test_the_monitor_meets_the_restricted_pod_security_standard_by_itself(values: dict[str, Any]) -> None:
    context = monitor(values)["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text().splitlines()
    assert context == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@EACH
def test_nothing_in_the_pod_can_speak_to_the_kubernetes_api(values: dict[str, Any]) -> None:
    assert pod(values)["automountServiceAccountToken"] is False
    account = helm.one("ServiceAccount", values)
    assert account["automountServiceAccountToken"] is False
    assert pod(values)["serviceAccountName"] == account["metadata"]["name"]
    assert not {document["kind"] for document in helm.documents(values)} & {"Role", "RoleBinding", "ClusterRole"}


@EACH
def test_no_probe_can_hold_inference_back_or_take_it_out_of_its_service(values: dict[str, Any]) -> None:
    made = monitor(values)
    assert [name for name in made if "robe" in name or name == "lifecycle"] == ["livenessProbe"]
    assert made["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "monitor"}
    assert made["ports"] == [{"name": "monitor", "containerPort": values.get("port", 9775)}]


@EACH_SIDECAR
def test_inference_is_exactly_what_the_user_gave(mode: str) -> None:
    spec = pod(beside(mode))
    assert spec["containers"][0] == {"name": "inference", **INFERENCE}
    assert "securityContext" not in spec
    assert set(containers(beside(mode))) == {"inference", "token-monitor"}


def test_a_native_sidecar_is_an_init_container_that_is_restarted() -> None:
    spec = pod(beside("native-sidecar"))
    assert [each["name"] for each in spec["containers"]] == ["inference"]
    (sidecar,) = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert "initContainers" not in pod(beside("classic-sidecar"))
    assert "restartPolicy" not in monitor(beside("classic-sidecar"))


def test_a_native_sidecar_lives_long_enough_to_be_seen_and_is_the_same_program(tmp_path: Path) -> None:
    sidecar = monitor(beside("native-sidecar"))
    (waits,) = re.findall(r"time\.sleep\((\d+)\)", sidecar["args"][0])
    assert int(waits) >= 3
    command = [sys.executable, *sidecar["command"][1:], sidecar["args"][0].replace(waits, "0"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    same = subprocess.run(
        (sys.executable, "-m", "token_monitor", "--version"), capture_output=True, text=True, check=True
    )
    assert done.stdout == same.stdout
    assert "command" not in monitor(beside("classic-sidecar"))


@EACH_SIDECAR
def test_what_is_missing_stops_the_sidecar_and_not_the_pod(mode: str) -> None:
    found = volumes(beside(mode, config=CONFIG, sharedFolder=True))
    assert found["token-monitor-secret"]["secret"]["optional"] is True
    assert found["token-monitor-config"]["configMap"]["optional"] is True


@EACH_SIDECAR
def test_no_volume_of_the_sidecar_on_a_disk_can_have_the_pod_evicted(mode: str) -> None:
    found = volumes(beside(mode, sharedFolder=True))
    assert found["token-monitor-state"]["emptyDir"] == {}
    assert found["token-monitor-shared"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Mi"}


def test_watch_only_is_one_monitor_and_never_two_at_a_time() -> None:
    spec = helm.one("Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert set(containers({})) == {"token-monitor"}


def test_a_volume_that_lasts_can_be_written_by_the_monitor() -> None:
    values = {"persistence": {"enabled": True}}
    claim = helm.one("PersistentVolumeClaim", values)["metadata"]["name"]
    assert volumes(values)["token-monitor-state"]["persistentVolumeClaim"]["claimName"] == claim
    assert pod(values)["securityContext"]["fsGroup"] == monitor(values)["securityContext"]["runAsGroup"]
    assert "securityContext" not in pod({})


@EACH
def test_every_mount_has_its_volume_and_every_volume_its_source(values: dict[str, Any]) -> None:
    found = volumes(values)
    assert len(found) == len(pod(values)["volumes"])
    for container in containers(values).values():
        assert {mount["name"] for mount in container.get("volumeMounts", ())} <= set(found)
    made = {(each["kind"], each["metadata"]["name"]) for each in helm.documents(values)}
    if config := found.get("token-monitor-config"):
        assert ("ConfigMap", config["configMap"]["name"]) in made
    if values.get("secret", {}).get("values"):
        assert ("Secret", found["token-monitor-secret"]["secret"]["secretName"]) in made


@EACH_SIDECAR
def test_the_monitor_writes_the_shared_folder_and_inference_reads_it(mode: str) -> None:
    made = containers(beside(mode, sharedFolder=True))
    assert {"name": "token-monitor-shared", "mountPath": SHARED} in made["token-monitor"]["volumeMounts"]
    assert made["inference"]["volumeMounts"] == [
        {"name": "token-monitor-shared", "mountPath": SHARED, "readOnly": True}
    ]


@EACH
def test_the_monitor_starts_with_these_settings(values: dict[str, Any], tmp_path: Path) -> None:
    """With the files that the Pod would have, and each key of the Secret holding its own name."""
    container = monitor(values)
    environment = {each["name"]: str(each["value"]) for each in container["env"]}
    keys = [name.removesuffix("_FILE") for name in environment if name.endswith("_FILE")]
    for key in keys:
        (tmp_path / key).write_text("https://example.com/" + key)
    if "TOKEN_MONITOR_CONFIG" in environment:
        text = helm.one("ConfigMap", values)["data"]["monitor.yaml"]
        (tmp_path / "monitor.yaml").write_text(text.replace(SECRET, str(tmp_path)))
    here = {
        name: value.replace(SECRET, str(tmp_path)).replace(CONFIGURED, str(tmp_path))
        for name, value in environment.items()
    }
    settings = load({"HOME": str(tmp_path), **here}, tmp_path, REGISTRY)
    assert settings.accounts
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts[SECRET]["readOnly"]
    assert DATA in mounts
    assert (CONFIGURED in mounts) == ("TOKEN_MONITOR_CONFIG" in environment)


def test_the_config_reaches_the_monitor_to_the_letter() -> None:
    text = "# why\naccounts:\n  - {name: 0123, credential: off, thresholds: {warning: 0.10}}\n\n  # end\n"
    assert helm.one("ConfigMap", {"config": text})["data"]["monitor.yaml"] == text


def test_a_changed_config_restarts_the_monitor() -> None:
    first, second = (
        helm.one("Deployment", {"config": CONFIG + more})["spec"]["template"]["metadata"]["annotations"]
        for more in ("", "# changed\n")
    )
    assert first["checksum/config"] != second["checksum/config"]


def test_a_secret_of_the_charts_holds_what_was_given() -> None:
    given = COMBINATIONS["a Secret of the chart's"]["secret"]["values"]
    data = helm.one("Secret", {"secret": {"values": given}})["data"]
    assert {name: base64.b64decode(value).decode() for name, value in data.items()} == given
    assert [each for each in helm.documents() if each["kind"] == "Secret"] == []
