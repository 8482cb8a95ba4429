"""`python -m token_monitor`, also installed as `token-monitor`."""

import sys


def main() -> None:
    """Run the command line; exit with its status."""
    from token_monitor.cli.main import main as command_line

    sys.exit(command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
