"""`python -m token_monitor`, also installed as `token-monitor`."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line; exit with its status."""
    if os.getpid() == 1:  # which has no default that would end it while the rest is imported
        signal.signal(signal.SIGTERM, _end)
    from token_monitor.cli.main import main as command_line

    sys.exit(command_line(sys.argv[1:]))


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


if __name__ == "__main__":
    main()
