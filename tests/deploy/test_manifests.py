"""The plain manifests: they are what the chart makes, and what Kubernetes takes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.helm import parsed
from support.kubernetes import validate
from support.markdown import ROOT
from support.pod_settings import keys, settings

PLAIN = ROOT / "deploy/kubernetes"
MANIFESTS = sorted(PLAIN.glob("*.yaml"))
EACH = pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.name)


def test_make_manifests_would_change_nothing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    subprocess.run((sys.executable, ROOT / "scripts/manifests.py", tmp_path), check=True)
    for made in (tmp_path / "deploy").rglob("*"):
        here = ROOT / made.relative_to(tmp_path)
        assert made.is_dir() or made.read_bytes() == here.read_bytes(), f"{here}: run `make manifests`"


def test_there_is_one_for_each_mode_and_no_other() -> None:
    assert [manifest.stem for manifest in MANIFESTS] == [
        "classic-sidecar",
        "native-sidecar",
        "prometheus-operator",
        "secret",
        "watch-only",
    ]


@EACH
def test_every_document_is_one_that_kubernetes_takes_strictly(manifest: Path) -> None:
    for text in manifest.read_text(encoding="utf-8").split("---\n"):
        if document := parsed(text):
            validate(document)


def test_the_validator_on_the_command_line_says_the_same() -> None:
    own = [manifest for manifest in MANIFESTS if manifest.stem != "prometheus-operator"]
    command = (sys.executable, "-m", "kubernetes_validate", "--strict", "-k", "1.31", *own)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    documents = [each for manifest in own for each in yaml.safe_load_all(manifest.read_text("utf-8")) if each]
    assert (done.stdout + done.stderr).count("passed for resource") == len(documents) == 10


@EACH
def test_a_manifest_can_be_read(manifest: Path) -> None:
    lines = manifest.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert all(line == line.rstrip() for line in lines)
    assert not any(word in line for word in ("checksum", "helm.sh", "managed-by") for line in lines)


def test_with_the_secret_beside_it_each_monitor_starts_and_needs_all_of_it_between_them(tmp_path: Path) -> None:
    secret = yaml.safe_load((PLAIN / "secret.yaml").read_text(encoding="utf-8"))
    needed = set()
    for mode in ("classic-sidecar", "native-sidecar", "watch-only"):
        documents = yaml.safe_load_all((PLAIN / f"{mode}.yaml").read_text(encoding="utf-8"))
        made = {each["kind"]: each for each in documents if each}
        spec = made["Deployment"]["spec"]["template"]["spec"]
        every = (*spec.get("initContainers", ()), *spec["containers"])
        (monitor,) = [each for each in every if each["name"] == "token-monitor"]
        config = made["ConfigMap"]["data"]["monitor.yaml"] if "ConfigMap" in made else None
        assert settings(monitor, config, secret["stringData"], tmp_path).accounts
        mounted = [volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume]
        assert mounted == [secret["metadata"]["name"]]
        needed |= keys(monitor)
    assert needed == set(secret["stringData"])
