"""Settings for a command, or the user's mistakes, a line each."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from token_monitor.config.settings import Settings


class SettingsMistakeError(click.ClickException):
    """Problems of the settings, a line each: `path: what was found; what is allowed`."""


def load_settings() -> "Settings":
    """The settings of the environment. Raises SettingsMistakeError."""
    from token_monitor.app.registry import REGISTRY
    from token_monitor.config.load import load
    from token_monitor.config.problems import ConfigError

    try:
        return load(os.environ, Path.cwd(), REGISTRY, terminal=sys.stdout.isatty())
    except ConfigError as error:
        raise SettingsMistakeError("\n".join(map(str, error.problems))) from None
