"""The programs that tests need and that no Python package brings, and the ports they listen on."""

import os
import random
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

_BELOW_THE_EPHEMERAL: Final = range(20_000, 32_000)


def find(program: str) -> Path | None:
    """The path of `program`; Debian keeps some servers where the PATH of a user does not lead."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    return Path(found) if found else None


def require(program: str) -> Path:
    """The path of `program`. Where it is not installed the test is skipped with a reason, but fails when `CI=true`."""
    found = find(program)
    if found:
        return found
    reason = f"{program} is not installed; scripts/install-test-services installs it on Debian"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    """A loopback port for a server that may end and come back: meanwhile no connection out of here gets it."""
    while True:
        port = random.choice(_BELOW_THE_EPHEMERAL)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
