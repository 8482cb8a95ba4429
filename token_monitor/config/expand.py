"""From what a user writes to the shape of the settings types: defaults, quantities and options put in their places."""

from collections.abc import Callable, Iterable, Mapping
from typing import get_args

import attrs

from token_monitor.config import scalars
from token_monitor.config.problems import MISSING, Findings, choice
from token_monitor.config.registry_types import Registry
from token_monitor.config.schema import structure
from token_monitor.config.settings import AccountSettings
from token_monitor.config.tree import Items, Table, Text, Tree, described

COMMON = ("interval", "timeout", "cooldown", "max_failures", "notify_when_blind", "language")
INHERITED = (*COMMON, "thresholds", "channels")
OWN = ("name", "provider", "credential")
STDOUT = "stdout"


def expand(tree: Table, registry: Registry, found: Findings) -> Table:
    """The accounts and channels of `tree` in the shape of Settings. What only a whole view shows is found here."""
    report_unknown_keys(tree, ("accounts", "channels", "defaults"), found)
    channels = table_at(tree, "channels", found)
    defaults = table_at(tree, "defaults", found)
    report_unknown_keys(defaults, INHERITED, found)
    expansion = _Accounts(registry.sources, (STDOUT, *channels), defaults, found)
    with found.caught():
        structure(expansion.of_defaults(), AccountSettings)
    raw = tree.given().get("accounts")
    if not raw or not isinstance(raw, Items):
        what = MISSING if raw is None else "an empty list" if isinstance(raw, Items) else described(raw)
        found.add("accounts", what, "a list of at least one account")
        raw = Items("accounts")
    accounts = Items("accounts", [expansion.account(item) for item in raw if _is_table(item, found)])
    _report_duplicates(accounts, found)
    return Table("", {"accounts": accounts, "channels": _channels(channels, registry, found)})


def table_at(tree: Table, key: str, found: Findings) -> Table:
    """The mapping at `key`; an empty one if there is none."""
    raw = tree.given().get(key, Table(tree.at(key)))
    return raw if isinstance(raw, Table) and _is_table(raw, found) else Table(tree.at(key))


def report_unknown_keys(table: Table, known: Iterable[str], found: Findings) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            found.add(table.at(key), "unknown key", choice(key, names))


@attrs.frozen
class _Accounts:
    sources: Mapping[str, type]
    channels: tuple[str, ...]
    defaults: Table
    found: Findings

    def of_defaults(self) -> Table:
        """An account of nothing but defaults, so that a wrong one is found even where every account has its own."""
        path = self.defaults.path
        unused = Text("-", path)
        account = Table(path, {**self.defaults.take(COMMON), **dict.fromkeys(OWN, unused)})
        account["source"] = Table(path)
        return self._judged(account, self.defaults.given(), {"balance": Table(path)})

    def account(self, raw: Tree) -> Table:
        assert isinstance(raw, Table)
        merged = Table(raw.path, {**self.defaults.given(), **raw.given()}, names=raw.names)
        merged.setdefault("provider", Text("generic", merged.at("provider")))
        account = merged.take((*OWN, *COMMON))
        source = _kind(merged, "provider", self.sources, self.found)
        if source is None:
            account["source"] = Table(raw.path)
            return self._judged(account, merged, {"balance": Table(raw.path)})
        attrs.resolve_types(source)
        fields = attrs.fields_dict(source)
        shared = [field.name for field in attrs.fields(get_args(fields["quantities"].type)[1])]
        report_unknown_keys(raw, (*OWN, *INHERITED, *fields, *shared), self.found)
        quantities = self._quantities(merged, shared)
        account["source"] = options = merged.take(fields, source)
        options["quantities"] = Table(
            raw.path, {name: quantity.take(set(quantity) - {"thresholds"}) for name, quantity in quantities.items()}
        )
        return self._judged(account, merged, quantities)

    def _quantities(self, account: Table, shared: Iterable[str]) -> Mapping[str, Table]:
        common = account.take(shared)
        listed = account.get("quantities")
        if not isinstance(listed, Table):
            if listed is not None:
                self.found.add(account.at("quantities"), described(listed), "a mapping of quantities")
            return {"balance": common}
        result = {}
        for name, raw in listed.items():
            _check(scalars.quantity, name, listed.at(name), self.found)
            own = raw if raw or not isinstance(raw, Text) else Table(listed.at(name))
            if _is_table(own, self.found) and isinstance(own, Table):
                result[name] = Table(own.path, {**common, **own.given()})
        if not listed:
            self.found.add(listed.path, "an empty mapping", "at least one quantity")
        return result

    def _judged(self, account: Table, merged: Mapping[str, Tree], quantities: Mapping[str, Table]) -> Table:
        """With the rule of each quantity, and the channels."""
        general = merged.get("thresholds", Table(account.at("thresholds")))
        rules = {name: quantity.given().get("thresholds", general) for name, quantity in quantities.items()}
        account["rules"] = Table(account.path, rules)
        account["channels"] = channels = merged.get("channels", Items(account.path, self._texts(account.path)))
        if isinstance(channels, Items):
            chosen = Items(channels.path, [Text(STDOUT, channels.path)])
            for item in channels:
                if isinstance(item, Text) and item not in self.channels:
                    self.found.add(item.path, item.shown, choice(item, self.channels))
                if item not in chosen:
                    chosen.append(item)
            account["channels"] = chosen
        return account

    def _texts(self, path: str) -> Iterable[Text]:
        return (Text(name, path) for name in self.channels)


def _channels(listed: Table, registry: Registry, found: Findings) -> Table:
    channels = Table(listed.path)
    for name, raw in listed.items():
        path = listed.at(name)
        _check(_channel_name, name, path, found)
        if _is_table(raw, found) and isinstance(raw, Table):
            kind = _kind(raw, "type", registry.channels, found)
            options = raw.take(set(raw) - {"type"}, kind)
            channel: dict[str, Tree] = {"name": Text(name, path), **raw.take(["type"]), "options": options}
            channels[name] = Table(path, channel, names=raw.names)
    return channels


def _channel_name(text: str) -> str:
    if text == STDOUT:
        raise ValueError("another name, for stdout is built in and always on")
    return scalars.name(text)


def _kind(table: Table, key: str, kinds: Mapping[str, type], found: Findings) -> type | None:
    chosen = table.given().get(key)
    if chosen is None:
        found.add(table.at(key), MISSING, "one of " + ", ".join(sorted(kinds)))
    elif isinstance(chosen, Text) and chosen not in kinds:
        found.add(chosen.path, chosen.shown, choice(chosen, kinds))
    return kinds.get(chosen) if isinstance(chosen, Text) else None


def _is_table(raw: Tree, found: Findings) -> bool:
    if not isinstance(raw, Table):
        found.add(raw.path, described(raw), "a mapping")
    return isinstance(raw, Table)


def _check(rule: Callable[[str], str], text: str, path: str, found: Findings) -> None:
    try:
        rule(text)
    except ValueError as error:
        found.add(path, f"the name {text!r}", str(error))


def _report_duplicates(accounts: Items, found: Findings) -> None:
    first: dict[str, str] = {}
    for account in accounts:
        name = account.get("name") if isinstance(account, Table) else None
        if isinstance(name, Text):
            if name in first:
                found.add(name.path, name.shown, f"a name of its own, for {first[name]} is the same")
            first.setdefault(name, name.path)
