import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a Unix socket's name; pytest's own may be too long."""
    folder = Path(tempfile.mkdtemp(prefix="tm-"))
    yield folder
    shutil.rmtree(folder)
