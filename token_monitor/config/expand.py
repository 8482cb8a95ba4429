"""From what a user writes to the shape of Settings. What only a view of the whole shows is found here."""

from contextlib import suppress

import attrs

from token_monitor.config import scalars
from token_monitor.config.accounts import INHERITED, STDOUT, Accounts
from token_monitor.config.checks import check_name, is_table, kind_of, report_unknown_keys, table_at
from token_monitor.config.failover import report_shared_files
from token_monitor.config.problems import MISSING, Findings
from token_monitor.config.registry_types import Registry
from token_monitor.config.schema import structure
from token_monitor.config.settings import AccountSettings
from token_monitor.config.tree import Items, Table, Text, Tree, described
from token_monitor.core.routing import Route
from token_monitor.core.url import Url

GENERIC = "webhook"
_ROUTE = tuple(field.name for field in attrs.fields(Route))


def expand(tree: Table, registry: Registry, found: Findings) -> Table:
    """The accounts and channels of `tree`, for `structure`. Problems go to `found`."""
    report_unknown_keys(tree, ("accounts", "channels", "defaults", "publish"), found)
    channels = table_at(tree, "channels", found)
    defaults = table_at(tree, "defaults", found)
    report_unknown_keys(defaults, INHERITED, found)
    expansion = Accounts(registry.sources, (STDOUT, *channels), defaults, found)
    with found.caught():
        structure(expansion.of_defaults(), AccountSettings)
    raw = tree.given().get("accounts")
    if not raw or not isinstance(raw, Items):
        what = MISSING if raw is None else "an empty list" if isinstance(raw, Items) else described(raw)
        found.add("accounts", what, "a list of at least one account")
        raw = Items("accounts")
    accounts = Items("accounts", [expansion.account(item) for item in raw if is_table(item, found)])
    _report_duplicates(accounts, found)
    report_shared_files(accounts, tree.get("publish"), found)
    expanded: dict[str, Tree] = {"accounts": accounts, "channels": _channels(channels, registry, found)}
    return Table("", {**expanded, **tree.take(["publish"])})


def _channels(listed: Table, registry: Registry, found: Findings) -> Table:
    channels = Table(listed.path)
    for name, raw in listed.items():
        path = listed.at(name)
        check_name(_channel_name, name, path, found)
        if is_table(raw, found):
            kind = kind_of(raw, "type", registry.channels, found)
            _check_host(raw, registry, found)
            options = raw.without(("type", *_ROUTE), kind)
            route = Table(path, raw.take(_ROUTE), names=raw.names)
            channel: dict[str, Tree] = {
                "name": Text(name, path),
                **raw.take(["type"]),
                "options": options,
                "route": route,
            }
            channels[name] = Table(path, channel, names=raw.names)
    return channels


def _check_host(raw: Table, registry: Registry, found: Findings) -> None:
    """A robot answers HTTP 200 to what it refuses: through the generic webhook a lost alert would count as sent."""
    given = raw.given()
    kind, url = given.get("type"), given.get("url")
    if kind == GENERIC and isinstance(kind, Text) and isinstance(url, Text):
        with suppress(ValueError):
            meant = registry.channel_of_host(Url.parse(url).host)
            if meant != GENERIC:
                found.add(kind.path, GENERIC, f"{meant}, whose host this URL names")


def _channel_name(text: str) -> str:
    if text == STDOUT:
        raise ValueError("another name, for stdout is built in and always on")
    return scalars.name(text)


def _report_duplicates(accounts: Items, found: Findings) -> None:
    first: dict[str, str] = {}
    for account in accounts:
        name = account.get("name") if isinstance(account, Table) else None
        if isinstance(name, Text):
            if name in first:
                found.add(name.path, name.shown, f"a name of its own, for {first[name]} is the same")
            first.setdefault(name, name.path)
