"""What the package imports is what pyproject.toml installs."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import token_monitor


def imported() -> set[str]:
    """The top-level names of other people's modules that the package imports."""
    names = set()
    for file in Path(token_monitor.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"token_monitor"}


def requirements() -> list[str]:
    """Those that come without an extra."""
    return [one for one in importlib.metadata.requires("token-monitor") or [] if "extra ==" not in one]


def requirements_with_extras() -> list[str]:
    """Also those of the extras that users may name, but not of `dev`."""
    return [one for one in importlib.metadata.requires("token-monitor") or [] if not re.search("extra == .dev.", one)]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_imported_library_is_a_declared_dependency():
    declared = {normal(re.split(r"[^\w.-]", one, maxsplit=1)[0]) for one in requirements_with_extras()}
    homes = importlib.metadata.packages_distributions()

    undeclared = {name for name in imported() if declared.isdisjoint(map(normal, homes.get(name, [])))}

    assert not undeclared


def test_every_dependency_has_a_lower_bound_and_no_upper_one():
    assert requirements()
    assert all(re.fullmatch(r"[\w.-]+>=[\w.]+", one.replace(" ", "")) for one in requirements())


def test_time_zones_come_with_the_package_for_the_system_may_have_none():
    assert "tzdata" in {re.split(r"[^\w.-]", one, maxsplit=1)[0] for one in requirements()}
