"""`run`: the daemon."""

import sys

import click

from token_monitor.cli.settings import load_settings


@click.command()
def run() -> int:
    """Watch, until SIGTERM or SIGINT. This is what happens without a command, too."""
    from token_monitor.signals import Signals

    signals = Signals()
    from token_monitor.app import daemon
    from token_monitor.logs import configure
    from token_monitor.output import Output
    from token_monitor.stores.errors import StoreError

    settings = load_settings()
    output = Output(sys.stdout.fileno())
    configure(output, settings.daemon.log_level, settings.daemon.log_format)
    try:
        status = daemon.run(settings, signals, output)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    return daemon.leave(status)
