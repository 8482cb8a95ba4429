"""What is in the three images, and what they add to their bases."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import metadata
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.utils import canonicalize_name
from pip._internal.models.index import PyPI

import token_monitor
from support.bases import OLDER, PYTHON
from support.containers import ROOT, Container, Engine

Start = Callable[..., Container]
TARGETS = ["slim", "full", "bundled"]
OURS = ["opt/token-monitor", "etc/token-monitor", "var/lib/token-monitor"]
CERTIFICATES = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
EVERYWHERE = {PyPI.netloc, "/etc/ssl/certs/ca-certificates.crt"}
"""What libraries name themselves."""
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


@pytest.fixture
def mounted(engine: Engine, built: Callable[[str], str]) -> Iterator[Callable[[str], Path]]:
    """Where the files of a target can be read."""
    images: list[str] = []

    def mount(target: str) -> Path:
        images.append(built(target))
        return Path(engine.podman("image", "mount", images[-1]).stdout.strip())

    yield mount
    for image in images:
        engine.podman("image", "unmount", image)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_the_machine_it_was_built_on_is_in_an_image(target, engine, built, mounted):
    root = mounted(target)

    settings = root / "etc/pip.conf"
    assert not settings.exists() or settings.read_bytes() == b""  # where a build had them mounted
    assert not (root / "src").exists()
    words = told_to_pip()
    files = [path for folder in OURS for path in (root / folder).rglob("*") if path.is_file()]
    assert len(files) > 1000
    assert {path for path in files if any(word in path.read_bytes() for word in words)} == set()
    assert not any(word.decode() in json.dumps(engine.inspect(built(target))) for word in words)


def told_to_pip() -> list[bytes]:
    """The hosts and files that pip is told of here; with them none of the public index."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, check=True, text=True)
    settings = [line.partition("=")[2].strip("'\"") for line in done.stdout.splitlines()]
    given = [value for name, value in os.environ.items() if name.startswith("PIP_") or name in CERTIFICATES]
    places = {urlsplit(word).hostname or word for value in [*settings, *given] for word in value.split()}
    return [word.encode() for word in places if re.search(r"[./]", word) and len(word) > 3 and word not in EVERYWHERE]


@pytest.mark.parametrize("target", TARGETS)
def test_the_data_folder_is_its_owners_alone(target, mounted):
    about = (mounted(target) / "var/lib/token-monitor").stat()

    assert (oct(about.st_mode & 0o7777), about.st_uid, about.st_gid) == ("0o700", 65532, 65532)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_no_programs_but_its_own(target, mounted):
    programs = {path.name for path in (mounted(target) / "opt/token-monitor/bin").iterdir()}

    assert {name for name in programs if not name.startswith("python")} == {"token-monitor"}


@pytest.mark.parametrize("target", TARGETS)
def test_our_bytecode_is_never_compared_with_the_time_of_its_source(target, mounted):
    """The flags in a file's header: 1 is `unchecked-hash`, 0 a time."""
    compiled = list((mounted(target) / "opt/token-monitor").rglob("*.pyc"))

    assert len(compiled) > 400
    assert {path.read_bytes()[4:8] for path in compiled} == {b"\1\0\0\0"}
