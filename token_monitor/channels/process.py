"""Runs a program to its end or to a deadline, with bounded input and output, and leaves nothing behind."""

import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from attrs import define, field, frozen

KEPT: Final = 4096
GRACE: Final = 2.0
_PIECE: Final = 64 << 10
_LOOK_AGAIN: Final = 0.05  # where nothing announces the end of the program


@frozen
class Ended:
    """code: the exit status; below 0, the signal that ended it; None: it was stopped at the deadline.

    out, err: the first 4 KiB of each.
    """

    code: int | None
    out: bytes
    err: bytes


class Runner:
    """Runs programs, one at a time. `close` may be called by another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, argv: Sequence[str], stdin: bytes, env: Mapping[str, str], timeout: float) -> Ended:
        """Run `argv`, not through a shell, in `/` and in a session and process group of its own.

        At the deadline the group gets SIGTERM, and SIGKILL 2 seconds later. What the program started and left behind
        when it ended in time goes on, without anybody reading what it writes.
        Raises OSError: it could not be started, with ECANCELED after `close`.
        """
        deadline = time.monotonic() + timeout
        process = self._started(argv, stdin, env)
        in_time = False
        with _Talk(process) as talk:
            try:
                in_time = talk.until_end(deadline)
                if not in_time:
                    _signal_group(process, signal.SIGTERM)
                    talk.until_end(time.monotonic() + GRACE)
            finally:
                if not in_time:
                    _signal_group(process, signal.SIGKILL)
                with self._lock:  # from here on the number of its group may be given to another
                    self._running = None
                with suppress(subprocess.TimeoutExpired):  # in the middle of a system call that nothing interrupts
                    process.wait(GRACE)
        return Ended(process.returncode if in_time else None, bytes(talk.out), bytes(talk.err))

    def close(self) -> None:
        """Kill the group of what runs, and start nothing more."""
        with self._lock:
            self._closed = True
            if self._running is not None:
                _signal_group(self._running, signal.SIGKILL)

    def _started(self, argv: Sequence[str], stdin: bytes, env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        # Signals: Python's handlers end with exec, `restore_signals` undoes what Python ignores; nothing is masked.
        with os.fdopen(os.memfd_create("stdin"), "w+b") as given:
            given.write(stdin)  # whole before it starts: through a pipe it would read half an alert if we are killed
            given.seek(0)
            process = subprocess.Popen(  # noqa: S603
                argv,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=env,
                close_fds=True,
                start_new_session=True,
            )
        with self._lock:
            self._running = process
            if self._closed:  # meanwhile
                _signal_group(process, signal.SIGKILL)
        return process


def _ended(process: "subprocess.Popen[bytes]") -> bool:
    """Whether it has; it stays a zombie, so that its process group's number is not given to another."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # the latter: only a program of another user is left in it
        os.killpg(process.pid, number)


@define
class _Talk:
    """Reads what a program says; what exceeds the bound is read and dropped."""

    _process: "subprocess.Popen[bytes]"
    out: bytearray = field(factory=bytearray)
    err: bytearray = field(factory=bytearray)
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)
    _end: int | None = None

    def __enter__(self) -> "_Talk":
        process = self._process
        for stream, kept in ((process.stdout, self.out), (process.stderr, self.err)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream.fileno(), selectors.EVENT_READ, kept)
        with suppress(OSError):  # an old kernel, or a container that forbids it
            self._end = os.pidfd_open(process.pid)
            self._selector.register(self._end, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        if self._end is not None:
            os.close(self._end)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):
                stream.close()

    def until_end(self, deadline: float) -> bool:
        """Talk until the program has ended and what it said is read; False: it has not by then."""
        while True:
            ended = _ended(self._process)
            if ended:
                self._step(0)
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._step(min(left, _LOOK_AGAIN))

    def _step(self, wait: float) -> None:
        if not self._selector.get_map():
            time.sleep(min(wait, 0.01))
            return
        for key, _ in self._selector.select(wait):
            if key.fd != self._end:
                self._read(key.fd, key.data)

    def _read(self, fd: int, kept: bytearray) -> None:
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._selector.unregister(fd)
        kept += piece[: max(0, KEPT - len(kept))]
