"""The settings of a monitor in a Pod: what its container's variables, its ConfigMap and its Secret come to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from token_monitor.app.registry import REGISTRY
from token_monitor.config.load import load
from token_monitor.config.settings import Settings

SECRET, CONFIGURED = "/run/secrets/token-monitor", "/etc/token-monitor"
"""Where the Secret and the ConfigMap are mounted."""


def variables(container: dict[str, Any]) -> dict[str, str]:
    """Of a container, each of them a text. Fails if one is there twice."""
    found = {each["name"]: each["value"] for each in container["env"]}
    assert len(found) == len(container["env"])
    assert all(isinstance(value, str) for value in found.values())
    return found


def keys(container: dict[str, Any]) -> set[str]:
    """The keys of the Secret that the monitor names."""
    return {name.removesuffix("_FILE") for name, value in variables(container).items() if value.startswith(SECRET)}


def settings(container: dict[str, Any], config: str | None, secret: Mapping[str, str], folder: Path) -> Settings:
    """As the monitor reads them with these files in `folder`. Raises ConfigError."""
    for key, value in secret.items():
        (folder / key).write_text(value, encoding="utf-8")
    if config is not None:
        (folder / "monitor.yaml").write_text(config.replace(SECRET, str(folder)), encoding="utf-8")
    here = {
        name: value.replace(SECRET, str(folder)).replace(CONFIGURED, str(folder))
        for name, value in variables(container).items()
    }
    return load({"HOME": str(folder), **here}, folder, REGISTRY)
