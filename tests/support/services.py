"""The programs that tests need and that no Python package brings."""

import os
import shutil
from pathlib import Path

import pytest


def require(program: str) -> Path:
    """The path of `program`. Where it is not installed the test is skipped with a reason, but fails when `CI=true`."""
    found = shutil.which(program)
    if found:
        return Path(found)
    reason = f"{program} is not installed; scripts/install-test-services installs it on Debian"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
