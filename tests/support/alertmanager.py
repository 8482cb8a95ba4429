"""The real Alertmanager as a process of its own, asked through its API what it holds."""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from support import services

PATIENCE = 15.0

# One route that tells everything at once, in groups that the labels of token-monitor are made for.
CONFIG = """
route:
  receiver: people
  group_by: [alertname, account]
  group_wait: 0s
  group_interval: 1s
  routes:
    - {receiver: pager, matchers: ['severity="critical"']}
receivers: [{name: people PEOPLE}, {name: pager PEOPLE}]
"""


class Alertmanager:
    """One instance on a free loopback port, with a data folder of its own; it can be stopped and started again.

    webhook: where it sends its notifications.
    """

    def __init__(self, folder: Path, webhook: str | None = None) -> None:
        self._program = services.require("prometheus-alertmanager")
        self.folder = folder
        folder.mkdir(exist_ok=True)
        people = f", webhook_configs: [{{url: '{webhook}'}}]" if webhook else ""
        self.config = folder / "alertmanager.yml"
        self.config.write_text(CONFIG.replace(" PEOPLE", people), encoding="utf-8")
        self.port = services.free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    f"--config.file={self.config}",
                    f"--storage.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        wait_until(self._ready)

    def stop(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The alerts that it holds as firing and that have these labels."""
        held = self.get("/api/v2/alerts")
        return [alert for alert in held if labels.items() <= alert["labels"].items()]

    def severities(self, **labels: str) -> list[str]:
        return sorted(alert["labels"]["severity"] for alert in self.alerts(**labels))

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return json.load(answer)

    def amtool(self, *arguments: str) -> str:
        """What amtool prints."""
        done = subprocess.run(
            [services.require("amtool"), *arguments], capture_output=True, check=True, text=True, timeout=PATIENCE
        )
        return done.stdout

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=PATIENCE):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def wait_until(true: Callable[[], object], timeout: float = PATIENCE) -> None:
    """Look again and again."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
