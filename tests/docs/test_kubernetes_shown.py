"""The page about Kubernetes says what the chart does."""

import re
from pathlib import Path
from typing import Any

import pytest

from support import helm, kubernetes
from support.markdown import CHINESE, KUBERNETES, README, READMES, ROOT, Block, Document, all_blocks
from support.pod_settings import settings

VALUES = helm.parsed((helm.CHART / "values.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("block", all_blocks("yaml", "values"), ids=lambda block: block.where)
def test_values_that_are_shown_can_be_installed(block: Block) -> None:
    made = helm.documents(helm.parsed(block.text))
    assert made
    for document in made:
        kubernetes.validate(document)


def test_the_table_of_modes_has_every_mode() -> None:
    (schema,) = re.findall(r'"mode": \{"enum": (\[.*?\])\}', (helm.CHART / "values.schema.json").read_text("utf-8"))
    assert KUBERNETES.table_with("watch-only").names == helm.parsed(schema)


def test_the_names_that_no_setting_may_have_are_those_that_are_refused() -> None:
    refused = re.findall(r"\(((?:[A-Z_]+\|?)+)\)\(_FILE\)\?\$", (helm.CHART / "values.schema.json").read_text("utf-8"))[
        -1
    ]
    (row,) = [row for row in KUBERNETES.table_with("settings").rows if row[0] == "`settings`"]
    assert re.findall(r"`([A-Z][A-Z_]+)`", row[1]) == refused.split("|")
    comment = (helm.CHART / "values.yaml").read_text(encoding="utf-8").partition("settings: {}")[0]
    assert all(ending in comment for ending in refused.split("|"))


def test_no_variable_that_an_example_of_a_config_names_can_be_a_setting() -> None:
    examples = [block.text for block in all_blocks("yaml")] + [(ROOT / "examples/config.yaml").read_text("utf-8")]
    named = set(re.findall(r"\$\{(\w+)\}", "".join(examples))) - {"NAME"}
    assert {"SLACK_URL", "DINGTALK_URL", "WECOM_URL", "FEISHU_URL", "APPRISE_URL"} < named
    with pytest.raises(helm.RefusedError) as refused:
        helm.render({"settings": dict.fromkeys(named, "in the open")})
    assert {name for name in named if f"'{name}'" not in str(refused.value)} == set()


def test_no_secret_is_recommended_on_a_command_line() -> None:
    chart = "deploy/helm/token-monitor/templates/NOTES.txt"
    for path in (*READMES, chart, "deploy/kubernetes/secret.yaml", KUBERNETES.path):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert "--from-env-file=" in text
        assert "rollout restart" in text
        assert "--from-literal=" not in text


def test_every_value_that_the_page_names_exists() -> None:
    named = {code for code in KUBERNETES.inline_code if re.fullmatch(r"(\w+\.)+\w+", code)} - {"values.schema.json"}
    rows = [row for head in ("config", "host") for row in KUBERNETES.table_with(head).rows]
    named |= {name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])}
    assert len(named) > 8
    for name in named:
        place: Any = VALUES
        for key in name.split("."):
            assert key in place, name
            place = place[key]


def test_the_commands_that_are_shown_name_what_is_made() -> None:
    """With the release of the page, and the Secret that the chart reads unless told otherwise."""
    shown = KUBERNETES.text
    (release,) = re.findall(r"helm install (\S+) deploy/helm/token-monitor", shown)
    made = {(each["kind"], each["metadata"]["name"]) for each in helm.documents(name=release)}
    deployment, container = re.findall(r"kubectl logs deployment/(\S+) --container=(\S+)", shown)[0]
    assert ("Deployment", deployment) in made
    assert f"name: {container}\n" in helm.render(name=release)["deployment.yaml"]
    assert f"kubectl rollout restart deployment/{release}\n" in shown
    assert VALUES["secret"]["name"] in re.findall(r"create secret generic (\S+) --from-env-file=", shown)


@pytest.mark.parametrize("page", [README, CHINESE, KUBERNETES], ids=lambda page: page.path)
def test_the_quick_start_pulls_what_it_pushed_and_the_monitor_gets_every_line_of_the_file(
    page: Document, tmp_path: Path
) -> None:
    (block,) = [block.text.replace("\\\n", " ") for block in page.blocks if "helm install" in block.text]
    values: dict[str, Any] = {}
    for asked in re.findall(r"--set (\S+)", block):
        name, _, value = asked.strip("'").partition("=")
        part, key = name.split(".")
        values.setdefault(part, {})[key] = value.strip("{}").split(",") if value.startswith("{") else value
    (monitor,) = helm.one("Deployment", values)["spec"]["template"]["spec"]["containers"]
    assert re.findall(r"docker (?:build -t|push) (\S+)", block) == [monitor["image"]] * 2
    lines = re.findall(r"--from-env-file=token-monitor\.env +# (.*)", block)[0].split()
    secret = {line.removesuffix("=…"): "https://hooks.example/x" for line in lines}
    assert list(settings(monitor, None, secret, tmp_path).accounts[0].channels) == ["stdout", "webhook"]


def test_both_places_name_what_the_network_policy_does_not_let_out() -> None:
    (bullet,) = [one for one in re.split(r"\n\n|\n- ", KUBERNETES.prose) if one.startswith("**Network.**")]
    comment = (helm.CHART / "values.yaml").read_text("utf-8").partition("\nnetworkPolicy:")[0].rpartition("\n\n")[2]
    for told in (bullet, comment):
        for each in (
            "egress",
            "brokers",
            "mail servers",
            "Alertmanager",
            "HTTPS_PROXY",
            "http://",
            "of the Service before",
        ):
            assert each in " ".join(told.replace("\n#", "\n").split())
    (block,) = [block.text for block in KUBERNETES.blocks if "egress" in block.text]
    rules = helm.one("NetworkPolicy", helm.parsed(block))["spec"]["egress"][1:]
    assert [port["port"] for rule in rules for port in rule["ports"]] == [9093, 3128]


def test_the_numbers_of_the_page_are_those_of_the_chart() -> None:
    prose = " ".join(KUBERNETES.prose.split())
    container = (helm.CHART / "templates/_container.tpl").read_text(encoding="utf-8")
    assert "waits three seconds" in prose
    assert "time.sleep(3)" in container
    assert f"a native sidecar from {kubernetes.NATIVE} on" in prose
    *others, last = kubernetes.VERSIONS
    assert f"schemas of Kubernetes {', '.join(others)} and {last}" in prose
    assert f"127.0.0.1:{VALUES['port']}/" in prose
