"""`check`: one poll of each account, for scripts and Nagios."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from token_monitor.cli.printing import print_all
from token_monitor.cli.settings import load_settings

if TYPE_CHECKING:
    from token_monitor.core.view import QuantityView

SEVERITY: Final = (0, 1, 3, 2)  # exit statuses, the worst last


@click.command()
@click.argument("accounts", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--fail-open", is_flag=True, help="Exit 0 where the balance cannot be read.")
def check(accounts: Sequence[str], *, as_json: bool, fail_open: bool) -> int:
    """Poll each account once, without memory or alerts, with its primary credential. Works beside a running daemon.

    Exit status: 0 ok, 1 low, 2 critical, exhausted or in arrears, 3 unknown or a mistake.
    """
    from token_monitor.app.oneshot import check as poll
    from token_monitor.core.number import to_json
    from token_monitor.core.view import entry
    from token_monitor.logs import configure
    from token_monitor.output import Output

    settings = load_settings()
    known = {account.name: account for account in settings.accounts}
    for name in accounts:
        if name not in known:
            raise click.ClickException(f"there is no account {name!r}; there are: {', '.join(known)}")
    configure(Output(sys.stderr.fileno()), "error", "console")
    views = poll([known[name] for name in dict.fromkeys(accounts or known)])
    if as_json:
        lines = [to_json({"accounts": [entry(view) for view in views]})]
    else:
        lines = [_line(view) + " (credential primary)" * bool(known[view.account].spares) for view in views]
    print_all(lines)
    return max((_status(view, fail_open=fail_open) for view in views), key=SEVERITY.index)


def _status(view: "QuantityView", *, fail_open: bool) -> int:
    by_state = {"ok": 0, "unlimited": 0, "low": 1, "unknown": 0 if fail_open else 3}
    return by_state.get(view.state, 2)


def _line(view: "QuantityView") -> str:
    from token_monitor.core.number import plain

    name = f"{view.account}/{view.quantity}"
    if view.balance is None:
        cause = view.error or ("the provider says so without a number" if view.state == "exhausted" else None)
        return f"{name}: {view.state}" + (f" ({cause})" if cause else "")
    of_limit = f" of {plain(view.limit)}" if view.limit is not None else ""
    return f"{name}: {view.state}, {plain(view.balance)}{of_limit} {view.unit}".rstrip() + " left"
