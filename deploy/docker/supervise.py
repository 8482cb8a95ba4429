"""Process 1 of the image `bundled`: supervisord, which also starts where no folder can be written.

usage: supervise.py [WORD …]    the inference command, in place of INFERENCE_COMMAND
"""

import os
import signal

# Process 1 has no default that would end it while the rest is imported.
signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))

import shlex  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import BinaryIO, Final  # noqa: E402

from supervisor import loggers  # noqa: E402
from supervisor.supervisord import main  # noqa: E402

STDOUT: Final = 16  # as in begin.py; minfds in supervisord.conf


def opened(_name: str, _mode: str) -> BinaryIO:
    """A log file. All of them are /dev/stderr, which cannot be opened by its name if it is a socket."""
    return os.fdopen(os.dup(2), "wb")


def mistake() -> str:
    """What is wrong with the inference command, in one line; empty if nothing is."""
    try:
        words = shlex.split(os.environ.get("INFERENCE_COMMAND", ""))
    except ValueError as error:
        return f"INFERENCE_COMMAND: cannot be split into words: {error}"
    return "" if words and words[0] else "INFERENCE_COMMAND: names no program"


if sys.argv[1:]:
    os.environ["INFERENCE_COMMAND"] = shlex.join(sys.argv[1:])
if mistake():
    sys.stderr.write(f"error: {mistake()}\n")
    sys.exit(2)
if b"LC_CTYPE=" not in Path("/proc/self/environ").read_bytes():
    os.environ.pop("LC_CTYPE", None)  # our interpreter sets it where no locale is set (PEP 538)
loggers.open = opened
# For the monitor, whose lines do not pass through supervisord: that would stand still when nobody reads them, and
# inference with it, whose output it copies.
os.dup2(1, STDOUT)
# supervisord asks for the folder of temporary files, for log files that we do not have, and ends if there is none.
tempfile.tempdir = "/"
main(["-c", "/opt/token-monitor/supervisord.conf"])
