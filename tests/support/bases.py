"""Debian systems for images to start from, made by mmdebstrap from the machine's own apt sources."""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen


@frozen
class Base:
    """image: the name that FROM asks for. suite: of Debian. changes: instructions of a Dockerfile for its settings.
    hook: a shell command that is given the root of the system before it is packed.
    """

    image: str
    suite: str
    packages: Sequence[str]
    changes: Sequence[str] = ()
    hook: str = "true"

    @property
    def key(self) -> str:
        """Another one for everything that is made in another way."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


PYTHON = Base(
    "docker.io/library/python:3.11-slim-bookworm",
    "bookworm",
    ("ca-certificates", "python3", "python3-pip", "python3-tk", "python3-venv", "tzdata"),
    hook='rm "$1"/usr/lib/*/libtk8.6.so',
)
"""In place of the official image: the same release and libraries, no bytecode of the standard library either, and a
_tkinter whose library is missing."""

_PRELOADED = "/lib/x86_64-linux-gnu/libresolv.so.2"
_INFERENCE = (
    "WORKDIR /facefusion",
    "ENV PATH=/facefusion/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    # What inference images set, and what would break an interpreter that is not theirs.
    "ENV LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu:/lib/x86_64-linux-gnu",
    f"ENV LD_PRELOAD={_PRELOADED}",
    "ENV PYTHONHOME=/usr",
    "ENV PYTHONPATH=/facefusion",
    # Has supervisord start everything anew.
    "STOPSIGNAL SIGHUP",
)
_FOLDER = f'mkdir "$1/facefusion"; echo {_PRELOADED} > "$1/etc/ld.so.preload"'

OLDER = Base(
    "localhost/token-monitor-test/inference:older", "bullseye", ("python-is-python3",), _INFERENCE, hook=_FOLDER
)
"""An inference image with a C library (2.31) and a Python (3.9) older than the monitor's."""

NEWER = Base("localhost/token-monitor-test/inference:newer", "trixie", ("python-is-python3",), _INFERENCE, hook=_FOLDER)
"""An inference image with a C library (2.41) and a Python (3.13) newer than the monitor's."""

_NO_BYTECODE = 'find "$1/usr/lib" -name __pycache__ -prune -exec rm -rf {} +'


def pack(base: Base, file: Path) -> None:
    """Make the system as a tar file. Raises CalledProcessError: it cannot be made."""
    hooks = [f"--customize-hook={_NO_BYTECODE}", f"--customize-hook={base.hook}"]
    options = ["--variant=minbase", f"--include={','.join(base.packages)}", *hooks]
    command = ["mmdebstrap", "--quiet", "--format=tar", *options, base.suite, str(file), mirror()]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)


def mirror() -> str:
    """Where this machine gets its Debian packages. Raises CalledProcessError, LookupError: apt knows no such place."""
    ask = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Component: main"]
    for prepare in ((), ("apt-get", "--quiet", "update")):
        if prepare:
            subprocess.run(prepare, check=True, capture_output=True, text=True, timeout=300)
        said = subprocess.run(ask, check=True, capture_output=True, text=True, timeout=60).stdout.split()
        places = [place for place in said if not place.rstrip("/").endswith("security")]
        if places:
            return places[0]
    raise LookupError("apt has no source of Debian's packages")
