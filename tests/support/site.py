"""A place where the process meets real servers: a provider, a receiver of webhooks, folders and an environment."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from support.daemon import MODULE, PATIENCE, Daemon, Lines
from support.receiver import Answer, Received, Receiver

TOKEN = "tok-5f0c2f7e9b1d"


class Provider(Receiver):
    """A receiver that answers each path with what is set for it, and all others with the standing answer."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._paths: dict[str, Callable[[], Answer]] = {}

    def says(self, balance: object, path: str | None = None, **more: object) -> None:
        """A balance, exactly as written, beside `more`; from now on, at one path or at all of them."""
        others = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in more.items())
        body = f'{{"balance": {balance}{others}}}'.encode()
        if path is None:
            self.answer(body=body)
        else:
            self.at(path, lambda: Answer(body=body))

    def at(self, path: str, answer: Callable[[], Answer]) -> None:
        """What each request to `path` gets."""
        self._paths[path] = answer

    def take(self, request: Received) -> Answer:
        standing = super().take(request)
        own = self._paths.get(request.path)
        return standing if own is None else own()


@frozen
class Done:
    """A command that has run."""

    status: int
    out: str
    err: str


class Site:
    """Everything one test needs; `close` leaves nothing behind.

    work: the working directory. data: TOKEN_MONITOR_DATA.
    """

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.data = folder / "data"
        self.work.mkdir()
        self.provider = Provider()
        self.receiver = Receiver()
        self.daemons: list[Daemon] = []

    def __enter__(self) -> Self:
        self.provider.__enter__()
        self.receiver.__enter__()
        self.provider.says(100)
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in self.daemons:
            daemon.close()
        self.receiver.__exit__()
        self.provider.__exit__()

    def environment(self, **more: str) -> dict[str, str]:
        """A clean environment: nothing of the tests' own. `more` is added; an empty value removes."""
        base = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.work),
            "LANG": "C.UTF-8",
            "TOKEN_MONITOR_DATA": str(self.data),
            "TOKEN_MONITOR_LISTEN": "127.0.0.1:0",
        }
        return {name: value for name, value in (base | more).items() if value}

    def account(self, **more: str) -> dict[str, str]:
        """The environment of one account with a webhook, polled quickly."""
        base = {
            "FACEFUSION_API_TOKEN": TOKEN,
            "BALANCE_CHECK_ENDPOINT": f"{self.provider.url}/v1/balance",
            "ALERT_WEBHOOK_URL": f"{self.receiver.url}/hook",
            "CHECK_INTERVAL": "0.2",
        }
        return self.environment(**(base | more))

    def yaml(self, text: str, **more: str) -> dict[str, str]:
        """The environment that has it read `text`, in which PROVIDER and RECEIVER stand for their URLs."""
        file = self.work / "monitor.yaml"
        text = text.replace("PROVIDER", self.provider.url).replace("RECEIVER", self.receiver.url)
        file.write_text(text, encoding="utf-8")
        return self.environment(TOKEN_MONITOR_CONFIG=str(file), **more)

    def start(
        self, environment: dict[str, str], *arguments: str, command: Sequence[str] = MODULE, stdout: int | None = None
    ) -> Daemon:
        """Start the daemon."""
        daemon = Daemon(self.work, environment, (*command, *arguments), stdout)
        self.daemons.append(daemon)
        return daemon

    def drive(self, script: str, environment: dict[str, str], **how: Any) -> Daemon:
        """Start Python with `script`, which uses the package in its own way, then runs it."""
        return self.start(environment, command=(sys.executable, "-c", script), **how)

    def run(self, environment: dict[str, str], *arguments: str, timeout: float = 30) -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            (*MODULE, *arguments),
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def posted(self, count: int, timeout: float = PATIENCE) -> list[dict[str, Any]]:
        """The alerts of the first `count` webhooks, once they have come."""
        return [request.json()["alert"] for request in self.receiver.wait_for(count, timeout)]

    def judged(self, polls: int = 1) -> None:
        """Wait until that many polls which begin from now on are judged: polls of an account never overlap."""
        self.provider.wait_for(len(self.provider.requests) + polls + 1, PATIENCE)

    def query(self, statement: str) -> list[Any]:
        """Rows of monitor.db, while no daemon runs."""
        with closing(sqlite3.connect(self.data / "monitor.db")) as db:
            return db.execute(statement).fetchall()


__all__ = ["PATIENCE", "TOKEN", "Answer", "Daemon", "Done", "Lines", "Provider", "Received", "Receiver", "Site"]
