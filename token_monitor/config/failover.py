"""Spare credentials as written, in the shape of AccountSettings."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from token_monitor.config import scalars
from token_monitor.config.checks import check_name, is_table
from token_monitor.config.credential import file_of
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
    """What would be published into a file that is something else already: the only copy of a credential, perhaps."""
    tables = [account for account in accounts if isinstance(account, Table)]
    taken: dict[str, str] = {}
    for credential in chain.from_iterable(map(_credentials, tables)):
        if file := file_of(credential):
            taken.setdefault(_place(file), f"{credential.path} is read from it")
    credentials = [path for account in tables for path in _given(account.get("failover"), "publish")]
    for path in credentials:
        if Path(path).name == STATUS:
            found.add(path.path, path.shown, f"another name, for {STATUS} is what is written beside it")
    for path in (*_given(publish, "status"), *credentials):
        place = _place(path)
        if place in taken:
            found.add(path.path, path.shown, f"a file of its own, for {taken[place]}")
        taken.setdefault(place, f"{path.path} is the same")


def _credentials(account: Table) -> Iterable[Text]:
    spares = account.get("spares")
    listed = (account.get("credential"), *(spares.values() if isinstance(spares, Table) else ()))
    return (credential for credential in listed if isinstance(credential, Text) and credential)


def _given(table: Tree | None, key: str) -> Sequence[Text]:
    """The value of `key`, if there is one."""
    value = table.get(key) if isinstance(table, Table) else None
    return [value] if isinstance(value, Text) and value else []


def _place(path: Path | str) -> str:
    """The same for whatever leads to one file. A path that cannot be one is found elsewhere."""
    with suppress(ValueError):
        path = os.path.realpath(path)
    return "/" + str(path).lstrip("/")  # POSIX lets two leading slashes mean something else; here they do not
