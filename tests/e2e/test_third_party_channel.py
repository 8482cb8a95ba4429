"""A channel of another package, found by its entry point: the example is installed and used by the real process."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.site import Site

EXAMPLE = Path(__file__).parents[2] / "examples" / "channel_package"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The folder that the example package is installed in."""
    source = shutil.copytree(EXAMPLE, tmp_path / "source")
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "install", "--no-deps", "--target", target, source], check=True)
    return target


def test_a_channel_of_another_package_is_configured_and_used_like_ours(site: Site, installed: Path) -> None:
    site.provider.balance = 5
    text = """
    accounts: [{name: a, credential: x-credential, endpoint: PROVIDER/a, thresholds: {warning: 10}}]
    channels:
      file: {type: logfile, path: alerts.log}
    """
    environment = {**site.yaml(text), "PYTHONPATH": str(installed)}
    tested = site.run(environment, "test-alert", "file")
    assert (tested.status, tested.out.strip()) == (0, "file: delivered: written")

    wrong = site.run({**site.yaml(text.replace("path:", "paht:")), "PYTHONPATH": str(installed)}, "check-config")
    assert wrong.status == 2
    assert "channels.file.paht: unknown key" in wrong.err
    assert "channels.file.path: missing" in wrong.err


def test_without_the_package_its_type_is_unknown(site: Site) -> None:
    text = """
    accounts: [{name: a, credential: x-credential}]
    channels:
      file: {type: logfile, path: alerts.log}
    """
    done = site.run(site.yaml(text), "check-config")
    assert done.status == 2
    assert done.err.startswith("channels.file.type: logfile; ")
