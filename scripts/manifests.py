"""Writes what follows from elsewhere: the chart's copy of Prometheus's alert rules, and the plain manifests.

python scripts/manifests.py [ROOT]      in this repository, or in ROOT
"""

import re
import shutil
import sys
from pathlib import Path

import yaml

CHART = Path("deploy/helm/token-monitor")
RULES = Path("deploy/prometheus/token-monitor.rules.yaml")
PLAIN = Path("deploy/kubernetes")

HEAD = """\
# Rendered from deploy/helm/token-monitor by `make manifests`; change a copy of it. See docs/kubernetes.md.
#
# {what}
"""
HELMS = r"checksum/\w+|helm\.sh/chart|app\.kubernetes\.io/managed-by"
POD = ("serviceaccount", "configmap", "deployment", "networkpolicy")
# Of each manifest: the example it is rendered with, the name of the release, its templates, and what it is.
MANIFESTS = {
    "watch-only": (
        "watch-only",
        "token-monitor",
        POD,
        "The monitor in a Pod of its own: the one to take where inference has several replicas.",
    ),
    "classic-sidecar": (
        "classic-sidecar",
        "inference",
        POD,
        "The monitor as a container beside inference. For a Deployment of yours copy that container and its volumes.",
    ),
    "native-sidecar": (
        "native-sidecar",
        "inference",
        POD,
        "The monitor as a native sidecar; Kubernetes 1.29 or later. For a Job copy initContainers and volumes.",
    ),
    "prometheus-operator": (
        "watch-only",
        "token-monitor",
        ("podmonitor", "prometheusrule"),
        "For the Prometheus operator, beside watch-only.yaml. (The instance in the sidecars is called inference.)",
    ),
}


def manifests(root: Path) -> dict[str, str]:
    """The plain manifests by name."""
    import helm_python

    made = {}
    with helm_python.Chart.load(root / CHART) as chart:
        for name, (example, release, templates, what) in MANIFESTS.items():
            values = yaml.safe_load((root / CHART / f"examples/{example}.yaml").read_text(encoding="utf-8"))
            rendered = chart.render(values, name=release)
            texts = (rendered[f"token-monitor/templates/{template}.yaml"].strip() for template in templates)
            made[name] = "---\n".join([HEAD.format(what=what), *(f"{plain(text)}\n" for text in texts if text)])
    return made


def plain(text: str) -> str:
    """Without what is Helm's, the digests of texts that whoever copies the manifest will change, and blank ends."""
    return re.sub(rf"\n +({HELMS}): .*| +$", "", text, flags=re.MULTILINE)


def main() -> None:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    (root / CHART / "files").mkdir(exist_ok=True)
    shutil.copyfile(root / RULES, root / CHART / "files" / RULES.name)
    for name, text in manifests(root).items():
        (root / PLAIN / f"{name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
