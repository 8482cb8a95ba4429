"""`status`: asks the running daemon."""

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from token_monitor.cli.printing import print_all
from token_monitor.cli.settings import load_daemon_settings

PRIMARY = "primary"  # not imported: `core` would be loaded for one word


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")
def status(*, as_json: bool) -> int:
    """Ask the running daemon how the accounts stand. Exit status: 0 it answered, 1 it did not, 2 a mistake."""
    listen = load_daemon_settings().listen
    if listen is None:
        click.echo("status: the daemon's HTTP is off (TOKEN_MONITOR_LISTEN)", err=True)
        return 1
    host, port = listen
    try:
        body = _ask(host, port)
        lines = list(_lines(json.loads(body, parse_float=str, parse_int=str)))
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "strerror", None) or error
        click.echo(f"status: no daemon answers on {host}:{port}: {cause}", err=True)
        return 1
    except (ValueError, KeyError, TypeError):
        click.echo(f"status: what answers on {host}:{port} is not token-monitor", err=True)
        return 1
    print_all([body] if as_json else lines)
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


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    for account in found["accounts"]:
        yield _account_line(account)
    for channel in found["channels"]:
        trouble = f", last error: {channel['last_error']}" if channel["last_error"] else ""
        yield f"channel {channel['name']}: {channel['pending']} pending, {channel['dead']} dead{trouble}"
    if not found["durable"]:
        yield "state: in memory only; a restart forgets it"
    for problem in found["problems"]:
        yield f"unhealthy: {problem}"


def _account_line(account: Mapping[str, Any]) -> str:
    balance = "balance unknown" if account["balance"] is None else f"{account['balance']} {account['unit']}".rstrip()
    trouble = f" ({account['error']})" if account["error"] else ""
    silent = ", silent mode" if account["silent"] else ""
    label = account.get("credential_label", PRIMARY)
    credential = f", credential {label}" if label != PRIMARY else ""
    return f"{account['account']}/{account['quantity']}: {account['state']}, {balance}{credential}{silent}{trouble}"
