"""Settings for a command, or the user's mistakes, a line each."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from token_monitor.config.settings import DaemonSettings, Settings


class SettingsMistakeError(click.ClickException):
    """Problems of the settings, a line each: `path: what was found; what is allowed`."""


def load_settings() -> "Settings":
    """The settings of the environment. Raises SettingsMistakeError."""
    from token_monitor.app.registry import REGISTRY
    from token_monitor.config.load import load

    with _mistakes():
        return load(os.environ, Path.cwd(), REGISTRY, terminal=sys.stdout.isatty())


def load_daemon_settings() -> "DaemonSettings":
    """Those of the process alone. Raises SettingsMistakeError."""
    from token_monitor.config.load import load_daemon

    with _mistakes():
        return load_daemon(os.environ, Path.cwd())


@contextmanager
def _mistakes() -> Iterator[None]:
    from token_monitor.config.problems import ConfigError

    try:
        yield
    except ConfigError as error:
        raise SettingsMistakeError("\n".join(map(str, error.problems))) from None
