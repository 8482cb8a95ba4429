"""What is in the three images, and what they add to their bases."""

import json
import re
from collections.abc import Callable
from importlib.metadata import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

import token_monitor
from support.bases import OLDER, PYTHON
from support.containers import ROOT, Container, Engine

Start = Callable[..., Container]
TARGETS = ["slim", "full", "bundled"]
INSTALLED = """
import importlib.metadata, json
print(json.dumps({one.name: one.version for one in importlib.metadata.distributions()}))
"""


def added(engine: Engine, image: str, base: str) -> float:
    """MB (10^6 bytes) that an image has more than its base."""
    return (engine.inspect(image)["Size"] - engine.inspect(base)["Size"]) / 1e6


def locked(*names: str) -> dict[str, str]:
    """The pinned versions, and our own."""
    texts = [(ROOT / "deploy/docker" / f"requirements-{name}.txt").read_text(encoding="utf-8") for name in names]
    found = dict(re.findall(r"^([\w.-]+)==(\S+)", "\n".join(texts), re.MULTILINE))
    return {canonicalize_name(name): version for name, version in found.items()} | {
        "token-monitor": token_monitor.__version__
    }


def documented(target: str) -> float:
    """MB, from the table in the documentation."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^\| `{target}`.*\| (\d+) MB \|$", page, re.MULTILINE)
    return float(found)


def test_slim_adds_at_most_60_mb_to_its_base(engine, slim):
    assert added(engine, slim, PYTHON.image) <= 60


@pytest.mark.parametrize(("target", "base"), [("slim", PYTHON), ("full", PYTHON), ("bundled", OLDER)])
def test_an_image_adds_to_its_base_what_is_documented(target, base, engine, built, record_property):
    size = added(engine, built(target), base.image)

    record_property("figure", f"{target}: {size:.1f} MB more than its base")
    assert size == pytest.approx(documented(target), rel=0.1)


@pytest.mark.parametrize(
    ("target", "locks"), [("slim", ["slim"]), ("full", ["full"]), ("bundled", ["full", "bundled"])]
)
def test_an_image_has_the_pinned_libraries_and_no_others(target, locks, built, start: Start):
    container = start(
        built(target), "--network=none", "--entrypoint=/opt/token-monitor/bin/python", command=("-Ic", INSTALLED)
    )

    assert container.ended() == 0
    found = {canonicalize_name(name): version for name, version in json.loads(container.said().out).items()}
    assert found == locked(*locks)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_says_what_it_is(target, engine, built):
    labels = engine.inspect(built(target))["Labels"]

    assert labels["org.opencontainers.image.version"] == token_monitor.__version__
    assert labels["org.opencontainers.image.licenses"] == metadata("token-monitor")["License-Expression"]


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_the_machine_it_was_built_on_is_in_an_image(target, engine, built):
    image = built(target)
    root = Path(engine.podman("image", "mount", image).stdout.strip())
    try:
        settings = root / "etc/pip.conf"
        assert not settings.exists() or settings.read_bytes() == b""  # where a build had them mounted
        assert not (root / "src").exists()
    finally:
        engine.podman("image", "unmount", image)
