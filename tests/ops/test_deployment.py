"""The compose file: the monitor is confined, reachable where it should be, and in nobody's way."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from token_monitor.config.problems import Findings
from token_monitor.config.variables import read_variables

ROOT = Path(__file__).parents[2]
DATA = "/var/lib/token-monitor"


PORTS = {"token-monitor": 9775, "prometheus": 9090, "redis": 6379}
PLACES = {"token-monitor": DATA, "prometheus": "/prometheus", "redis": "/data"}
OURS = pytest.mark.parametrize("name", PORTS)


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))


@OURS
def test_compose_confines_what_is_not_the_inference_service(name: str) -> None:
    service = compose()["services"][name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@OURS
def test_compose_publishes_on_loopback_only(name: str) -> None:
    assert compose()["services"][name]["ports"] == [f"127.0.0.1:{PORTS[name]}:{PORTS[name]}"]


@OURS
def test_compose_keeps_what_must_last_in_a_named_volume(name: str) -> None:
    named = [volume.split(":") for volume in compose()["services"][name]["volumes"] if not volume.startswith("./")]

    assert [place for _, place in named] == [PLACES[name]]
    assert named[0][0] in compose()["volumes"]


def test_compose_keeps_the_state_where_the_monitor_looks_for_it():
    assert compose()["services"]["token-monitor"]["environment"]["TOKEN_MONITOR_DATA"] == DATA


def test_compose_starts_inference_and_monitor_and_the_others_by_their_profile_only():
    profiles = {name: service.get("profiles") for name, service in compose()["services"].items()}

    assert profiles == {
        "inference": None, "token-monitor": None, "prometheus": ["prometheus"], "redis": ["redis"],
    }  # fmt: skip


def test_compose_keeps_the_password_of_redis_from_command_lines_and_from_the_monitor():
    services = compose()["services"]

    assert "${REDIS_PASSWORD" not in str(services["redis"]["command"])
    assert services["token-monitor"]["environment"]["REDIS_PASSWORD"] == ""
    # Where it must be set, Compose would ask for it without the profile too.
    assert services["redis"]["environment"] == {"REDISCLI_AUTH": "${REDIS_PASSWORD:-}"}


def test_a_value_in_single_quotes_is_to_the_monitor_what_it_is_to_compose(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ACCOUNT_NAME='a$b ${HOME} $$c # d'\n")

    assert read_variables({"HOME": "/h"}, tmp_path, Findings()).get("ACCOUNT_NAME") == "a$b ${HOME} $$c # d"


def test_compose_restarts_each_service_and_neither_waits_for_the_other():
    services = compose()["services"]

    assert all(service["restart"] == "unless-stopped" for service in services.values())
    assert not any("depends_on" in service for service in services.values())


def test_compose_checks_the_monitors_health_as_the_image_does_which_podman_may_have_built_without_it():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (command, *_bundled) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (.*)$", dockerfile, re.MULTILINE)

    assert compose()["services"]["token-monitor"]["healthcheck"]["test"] == ["CMD", *json.loads(command)]


def test_compose_gives_the_gpu_to_the_inference_service():
    (device,) = compose()["services"]["inference"]["deploy"]["resources"]["reservations"]["devices"]

    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
