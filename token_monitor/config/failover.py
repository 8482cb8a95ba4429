"""Spare credentials as written, in the shape of AccountSettings."""

from collections.abc import Iterable

from token_monitor.config import scalars
from token_monitor.config.checks import check_name, is_table
from token_monitor.config.problems import MISSING, Findings, choice
from token_monitor.config.tree import Items, Table, Text, Tree, described

MAX_SPARES = 8
STATUS = "status.json"


def expand_spares(account: Table, quantities: Iterable[str], found: Findings) -> None:
    """Put `spares` and `failover` of `account` in their places, if it has any."""
    spares, failover = account.get("spares"), account.get("failover")
    if spares is None:
        if failover is not None:
            found.add(account.at("spares"), MISSING, f"the spare credentials that {account.at('failover')} is about")
        return
    account["spares"] = _labelled(spares, found)
    account["failover"] = failover = Table(account.at("failover")) if failover is None else failover
    if is_table(failover, found):
        quantity = failover.given().get("quantity")
        if isinstance(quantity, Text) and quantity not in quantities:
            found.add(quantity.path, quantity.shown, choice(quantity, quantities))


def _labelled(spares: Tree, found: Findings) -> Table:
    """By label: one that is not named is `spare1`, `spare2` and so on."""
    if isinstance(spares, Items):
        items = {f"spare{number}": item for number, item in enumerate(spares, start=1)}
        paths = {label: f"{spares.path}[{number}]" for number, label in enumerate(items)}
        labelled = Table(spares.path, items, names=paths)
    elif isinstance(spares, Table):
        labelled = spares
        for label in labelled:
            check_name(scalars.label, label, labelled.at(label), found)
    else:
        found.add(spares.path, described(spares), "a list of credentials, or a mapping of labels to them")
        return Table(spares.path)
    if not 1 <= len(labelled) <= MAX_SPARES:
        found.add(spares.path, f"{len(labelled)} credentials", f"1 to {MAX_SPARES}")
    return labelled


def report_shared_files(accounts: Items, publish: Tree | None, found: Findings) -> None:
    """What would be published into one file."""
    first: dict[str, str] = {}
    status = publish.get("status") if isinstance(publish, Table) else None
    if isinstance(status, Text):
        first[status] = status.path
    for account in accounts:
        failover = account.get("failover") if isinstance(account, Table) else None
        path = failover.get("publish") if isinstance(failover, Table) else None
        if isinstance(path, Text) and path:
            if path.rpartition("/")[2] == STATUS:
                found.add(path.path, path.shown, f"another name, for {STATUS} is what is written beside it")
            if path in first:
                found.add(path.path, path.shown, f"a file of its own, for {first[path]} is the same")
            first.setdefault(path, path.path)
