"""Settings for a command, or the user's mistakes, a line each."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from token_monitor.config.settings import Settings


def load_settings() -> "Settings":
    """The settings of the environment. Raises ClickException with every problem, a line each."""
    from token_monitor.app.registry import REGISTRY
    from token_monitor.config.load import load
    from token_monitor.config.problems import ConfigError

    try:
        return load(os.environ, Path.cwd(), REGISTRY, terminal=sys.stdout.isatty())
    except ConfigError as error:
        lines = [str(problem) for problem in error.problems]
        count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
        where = f" in {error.file}" if error.file else ""
        raise click.ClickException("\n  ".join([f"the settings have {count}{where}:", *lines])) from None
