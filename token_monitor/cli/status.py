"""`status`: asks the running daemon."""

import http.client
import json
from collections.abc import Mapping
from typing import Any

import click

from token_monitor.cli.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")
def status(*, as_json: bool) -> int:
    """Ask the running daemon how the accounts stand. Exit status: 0 it answered, 1 it did not, 2 a mistake."""
    listen = load_settings().daemon.listen
    if listen is None:
        click.echo("status: the daemon's HTTP is off (TOKEN_MONITOR_LISTEN)", err=True)
        return 1
    try:
        body = _ask(*listen)
    except (OSError, http.client.HTTPException, ValueError) as error:
        click.echo(
            f"status: no daemon answers on {listen[0]}:{listen[1]}: {getattr(error, 'strerror', None) or error}",
            err=True,
        )
        return 1
    if as_json:
        click.echo(body)
        return 0
    found = json.loads(body, parse_float=str, parse_int=str)
    for account in found["accounts"]:
        click.echo(_account_line(account))
    for channel in found["channels"]:
        trouble = f", last error: {channel['last_error']}" if channel["last_error"] else ""
        click.echo(f"channel {channel['name']}: {channel['pending']} pending, {channel['dead']} dead{trouble}")
    for problem in found["problems"]:
        click.echo(f"unhealthy: {problem}")
    return 0


def _ask(host: str, port: int) -> str:
    """Raises OSError, HTTPException, ValueError: no daemon of ours answers there."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(local, port, timeout=5)
    try:
        connection.request("GET", "/api/v1/status")
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"HTTP {response.status}")
    return body


def _account_line(account: Mapping[str, Any]) -> str:
    balance = "balance unknown" if account["balance"] is None else f"{account['balance']} {account['unit']}".rstrip()
    trouble = f" ({account['error']})" if account["error"] else ""
    silent = ", silent mode" if account["silent"] else ""
    return f"{account['account']}/{account['quantity']}: {account['state']}, {balance}{silent}{trouble}"
