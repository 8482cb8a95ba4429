"""The compose file and the Pod: the monitor is confined, reachable where it should be, and in nobody's way."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DATA = "/var/lib/token-monitor"


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


def pod() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/kubernetes/sidecar.yaml").read_text(encoding="utf-8"))


def container(name: str) -> dict[str, Any]:
    (found,) = [one for one in pod()["spec"]["containers"] if one["name"] == name]
    return found


def test_compose_confines_the_monitor():
    monitor = compose()["services"]["token-monitor"]

    assert monitor["read_only"] is True
    assert monitor["cap_drop"] == ["ALL"]
    assert monitor["security_opt"] == ["no-new-privileges:true"]


def test_compose_publishes_the_monitor_on_loopback_only():
    assert compose()["services"]["token-monitor"]["ports"] == ["127.0.0.1:9775:9775"]


def test_compose_keeps_the_state_in_a_named_volume():
    (volume,) = compose()["services"]["token-monitor"]["volumes"]
    name, _colon, place = volume.partition(":")

    assert place == DATA == compose()["services"]["token-monitor"]["environment"]["TOKEN_MONITOR_DATA"]
    assert name in compose()["volumes"]


def test_compose_restarts_each_service_and_neither_waits_for_the_other():
    services = compose()["services"]

    assert set(services) == {"inference", "token-monitor"}
    assert all(service["restart"] == "unless-stopped" for service in services.values())
    assert not any("depends_on" in service for service in services.values())


def test_compose_gives_the_gpu_to_the_inference_service():
    (device,) = compose()["services"]["inference"]["deploy"]["resources"]["reservations"]["devices"]

    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_the_pod_meets_the_restricted_pod_security_standard():
    spec = pod()["spec"]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for one in spec["containers"]:
        assert one["securityContext"]["allowPrivilegeEscalation"] is False
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_sidecar_runs_as_the_user_of_the_image_over_a_read_only_root():
    context = container("token-monitor")["securityContext"]

    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in (ROOT / "Dockerfile").read_text().splitlines()
    assert context["readOnlyRootFilesystem"] is True
    assert pod()["spec"]["securityContext"]["fsGroup"] == context["runAsGroup"]
    assert [mount["mountPath"] for mount in container("token-monitor")["volumeMounts"]] == [DATA]


def test_the_sidecar_takes_its_credential_from_a_secret():
    (variable,) = container("token-monitor")["env"]

    assert variable["name"] == "FACEFUSION_API_TOKEN"
    assert "secretKeyRef" in variable["valueFrom"]


def test_a_sick_sidecar_is_restarted_but_never_takes_the_pod_out_of_service():
    sidecar = container("token-monitor")

    assert sidecar["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "monitor"}
    assert {"name": "monitor", "containerPort": 9775} in sidecar["ports"]
    assert "readinessProbe" not in sidecar
