"""The chart as a part of another one, which switches it on and off as charts do."""

import shutil
from pathlib import Path

import pytest
import yaml

import token_monitor
from support import helm

DEPENDENCY = {
    "name": "token-monitor",
    "version": token_monitor.__version__,
    "repository": "file://../token-monitor",
    "condition": "token-monitor.enabled",
}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    chart = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [DEPENDENCY]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart), encoding="utf-8")
    shutil.copytree(helm.CHART, tmp_path / "charts/token-monitor")
    return tmp_path


def test_a_chart_that_depends_on_it_switches_it_on_and_off(parent: Path) -> None:
    switched_on = helm.render({"token-monitor": {"enabled": True}}, chart=parent)
    assert switched_on["deployment.yaml"] == helm.render()["deployment.yaml"]
    assert helm.render({"token-monitor": {"enabled": False}}, chart=parent) == {}
