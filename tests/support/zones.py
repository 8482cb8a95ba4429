"""A machine without time zones, as slim images are."""

import sys
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

_PACKAGE = ("tzdata", "tzdata.zoneinfo", "tzdata.zoneinfo.Asia")


@contextmanager
def without_zones(*, package: bool) -> Iterator[None]:
    """The system has none. package: the package `tzdata` still has those of Asia and UTC."""
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with patch.dict(sys.modules, {} if package else dict.fromkeys(_PACKAGE)):
            yield
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
