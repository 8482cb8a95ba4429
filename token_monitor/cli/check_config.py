"""`check-config`: what the settings say, or what is wrong with them."""

import click

from token_monitor.cli.settings import load_settings


@click.command("check-config")
@click.option("--show", is_flag=True, help="Print the settings in force, secrets masked.")
def check_config(*, show: bool) -> int:
    """Read the settings and print every problem, a line each. Exit status: 0 fine, 2 not."""
    from token_monitor.config.show import show as shown

    settings = load_settings()
    for notice in settings.notices:
        click.echo(f"note: {notice}", err=True)
    count = len(settings.accounts)
    click.echo(shown(settings) if show else f"fine: {count} account{'s' * (count != 1)}", nl=not show)
    return 0
