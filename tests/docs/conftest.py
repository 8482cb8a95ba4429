from collections.abc import Iterator
from pathlib import Path

import pytest

from support.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as place:
        yield place
