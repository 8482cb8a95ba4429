"""docker-compose.yml under podman-compose: the project's own files, in a folder of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.containers import ROOT, Container, Engine

SERVICE = "com.docker.compose.service"
PROJECT = "com.docker.compose.project"


class Project:
    """A copy of the project, named as its folder is.

    dotenv: what `.env` has. here: the second compose file, with what this machine lacks or must not share.
    """

    def __init__(self, engine: Engine, folder: Path, dotenv: Mapping[str, str], here: str) -> None:
        self._engine = engine
        self.folder = folder
        shutil.copy(ROOT / "docker-compose.yml", folder)
        shutil.copytree(ROOT / "deploy/prometheus", folder / "deploy/prometheus")
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in dotenv.items()))
        (folder / "here.yml").write_text(here)
        podman = folder / "podman"
        podman.write_text(f'#!/bin/sh\nexec {" ".join(engine.command("podman"))} "$@"\n')
        podman.chmod(0o755)

    def config(self, *profiles: str) -> dict[str, Any]:
        """What podman-compose makes of docker-compose.yml alone."""
        return dict(yaml.safe_load(self._run("docker-compose.yml", profiles, "config")))

    def up(self, *profiles: str) -> None:
        """Start what is not started."""
        self._run("here.yml", profiles, "up", "--detach", "--no-build")

    def down(self, *profiles: str) -> None:
        """Remove containers and volumes."""
        self._run("here.yml", profiles, "down", "--volumes", "--timeout=5")

    def containers(self) -> dict[str, Container]:
        """By service."""
        form = '{{.ID}} {{index .Labels "' + SERVICE + '"}}'
        told = ["ps", "--all", f"--filter=label={PROJECT}={self.folder.name}", "--format", form]
        lines = [line.split() for line in self._engine.podman(*told).stdout.splitlines()]
        return {service: Container(self._engine, number) for number, service in lines}

    def _run(self, file: str, profiles: tuple[str, ...], *command: str) -> str:
        files = ["--file=docker-compose.yml"] + ([] if file == "docker-compose.yml" else [f"--file={file}"])
        program = [str(Path(sys.executable).with_name("podman-compose")), f"--podman-path={self.folder / 'podman'}"]
        done = subprocess.run(
            [*program, *files, *(f"--profile={profile}" for profile in profiles), *command],
            cwd=self.folder,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin", "HOME": str(self.folder)},
            capture_output=True,
            check=False,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
