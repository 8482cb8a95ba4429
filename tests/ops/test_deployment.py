"""The compose file: the monitor is confined, reachable where it should be, and in nobody's way."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DATA = "/var/lib/token-monitor"


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


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
