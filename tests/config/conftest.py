from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import frozen

from token_monitor.config.load import load
from token_monitor.config.problems import ConfigError
from token_monitor.config.registry_types import Registry
from token_monitor.config.settings import Settings
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url
from token_monitor.sources.dialect import JsonEndpoint

FIVE = Seconds(5)


@frozen
class Webhook:
    url: Url
    secret: Secret | None = None
    timeout: Seconds = FIVE


@frozen
class Slack:
    url: Url
    timeout: Seconds = FIVE


def channel_of_host(host: str) -> str:
    if host.endswith("dingtalk.com"):
        raise ValueError("another receiver; dingtalk is not part of this version")
    return "slack" if host.endswith("slack.com") else "webhook"


REGISTRY = Registry({"generic": JsonEndpoint}, {"webhook": Webhook, "slack": Slack}, channel_of_host)


class Desk:
    """A working folder in which settings are written and loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: str | bytes) -> str:
        file = self.folder / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    def load(self, environ: Mapping[str, str] | None = None, yaml: str | bytes | None = None) -> Settings:
        environ = dict(environ or {})
        if yaml is not None:
            self.write("tm.yaml", yaml)
            environ["TOKEN_MONITOR_CONFIG"] = "tm.yaml"
        return load(environ, self.folder, REGISTRY)

    def problems(self, environ: Mapping[str, str] | None = None, yaml: str | bytes | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(environ, yaml)
        lines = str(caught.value).split("\n")
        assert lines == [str(problem) for problem in caught.value.problems]
        assert caught.value.file == (None if yaml is None else self.folder / "tm.yaml")
        return [line.replace(str(self.folder), "FOLDER") for line in lines]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def registry() -> Registry:
    return REGISTRY
