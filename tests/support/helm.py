"""Helm's own library over the chart of this repository, in a process of its own: it brings the Go runtime along."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from support.markdown import ROOT

CHART = ROOT / "deploy/helm/token-monitor"

_PROGRAM = """
import json, sys
import helm_python as helm

chart, order = sys.argv[1], json.load(sys.stdin)
try:
    if order["do"] == "lint":
        answer = helm.lint(chart, order["values"], strict=True, kube_version=order["kube_version"])
    else:
        with helm.Chart.load(chart) as loaded:
            answer = loaded.render(order["values"], name=order["name"], namespace="ai")
    json.dump({"answer": answer}, sys.stdout)
except helm.HelmError as error:
    json.dump({"refused": str(error)}, sys.stdout)
"""


class RefusedError(Exception):
    """Helm rendered nothing, and says why."""


class UniqueKeys(yaml.SafeLoader):
    """YAML as Kubernetes reads it: strictly, so that no key is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _value in node.value]
        assert len(set(names)) == len(names), f"a key is there twice: {names}"
        return super().construct_mapping(node, deep)


def render(values: dict[str, Any] | None = None, name: str = "demo", chart: Path = CHART) -> dict[str, str]:
    """What each template makes of `values`, by the name of its file; templates that make nothing are absent.

    Raises RefusedError.
    """
    made = _ask(json.dumps({"do": "render", "values": values or {}, "name": name}), chart)[0]
    return {file.rpartition("/")[2]: text for file, text in made.items() if text.strip()}


def documents(values: dict[str, Any] | None = None, name: str = "demo") -> list[dict[str, Any]]:
    """The resources that Helm would create, without the notes."""
    return [parsed(text) for file, text in render(values, name).items() if file != "NOTES.txt"]


def one(kind: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
    """The only resource of its kind."""
    (found,) = [document for document in documents(values) if document["kind"] == kind]
    return found


def lint(values: dict[str, Any], kube_version: str) -> tuple[dict[str, Any], str]:
    """The report of `helm lint --strict`, and what it wrote beside it. Raises RefusedError."""
    return _ask(json.dumps({"do": "lint", "values": values, "kube_version": kube_version}))


def example(mode: str) -> dict[str, Any]:
    """The example of values of a mode."""
    values: dict[str, Any] = parsed((CHART / f"examples/{mode}.yaml").read_text(encoding="utf-8"))
    return values


def parsed(text: str) -> Any:
    """One document of YAML."""
    return yaml.load(text, UniqueKeys)


@functools.cache
def _ask(order: str, chart: Path = CHART) -> tuple[Any, str]:
    command = (sys.executable, "-c", _PROGRAM, chart)
    done = subprocess.run(command, input=order, capture_output=True, text=True, timeout=60, check=True)
    said = json.loads(done.stdout)
    if "refused" in said:
        raise RefusedError(said["refused"])
    return said["answer"], done.stderr
