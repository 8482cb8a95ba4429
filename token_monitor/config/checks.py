"""What is wrong with a node whatever it is to become."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeGuard

from token_monitor.config.problems import MISSING, Findings, choice
from token_monitor.config.tree import Table, Text, Tree, described


def table_at(tree: Table, key: str, found: Findings) -> Table:
    """The mapping at `key`; an empty one if there is none."""
    raw = tree.given().get(key, Table(tree.at(key)))
    return raw if is_table(raw, found) else Table(tree.at(key))


def is_table(raw: Tree, found: Findings) -> TypeGuard[Table]:
    """Whether it is a mapping; else that is found."""
    if not isinstance(raw, Table):
        found.add(raw.path, described(raw), "a mapping")
    return isinstance(raw, Table)


def report_unknown_keys(table: Table, known: Iterable[str], found: Findings) -> None:
    """Each key of `table` that is not among the `known`."""
    names = list(known)
    for key in table:
        if key not in names:
            found.add(table.at(key), "unknown key", choice(key, names))


def kind_of(table: Table, key: str, kinds: Mapping[str, type], found: Findings) -> type | None:
    """The settings type that `key` names; None, and found, if it names none, or one that cannot be had."""
    chosen = table.given().get(key)
    if chosen is None:
        found.add(table.at(key), MISSING, "one of " + ", ".join(sorted(kinds)))
    elif isinstance(chosen, Text) and chosen not in kinds:
        found.add(chosen.path, chosen.shown, choice(chosen, kinds))
    if not isinstance(chosen, Text):
        return None
    try:
        return kinds.get(chosen)
    except ValueError as error:
        found.add(chosen.path, f"{chosen.shown}, {error}", "mend that package, or take another type")
        return None


def check_name(rule: Callable[[str], str], text: str, path: str, found: Findings) -> None:
    """Whether `text`, a key, is a name by `rule`, which raises ValueError with what is allowed."""
    try:
        rule(text)
    except ValueError as error:
        found.add(path, f"the name {text!r}", str(error))
