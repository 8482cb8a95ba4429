"""What is a secret is no setting, and nothing is told to the monitor twice."""

from typing import Any

import pytest

from support import helm
from support.chart_values import INFERENCE

SECRETS = (
    "FACEFUSION_API_TOKEN",
    "FACEFUSION_API_TOKEN_FILE",
    "BALANCE_API_TOKEN",
    "ALERT_WEBHOOK_URL",
    "ALERT_WEBHOOK_SECRET_FILE",
    "DINGTALK_SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "SMTP_PASSWORD",
    "TOKEN_MONITOR_API_KEY",
    "SLACK_WEBHOOK_URL",
    "SLACK_URL",
    "APPRISE_URL_FILE",
)
OURS = ("TOKEN_MONITOR_LISTEN", "TOKEN_MONITOR_LISTEN_FILE", "TOKEN_MONITOR_CONFIG", "TOKEN_MONITOR_DATA_FILE")


@pytest.mark.parametrize("name", [*SECRETS, *OURS])
def test_a_setting_is_no_secret_and_nothing_that_the_chart_sets(name: str) -> None:
    with pytest.raises(helm.RefusedError, match=f"'{name}'"):
        helm.render({"settings": {name: "in the open"}})


@pytest.mark.parametrize("name", ["WARNING_THRESHOLD", "ALERT_LANGUAGE", "HTTPS_PROXY", "BALANCE_CHECK_ENDPOINT_FILE"])
def test_any_other_variable_is_one(name: str) -> None:
    (container,) = helm.one("Deployment", {"settings": {name: "x"}})["spec"]["template"]["spec"]["containers"]
    assert {"name": name, "value": "x"} in container["env"]


@pytest.mark.parametrize("key", [*OURS, "FACEFUSION_API_TOKEN_FILE"])
def test_a_key_of_the_secret_is_no_variable_of_the_charts_and_no_path(key: str) -> None:
    for secret, said in (({"keys": [key]}, "/secret/keys/0"), ({"values": {key: "x"}}, f"'{key}'")):
        with pytest.raises(helm.RefusedError, match=said):
            helm.render({"secret": secret})


@pytest.mark.parametrize(
    "values",
    [
        {"settings": {"BALANCE_UNIT": "x"}, "secret": {"keys": ["BALANCE_UNIT"]}},
        {"settings": {"BALANCE_UNIT_FILE": "/x"}, "secret": {"values": {"BALANCE_UNIT": "x"}}},
        {"settings": {"BALANCE_UNIT": "x", "BALANCE_UNIT_FILE": "/x"}},
    ],
)
def test_a_variable_is_not_told_twice(values: dict[str, Any]) -> None:
    with pytest.raises(helm.RefusedError, match=r"settings\.BALANCE_UNIT"):
        helm.render(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"inference": {"container": INFERENCE | {"ports": [{"containerPort": 9775}]}}}, "9775 is a port of inference"),
        (
            {"inference": {"container": INFERENCE | {"ports": [{"name": "monitor", "containerPort": 1}]}}},
            "ports/0/name",
        ),
        ({"pod": {"volumes": [{"name": "token-monitor-state", "emptyDir": {}}]}}, "volumes/0/name"),
        ({"pod": {"initContainers": [{"name": "token-monitor", "image": "x"}]}}, "initContainers/0/name"),
    ],
)
def test_what_the_pod_would_have_twice_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.RefusedError, match=said):
        helm.render({"mode": "classic-sidecar", "inference": {"container": INFERENCE}} | values)
