"""The real Prometheus as a process of its own, with this project's rules and its example of a configuration."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError

import yaml

from support import services
from support.daemon import PATIENCE

DEPLOY = Path(__file__).parents[2] / "deploy/prometheus"


class Prometheus:
    """One instance on a free loopback port: the example, but with `target`, and looking every `interval` seconds."""

    def __init__(self, folder: Path, target: str, interval: str = "250ms") -> None:
        self._program = services.require("prometheus")
        self._folder = folder
        folder.mkdir()
        shutil.copy(DEPLOY / "token-monitor.rules.yaml", folder)
        config = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))
        config["global"] = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), interval)
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._address = f"127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self) -> Self:
        command = [
            str(self._program),
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_until(self._ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def get(self, path: str) -> Any:
        """`data` of an answer of its API."""
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def firing(self, name: str) -> list[dict[str, Any]]:
        """The alerts of this name that fire."""
        alerts = self.get("alerts")["alerts"]
        return [alert for alert in alerts if (alert["labels"]["alertname"], alert["state"]) == (name, "firing")]

    def wait_until(self, true: Callable[[], object]) -> None:
        """Look again and again, as long as the process lives."""
        deadline = time.monotonic() + PATIENCE
        while not true():
            log = (self._folder / "log").read_text(encoding="utf-8")
            assert self._process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=PATIENCE):
                return True
        except (URLError, ConnectionError):
            return False
