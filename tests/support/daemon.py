"""The real `python -m token_monitor` as a process of its own: what it writes, what its HTTP answers, how it ends."""

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from attrs import frozen

PATIENCE = 15.0
"""Seconds that something which takes a moment may take on a busy machine."""

MODULE = (sys.executable, "-m", "token_monitor")


class Lines:
    """What a process writes to a pipe, line by line as it comes. `rest`: what came after the last line break."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.all: list[str] = []
        self.rest = b""
        self._pipe = pipe
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="lines", daemon=True)
        self._thread.start()

    def wait_for(self, wanted: Callable[[str], bool], count: int = 1, timeout: float = PATIENCE) -> str:
        """The `count`-th line that is wanted; an AssertionError with all lines if it does not come in time."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while len(found := [line for line in self.all if wanted(line)]) < count:
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise AssertionError(f"not written ({len(found)} of {count}):\n" + "\n".join(self.all))
                self._changed.wait(left)
            return found[count - 1]

    def finish(self, timeout: float = PATIENCE) -> list[str]:
        """All lines, once the pipe is closed by its writer."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "somebody still holds the pipe"
        return self.all

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                with self._changed:
                    if line.endswith(b"\n"):
                        self.all.append(line.decode().removesuffix("\n"))
                    else:
                        self.rest = line
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@frozen
class Answer:
    """What the daemon's HTTP answered."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Daemon:
    """One process. stdout: a descriptor of the test's own in place of the pipe that `out` reads."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], command: Sequence[str] = MODULE, stdout: int | None = None
    ) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        self.err = Lines(self.process.stderr)
        self.out = Lines(self.process.stdout) if self.process.stdout is not None else None
        self._listen: tuple[str, int] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def entry(self, count: int = 1, timeout: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """The `count`-th log line with these fields, as it comes."""
        assert self.out is not None
        entry: dict[str, Any] = json.loads(self.out.wait_for(lambda line: _has(line, fields), count, timeout))
        return entry

    def entries(self, **fields: object) -> list[dict[str, Any]]:
        """The log lines so far that have these fields."""
        assert self.out is not None
        return [json.loads(line) for line in list(self.out.all) if _has(line, fields)]

    def watching(self) -> "Daemon":
        """Wait until it watches."""
        host, _, port = self.entry(msg="Watching")["listen"].rpartition(":")
        self._listen = (host, int(port)) if port.isdigit() else None
        return self

    def get(self, path: str, method: str = "GET") -> Answer:
        """Ask its HTTP."""
        if self._listen is None:
            self.watching()
        assert self._listen is not None
        connection = http.client.HTTPConnection(*self._listen, timeout=PATIENCE)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()

    def poll(self, account: str = "facefusion") -> None:
        """Have it poll now."""
        assert self.get(f"/api/v1/accounts/{account}/poll", "POST").status == 202

    def metric(self, line: str) -> str:
        """The value of a metric, by its name and labels as written."""
        found = [text for text in self.get("/metrics").text.splitlines() if text.rpartition(" ")[0] == line]
        assert len(found) == 1, f"{line}: {found}"
        return found[0].rpartition(" ")[2]

    def wait_until(self, true: Callable[[], object], timeout: float = PATIENCE) -> None:
        """Look again and again, as long as the process lives."""
        deadline = time.monotonic() + timeout
        while not true():
            assert self.process.poll() is None, f"it ended: {self.process.returncode}\n" + "\n".join(self.err.all)
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 3.0) -> float:
        """Ask it to end and expect that it does, with status 0 and nothing on stderr; the seconds it took."""
        begun = time.monotonic()
        self.send(number)
        status = self.wait(PATIENCE)
        took = time.monotonic() - begun
        assert status == 0, "\n".join(self.err.all)
        assert self.err.finish() == []
        assert took < within
        return took

    def kill(self) -> None:
        """kill -9."""
        self.send(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit status."""
        return self.process.wait(timeout)

    def close(self) -> None:
        """Leave nothing running, whatever the test came to: of its process group, too."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        written = [*(self.out.all if self.out is not None else []), *self.err.all]
        print(f"--- process {self.pid}, status {self.process.returncode}", *written, sep="\n")


def blocked_pipe() -> tuple[int, int]:
    """A pipe that is full to the last byte."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"\n"):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def one_line(text: str) -> str:
    """The only line, which is no traceback."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def _has(line: str, fields: Mapping[str, object]) -> bool:
    if not line.startswith("{"):
        return False
    entry = json.loads(line)
    return all(name in entry and entry[name] == value for name, value in fields.items())
