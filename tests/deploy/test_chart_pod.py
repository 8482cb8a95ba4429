"""The Pod that the chart makes, whatever is asked of it: the monitor is confined, and never in the way of inference."""

import base64
from pathlib import Path
from typing import Any

import pytest

from support import helm
from support.chart_values import COMBINATIONS, CONFIG, INFERENCE, SIDECARS
from support.markdown import ROOT
from support.pod_settings import CONFIGURED, SECRET, keys, settings

DATA, SHARED = "/var/lib/token-monitor", "/shared"
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
    by_the_cluster = "securityContext" in values
    user = {} if by_the_cluster else {"runAsUser": 65532, "runAsGroup": 65532}
    assert context == user | {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_user_is_that_of_the_image_which_is_a_number() -> None:
    context = monitor({})["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text().splitlines()


def test_the_cluster_may_choose_the_user() -> None:
    values = {"securityContext": {"runAsUser": None, "runAsGroup": None}, "persistence": {"enabled": True}}
    context = monitor(values)["securityContext"]
    assert not {"runAsUser", "runAsGroup"} & set(context)
    assert context["runAsNonRoot"] is True
    assert "securityContext" not in pod(values)
    chosen = {"securityContext": {"runAsUser": 1000660000, "runAsGroup": None}}
    assert monitor(chosen)["securityContext"]["runAsUser"] == 1000660000


@EACH
def test_nothing_in_the_pod_can_speak_to_the_kubernetes_api(values: dict[str, Any]) -> None:
    assert pod(values)["automountServiceAccountToken"] is False
    accounts = [each for each in helm.documents(values) if each["kind"] == "ServiceAccount"]
    assert all(account["automountServiceAccountToken"] is False for account in accounts)
    own = values.get("pod", {}).get("serviceAccountName")
    assert [account["metadata"]["name"] for account in accounts] == ([] if own else [pod(values)["serviceAccountName"]])
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


def test_any_other_mode_has_the_command_of_the_image() -> None:
    assert "command" not in monitor(beside("classic-sidecar"))
    assert "command" not in monitor({})


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


@EACH_SIDECAR
def test_a_rollout_never_needs_a_gpu_more_unless_the_user_says_so(mode: str) -> None:
    spec = helm.one("Deployment", beside(mode))["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    own = {"type": "Recreate"}
    asked = beside(mode, inference={"container": INFERENCE, "strategy": own})
    assert helm.one("Deployment", asked)["spec"]["strategy"] == own


@EACH_SIDECAR
def test_an_autoscaler_may_have_the_replicas(mode: str) -> None:
    asked = beside(mode, inference={"container": INFERENCE, "replicas": None})
    assert "replicas" not in helm.one("Deployment", asked)["spec"]
    asked["inference"]["replicas"] = 0
    assert helm.one("Deployment", asked)["spec"]["replicas"] == 0


@pytest.mark.parametrize("mode", ["watch-only", *SIDECARS])
def test_the_pod_may_have_more_of_the_users(mode: str) -> None:
    download = {"name": "download", "image": "models:1"}
    own = {"initContainers": [download], "serviceAccountName": "mine"}
    values = (beside(mode) if mode != "watch-only" else {}) | {
        "pod": own,
        "podLabels": {"team": "vision"},
        "podAnnotations": {"example.com/scrape": "true"},
    }
    made = helm.one("Deployment", values)["spec"]["template"]
    assert made["spec"]["serviceAccountName"] == "mine"
    assert made["spec"]["initContainers"][-1] == download
    assert made["metadata"]["labels"]["team"] == "vision"
    assert made["metadata"]["annotations"]["example.com/scrape"] == "true"


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
    config = helm.one("ConfigMap", values)["data"]["monitor.yaml"] if values.get("config") else None
    secret = {key: "https://example.com/" + key for key in keys(container)}
    found = settings(container, config, secret, tmp_path)
    assert found.accounts
    assert found.daemon.listen == (values.get("host", "0.0.0.0"), values.get("port", 9775))
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts[SECRET]["readOnly"]
    assert DATA in mounts
    assert (CONFIGURED in mounts) == (config is not None)


@pytest.mark.parametrize(
    "text",
    [
        "# why\naccounts:\n  - {name: 0123, credential: off, thresholds: {warning: 0.10}}\n\n  # end\n",
        "  accounts:\n    - name: indented\n",
        "accounts:\r\n  - name: from Windows\r\n",
        "\n\naccounts: []\t \n\n\n",
        "accounts: [] # no end",
        "true",
    ],
)
def test_the_config_reaches_the_monitor_to_the_letter(text: str) -> None:
    assert helm.one("ConfigMap", {"config": text})["data"]["monitor.yaml"] == text


@pytest.mark.parametrize("changed", [{"config": CONFIG + "# changed\n"}, {"secret": {"values": {"A": "other"}}}])
def test_a_changed_config_or_secret_of_the_charts_restarts_the_monitor(changed: dict[str, Any]) -> None:
    first = {"config": CONFIG, "secret": {"values": {"A": "abc"}}}
    before, after = (
        helm.one("Deployment", values)["spec"]["template"]["metadata"]["annotations"]
        for values in (first, first | changed)
    )
    assert before != after
    assert "abc" not in str(before)


def test_a_secret_of_the_charts_holds_what_was_given() -> None:
    given = COMBINATIONS["a Secret of the chart's"]["secret"]["values"]
    data = helm.one("Secret", {"secret": {"values": given}})["data"]
    assert {name: base64.b64decode(value).decode() for name, value in data.items()} == given
    assert [each for each in helm.documents() if each["kind"] == "Secret"] == []
