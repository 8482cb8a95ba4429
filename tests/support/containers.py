"""Real images and containers without an engine's daemon: buildah builds, podman runs, in a storage of their own.

The storage stays in a cache folder between runs ($XDG_CACHE_HOME/token-monitor/images); delete it to begin anew.
Nothing else is left: containers end with their test.

`python -m support.containers` says in one line why containers cannot be had here, with exit status 1, or nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from attrs import field, frozen

from support.bases import PYTHON, Base, pack

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that something which takes a moment may take on a busy machine."""
PROGRAMS = ("apt-get", "buildah", "catatonit", "mmdebstrap", "podman", "runc")
_SETTINGS = ("cert", "index-url", "proxy", "timeout", "trusted-host")
_CERTIFICATES = Path("/etc/ssl/certs")

T = TypeVar("T")


UNABLE = 3  # as in the Makefile; a traceback is 1


class Unable(Exception):  # noqa: N818 - not an error of what is tested
    """Containers cannot be had on this machine; the reason in one line."""


@frozen
class Said:
    """What a container wrote so far. A line is whole."""

    out: str
    err: str

    def entries(self, **fields: object) -> list[dict[str, Any]]:
        """The log lines on stdout that have these fields. Every line must be JSON."""
        lines = [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if fields.items() <= line.items()]

    def alerts(self) -> list[str]:
        return [str(line["msg"]) for line in self.entries() if "alert_id" in line]


