"""What the images install is pinned with hashes, and is what pyproject.toml asks for."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parents[2] / "deploy" / "docker"
LOCKS = ["requirements-build.txt", "requirements-bundled.txt", "requirements-full.txt", "requirements-slim.txt"]


def entries(lock: str) -> list[str]:
    """One requirement with its hashes each, continuation lines joined."""
    text = (FOLDER / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins(lock: str) -> dict[str, str]:
    return dict(entry.split()[0].split("==") for entry in entries(lock))


def asked(extra: str = "") -> list[Requirement]:
    """What the package asks for; with an extra, all it brings."""
    every = [Requirement(one) for one in importlib.metadata.requires("token-monitor") or []]
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": extra})]


def in_file(name: str) -> list[Requirement]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(code) for line in lines if (code := line.partition("#")[0].strip())]


def met(requirements: list[Requirement], lock: str) -> list[bool]:
    found = {canonicalize_name(name): version for name, version in pins(lock).items()}
    return [found.get(canonicalize_name(one.name), "") in one.specifier for one in requirements]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_one_version_with_its_hashes_and_nothing_else(lock):
    assert entries(lock)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+ *", entry) for entry in entries(lock))


def test_the_locks_meet_what_is_asked_for():
    assert all(met(asked(), "requirements-slim.txt"))
    assert all(met(asked("all"), "requirements-full.txt"))
    assert len(asked("all")) > len(asked())
    assert all(met(in_file("build.in"), "requirements-build.txt"))
    assert all(met(in_file("bundled.in"), "requirements-bundled.txt"))


def test_full_has_what_slim_has_in_the_same_versions():
    assert pins("requirements-slim.txt").items() < pins("requirements-full.txt").items()
