"""The group of commands, and what their ends mean: 0 done, 1 a bad answer, 2 the user's mistake, 130 interrupted."""

from collections.abc import Sequence
from typing import Final

import click

from token_monitor import __version__
from token_monitor.cli.check import check
from token_monitor.cli.check_config import check_config
from token_monitor.cli.demo import demo
from token_monitor.cli.run import run
from token_monitor.cli.settings import SettingsMistakeError
from token_monitor.cli.status import status
from token_monitor.cli.test_alert import test_alert
from token_monitor.core.secret import redact

UNKNOWN: Final = 3  # of `check`, by the Nagios convention; its usage and config errors too
MISTAKE: Final = 2
INTERRUPTED: Final = 130


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="token-monitor")
@click.pass_context
def cli(context: click.Context) -> None:
    """The fuel gauge for AI services that run on prepaid tokens.

    Without a command it runs the daemon. Settings come from environment variables, from .env in the working
    directory, or from the YAML file that TOKEN_MONITOR_CONFIG names.
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


for command in (run, check, check_config, test_alert, demo, status):
    cli.add_command(command)


def main(arguments: Sequence[str]) -> int:
    """The exit status. Every mistake of the user's is one line (or one line each) on standard error."""
    mistake = _mistake(arguments)
    try:
        status = cli.main(list(arguments), prog_name="token-monitor", standalone_mode=False)
    except SettingsMistakeError as error:
        click.echo(error.format_message(), err=True)
        return mistake
    except click.ClickException as error:
        click.echo(f"token-monitor: {error.format_message()}", err=True)
        return mistake
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a bare 1 would say `low` to whoever asked `check`
        click.echo(f"token-monitor: internal error, please report it: {redact(repr(error))}", err=True)
        return mistake if arguments[:1] == ["check"] else 1
    return status if isinstance(status, int) else 0


def _mistake(arguments: Sequence[str]) -> int:
    """The exit status of a mistake. `check` is asked before a job starts, and `--fail-open` must not hold that back."""
    if list(arguments[:1]) != ["check"]:
        return MISTAKE
    return 0 if "--fail-open" in arguments else UNKNOWN