class Engine:
    """Raises Unable where containers cannot run."""

    def __init__(self) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.folder = Path(cache) / "token-monitor" / "images"
        self._path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
        missing = [name for name in PROGRAMS if shutil.which(name, path=self._path) is None]
        if missing:
            raise Unable(f"{', '.join(missing)} not installed; scripts/install-test-services images does it on Debian")
        if os.geteuid() != 0:
            raise Unable("not root")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._storage = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        # Layers that nothing was built from for a day. Where podman fails at that, `base` says why.
        self.podman("image", "prune", "--force", "--filter", "until=24h", check=False)

    def command(self, program: str) -> list[str]:
        runtime = ["--runtime", str(shutil.which("runc", path=self._path))] if program == "podman" else []
        return [program, *self._storage, *runtime]

    def podman(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return self._run(*self.command("podman"), *arguments, check=check, timeout=timeout)

    def inspect(self, image: str) -> dict[str, Any]:
        """What is known of an image."""
        (found,) = json.loads(self.podman("image", "inspect", image).stdout)
        return dict(found)

    def base(self, base: Base) -> str:
        """The name of the image, which is there from now on. Raises Unable: it cannot be made or nothing runs in it."""
        try:
            made = self.podman("image", "inspect", '--format={{index .Labels "base"}}', base.image, check=False)
            if made.stdout.strip() != base.key:
                self._import(base)
            run = ["run", "--pull=never", "--network=host", "--ulimit=nofile=20000:20000", "--ulimit=nproc=1024:1024"]
            self.podman(*run, "--rm", "--memory=64m", base.image, "true")
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Unable(f"{error.cmd[0]} exited with {error.returncode}: {last}") from None
        except (LookupError, subprocess.TimeoutExpired) as error:
            raise Unable(str(error)) from None
        return base.image

    def _import(self, base: Base) -> None:
        labelled = [*base.changes, f"LABEL base={base.key}"]
        changes = [word for change in labelled for word in ("--change", change)]
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            file = Path(folder) / "system.tar"
            pack(base, file)
            self.podman("import", *changes, str(file), base.image, timeout=300)

    def build(self, target: str, *, tag: str = "latest", **arguments: str) -> str:
        """Build a target of the Dockerfile; the image's name. Raises AssertionError with all that was said."""
        image = f"localhost/token-monitor-test/{target}:{tag}"
        with tempfile.TemporaryDirectory(prefix="tm-") as folder:
            settings = Path(folder) / "pip.conf"
            settings.write_text(_pip_settings(), encoding="utf-8")
            command = [*self.command("buildah"), "bud", "--pull-never", "--isolation=chroot", "--format=docker"]
            command += ["--layers", "--volume", f"{settings}:/etc/pip.conf:ro", "--target", target, "--tag", image]
            if _CERTIFICATES.is_dir():
                command += ["--volume", f"{_CERTIFICATES}:{_CERTIFICATES}:ro"]
            command += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
            done = self._run(*command, str(ROOT), check=False, timeout=1200)
        assert done.returncode == 0, done.stdout + done.stderr
        return image

    def run(self, image: str, *options: str, command: Sequence[str] = (), **environment: str) -> "Container":
        """Start a container in the background, on the network of this machine if no other is named."""
        network = [] if any(option.startswith("--network") for option in options) else ["--network=host"]
        given = [f"--env={name}={value}" for name, value in environment.items()]
        limits = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=1024:1024"]
        fixed = ["--detach", "--pull=never", "--log-driver=k8s-file", *limits, *network]
        started = self.podman("run", *fixed, *given, *options, image, *command)
        return Container(self, started.stdout.strip())

    def _run(self, *command: str, check: bool, timeout: float) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": self._path}
        done = subprocess.run(
            command, capture_output=True, check=False, text=True, timeout=timeout, env=environment, cwd="/"
        )
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done


@frozen
class Container:
    """One container. `close` leaves nothing of it."""

    engine: Engine = field(repr=False)
    id: str

    @property
    def state(self) -> dict[str, Any]:
        (found,) = json.loads(self.engine.podman("container", "inspect", self.id).stdout)
        return dict(found["State"])

    @property
    def pid(self) -> int:
        """Of its process 1, as this machine counts."""
        return int(self.state["Pid"])

    def processes(self) -> dict[str, int]:
        """The children of its process 1: the command line → the process id, as this machine counts."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip(): int(pid) for pid in children}

    def child(self, word: str) -> int:
        """The id of the only child with `word` in its command line; 0 while it does not run."""
        found = [pid for line, pid in self.processes().items() if word in line]
        return found[0] if len(found) == 1 else 0

    def said(self) -> Said:
        done = self.engine.podman("logs", self.id)
        return Said(done.stdout, done.stderr)

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self.engine.podman("exec", self.id, *command, check=False)

    def health(self) -> tuple[int, str]:
        """What its health check comes to: the exit status and what it wrote."""
        status = self.engine.podman("healthcheck", "run", self.id, check=False).returncode
        log = self.state["Health"]["Log"][-1]
        return status, str(log["Output"]).strip()

    def signal(self, name: str) -> None:
        self.engine.podman("kill", "--signal", name, self.id)

    def stop(self) -> tuple[float, int]:
        """SIGTERM to its process 1; the seconds until it has ended, and its exit status."""
        pid, begun = self.pid, time.monotonic()
        os.kill(pid, 15)
        self.until(lambda: not Path(f"/proc/{pid}").exists())
        took = time.monotonic() - begun
        return took, self.ended()

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return int(self.engine.podman("wait", self.id).stdout)

    def until(self, look: Callable[[], T], seconds: float = PATIENCE) -> T:
        """The first truthy answer. Raises AssertionError with what the container said."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {seen!r} after {seconds:g} s; the container said {self.said()}")
            time.sleep(0.05)
        return seen

    def close(self) -> None:
        """Remove it; print what it said, for pytest to show where a test failed."""
        said = self.said()
        self.engine.podman("rm", "--force", "--time=0", "--volumes", self.id, check=False)
        print(f"--- container {self.id[:12]}, stdout:\n{said.out}--- stderr:\n{said.err}", end="")


def _pip_settings() -> str:
    """How pip is told to reach its index here. Only the builds see it; no image does."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, check=True, text=True, timeout=60
    )
    return "\n".join(["[global]", *_pip_lines(done.stdout)]) + "\n"


def _pip_lines(listed: str) -> Iterator[str]:
    told: Mapping[str, str] = {
        name.rpartition(".")[2]: value.strip("'\"")
        for name, equals, value in (line.partition("=") for line in listed.splitlines())
        if equals
    }
    for name in _SETTINGS:
        if name in told:
            yield f"{name} = {told[name]}"


def main() -> int:
    try:
        Engine().base(PYTHON)
    except Unable as unable:
        print(f"the images are not tested, for containers cannot run on this machine: {unable}")
        return UNABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())
