"""The layers of the house, held by the imports themselves."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import token_monitor

ROOT = Path(token_monitor.__file__).parent

MAY_IMPORT = {
    "core": set(),
    "sources": {"core"},
    "channels": {"core"},
    "stores": {"core"},
    "config": {"core"},
    "web": {"core"},
    "watch": {"core"},
    "step": {"core", "watch"},
    "fetcher": {"core"},
    "asking": {"core", "watch"},
    "search": {"asking", "core", "watch"},
    "failover": {"core", "fetcher", "search", "step", "watch"},
    "monitor": {"core", "failover", "step", "watch"},
    "scheduler": {"core", "monitor", "watch"},
    "publish": set(),
    "file_writer": set(),
    "publisher": {"core", "file_writer", "publish"},
    "worker": {"core"},
    "delivery": {"core", "worker"},
    "level": {"core", "worker"},
    "clock": {"core"},
    "watchdog": set(),
    "http": {"core", "watchdog"},
    "output": set(),
    "loglines": {"core"},
    "logs": {"core", "loglines", "output"},
    "signals": set(),
    "healthcheck": set(),
    "app": None,  # everything but cli
    "cli": {"app", "config", "core", "logs", "output", "signals", "stores"},
    "__main__": {"cli"},
    "__init__": set(),
}

THIRD_PARTY = {
    "core": {"attrs"},
    "sources": {"attrs", "jmespath"},
    "channels": {"apprise", "attrs", "confluent_kafka", "pika"},
    "stores": {"attrs", "cattrs"},
    "config": {"attrs", "cattrs", "dotenv", "yaml"},
    "web": {"attrs", "prometheus_client", "starlette", "uvicorn"},
    "watch": {"attrs"},
    "step": {"attrs", "structlog"},
    "fetcher": set(),
    "asking": {"structlog"},
    "search": {"attrs"},
    "failover": {"attrs", "structlog"},
    "monitor": {"attrs", "structlog"},
    "scheduler": {"attrs", "structlog"},
    "publish": {"attrs"},
    "file_writer": {"structlog"},
    "publisher": {"attrs", "structlog"},
    "worker": {"structlog"},
    "delivery": {"attrs", "structlog"},
    "level": {"attrs", "structlog"},
    "clock": set(),
    "watchdog": set(),
    "http": {"certifi", "requests", "urllib3"},
    "output": {"attrs"},
    "logs": {"structlog"},
    "signals": set(),
    "healthcheck": {"dotenv"},
    "app": {"attrs", "structlog", "starlette"},
    "loglines": set(),
    "cli": {"click"},
    "__main__": set(),
    "__init__": set(),
}


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names if node.module == "token_monitor")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_layer_imports_only_what_lies_below_it(path: Path) -> None:
    mine = layer(path)
    allowed = MAY_IMPORT[mine]
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "token_monitor":
            other = parts[1] if len(parts) > 1 else "__init__"
            if other in ("__init__", "__version__") or other == mine:
                continue
            assert other != "cli" or mine == "__main__", f"{name}: nothing imports the command line"
            assert allowed is None or other in allowed, f"{mine} must not import {name}"
        elif parts[0] not in sys.stdlib_module_names:
            assert parts[0] in THIRD_PARTY[mine], f"{mine} must not import {name}"


ADAPTERS = {
    "sources.json_endpoint",
    "channels.stdout",
    "channels.webhook",
    "channels.slack",
    "channels.alertmanager",
} | {
    "channels.dingtalk",
    "channels.wecom",
    "channels.feishu",
    "channels.email",
    "channels.apprise",
    "channels.template",
    "channels.exec",
    "channels.kafka",
    "channels.rabbitmq",
}


def test_nothing_but_the_registry_and_the_demo_knows_an_adapter() -> None:
    for path in files():
        used = {name.removeprefix("token_monitor.") for name in imports(path)} & ADAPTERS
        assert not used or path.relative_to(ROOT).as_posix() in ("app/registry.py", "app/demo.py"), (path, used)


def test_every_adapter_is_on_the_list() -> None:
    classes = {
        f"{path.parent.name}.{path.stem}"
        for folder in ("sources", "channels")
        for path in (ROOT / folder).glob("*.py")
        if re.search(r"^class \w+(Source|Channel)\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert classes == ADAPTERS


def test_there_is_no_cycle() -> None:
    known = {module(path) for path in files()}
    graph = {module(path): {name for name in imports(path) if name in known} - {"token_monitor"} for path in files()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)


def test_there_is_no_junk_drawer() -> None:
    assert not [path for path in files() if path.stem in ("utils", "helpers", "common", "misc")]
