"""Becomes one of the two programs of the image `bundled`. supervisord starts it, in a process of its own.

usage: begin.py inference | monitor
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Final

FOR_ITS_LOADER: Final = ("LD_AUDIT", "LD_PRELOAD")
MONITOR: Final = "/opt/token-monitor/bin/token-monitor"
DATA: Final = Path("/var/lib/token-monitor")
USER: Final = 65532


def inference() -> None:
    """With the libraries its base has loaded into every program, which would break our own: the image hides them."""
    for name in FOR_ITS_LOADER:
        of_the_base = os.environ.pop(f"INFERENCE_{name}", "")
        value = os.environ.pop(name, "") or of_the_base
        if value:
            os.environ[name] = value
    command = shlex.split(os.environ["INFERENCE_COMMAND"])
    try:
        os.execvp(command[0], command)  # noqa: S606 - it is the user's
    except OSError as error:
        raise SystemExit(f"error: inference cannot start, {command[0]}: {error.strerror}") from None


def monitor() -> None:
    """It holds credentials, so it is never root, even where inference is."""
    if os.geteuid() == 0:
        try:
            leave_root()
        except OSError as error:
            needed = "the capabilities CHOWN, KILL, SETGID and SETUID"
            raise SystemExit(f"error: token-monitor cannot leave root ({error.strerror}); it needs {needed}") from None
    os.execv(MONITOR, [MONITOR, "run"])  # noqa: S606 - our own


def leave_root() -> None:
    if DATA.stat().st_uid != USER:
        for path in (*DATA.iterdir(), DATA):
            os.chown(path, USER, USER, follow_symlinks=False)
    os.setgroups([])
    os.setgid(USER)
    os.setuid(USER)
    os.environ["HOME"] = "/"


{"inference": inference, "monitor": monitor}[sys.argv[1]]()
