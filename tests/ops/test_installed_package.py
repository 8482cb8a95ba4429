"""`make wheel-test` promises to test the wheel, `make test` the checkout: here each is held to it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import token_monitor

CHECKOUT = Path(__file__).parents[2]


def expected_home() -> Path:
    if os.environ.get("TOKEN_MONITOR_TESTED") == "wheel":
        return Path(sysconfig.get_path("purelib"))
    return CHECKOUT


def test_the_tests_import_the_package_they_were_started_for():
    assert Path(token_monitor.__file__).parents[1] == expected_home()


def test_a_process_started_by_a_test_imports_the_same_package():
    where = subprocess.run(
        [sys.executable, "-c", "import token_monitor; print(token_monitor.__file__)"],
        capture_output=True,
        check=True,
        text=True,
    )

    assert where.stdout.strip() == token_monitor.__file__


def test_the_package_tells_type_checkers_that_it_is_typed():
    assert Path(token_monitor.__file__).with_name("py.typed").is_file()
