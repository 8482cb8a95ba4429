"""The script that installs Debian packages, where it may not: it says so, and fails nothing."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-test-services"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of PATH; the user is not root."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n", encoding="utf-8")
    return tmp_path


def run(programs: Path, *names: str, arguments: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run the script where `names` are installed, none of which may be called."""
    for name in names:
        (programs / name).write_text("#!/bin/sh\necho called >&2\nexit 1\n", encoding="utf-8")
    for program in programs.iterdir():
        program.chmod(0o755)
    return subprocess.run(
        [SCRIPT, *arguments], env={"PATH": str(programs)}, capture_output=True, check=False, text=True, timeout=20
    )


def test_where_everything_is_installed_nothing_is_said_or_done(programs):
    done = run(programs, "faketime", "promtool", "amtool", "rabbitmq-server", "apt-get")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("installed", "why"),
    [
        (["faketime", "amtool", "rabbitmq-server"], "no apt-get here"),
        (["faketime", "amtool", "rabbitmq-server", "apt-get"], "not root"),
    ],
)
def test_where_it_may_not_install_it_says_why_and_what_will_skip(programs, installed, why):
    done = run(programs, *installed)

    assert done.returncode == 0
    assert why in done.stdout
    assert "need prometheus will skip" in done.stdout
    assert done.stderr == ""


def test_what_the_images_need_is_installed_only_when_they_are_tested(programs):
    for name in ("faketime", "promtool", "amtool", "rabbitmq-server"):
        (programs / name).write_text("#!/bin/sh\n", encoding="utf-8")

    assert run(programs).stdout == ""
    done = run(programs, "buildah", "catatonit", "mmdebstrap", "runc", arguments=["images"])

    assert done.returncode == 0
    assert "tests that need podman will skip\n" in done.stdout
