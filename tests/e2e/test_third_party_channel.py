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


def test_a_package_that_is_broken_is_a_problem_among_the_others(site: Site, tmp_path: Path) -> None:
    package = tmp_path / "site"
    about = package / "broken-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[token_monitor.channels]\nbad = bad_module:CHANNEL\ngone = odd_module:GONE\n"
        "odd = odd_module:ODD\nbare = odd_module:BARE\n"
    )
    (package / "bad_module.py").write_text("import no_such_library\n")
    (package / "odd_module.py").write_text(
        "from token_monitor.core.tools import ChannelType\nODD = 5\nBARE = ChannelType(int, print)\n"
    )
    text = """
    accounts: [{name: a, credential: x-credential, interval: never}]
    channels: {1: {type: bad, path: x}, 2: {type: gone}, 3: {type: odd}, 4: {type: bare}}
    """
    done = site.run({**site.yaml(text), "PYTHONPATH": str(package)}, "check-config")
    assert done.status == 2
    unfit = "is no ChannelType with an attrs class of settings)"
    assert [line.partition("; mend")[0] for line in done.err.splitlines()] == [
        "accounts[0].interval: never; a duration above 0 such as 300, 30s, 5m or 1h30m",
        "channels.1.type: bad, whose package cannot be loaded (ModuleNotFoundError: No module named 'no_such_library')",
        "channels.2.type: gone, whose package cannot be loaded "
        "(AttributeError: module 'odd_module' has no attribute 'GONE')",
        f"channels.3.type: odd, whose package is broken (odd_module:ODD {unfit}",
        f"channels.4.type: bare, whose package is broken (odd_module:BARE {unfit}",
    ]
