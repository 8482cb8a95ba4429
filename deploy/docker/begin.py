"""Becomes one of the two programs of the image `bundled`. supervisord starts it, in a process of its own.

usage: begin.py inference | monitor
"""

import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

FOR_ITS_LOADER: Final = ("LD_AUDIT", "LD_PRELOAD")
MONITOR: Final = "/opt/token-monitor/bin/token-monitor"
STDOUT: Final = 16  # of process 1, which left it there for the monitor (supervise.py)
USER: Final = 65532


def inference() -> None:
    """With the libraries its base has loaded into every program, which would break our own: the image hides them."""
    os.close(STDOUT)
    for name in FOR_ITS_LOADER:
        of_the_base = os.environ.pop(f"INFERENCE_{name}", "")
        value = os.environ.pop(name, "") or of_the_base
        if value:
            os.environ[name] = value
    for name in [name for name in os.environ if name.startswith("SUPERVISOR_")]:
        del os.environ[name]
    if b"LC_CTYPE=" not in Path("/proc/self/environ").read_bytes():
        os.environ.pop("LC_CTYPE", None)  # our interpreter sets it where no locale is set (PEP 538)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by our interpreter, and so by what it becomes
        signal.signal(ignored, signal.SIG_DFL)
    command = shlex.split(os.environ["INFERENCE_COMMAND"])
    try:
        os.execvp(command[0], command)  # noqa: S606 - it is the user's
    except OSError as error:
        raise SystemExit(f"error: inference cannot start, {command[0]}: {error.strerror}") from None


def monitor() -> None:
    """It holds credentials, so it is never root, even where inference is."""
    os.dup2(STDOUT, 1)
    os.close(STDOUT)
    if os.geteuid() == 0:
        try:
            leave_root()
        except OSError as error:
            needed = "the capabilities CHOWN, KILL, SETGID and SETUID"
            raise SystemExit(f"error: token-monitor cannot leave root ({error.strerror}); it needs {needed}") from None
    os.execv(MONITOR, [MONITOR, "run"])  # noqa: S606 - our own


def leave_root() -> None:
    with suppress(OSError):  # it then keeps its state in memory, and says so
        own(Path(os.environ.get("TOKEN_MONITOR_DATA", "")))
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    os.environ["HOME"] = "/"


def own(data: Path) -> None:
    """Our files in it, and nobody else's: it may be a folder of the inference process."""
    if data.is_absolute() and data.stat().st_uid != USER:
        for path in (*data.glob("monitor.*"), data):
            os.chown(path, USER, USER, follow_symlinks=False)


{"inference": inference, "monitor": monitor}[sys.argv[1]]()
