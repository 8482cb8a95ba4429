"""`test-alert`: does every channel work?"""

import sys
from collections.abc import Sequence

import click

from token_monitor.cli.settings import load_settings


@click.command("test-alert")
@click.argument("channels", nargs=-1)
def test_alert(channels: Sequence[str]) -> int:
    """Send a marked test alert through each channel, now, and print what each receiver answered.

    Works beside a running daemon. Exit status: 0 all delivered, 1 not, 2 a mistake.
    """
    from token_monitor.app.oneshot import test_alert as send
    from token_monitor.logs import configure
    from token_monitor.output import Output

    settings = load_settings()
    known = ["stdout", *settings.channels]
    for name in channels:
        if name not in known:
            raise click.ClickException(f"there is no channel {name!r}; there are: {', '.join(known)}")
    configure(Output(sys.stderr.fileno()), "error", "console")
    output = Output(sys.stdout.fileno())
    trials = send(settings, output, channels)
    output.close(1.0)
    for trial in trials:
        click.echo(f"{trial.channel}: {'delivered' if trial.delivered else 'NOT delivered'}: {trial.answer}")
    return 0 if all(trial.delivered for trial in trials) else 1
