"""An account as written, in the shape of AccountSettings: defaults, quantities and rules put in their places."""

from collections.abc import Iterable, Mapping
from typing import get_args

import attrs

from token_monitor.config import scalars
from token_monitor.config.checks import check_name, is_table, kind_of, report_unknown_keys
from token_monitor.config.failover import expand_spares
from token_monitor.config.problems import Findings, choice
from token_monitor.config.tree import Items, Table, Text, Tree, described

COMMON = ("interval", "timeout", "cooldown", "max_failures", "notify_when_blind", "language")
INHERITED = (*COMMON, "thresholds", "channels")
REQUIRED = ("name", "provider", "credential")
OWN = (*REQUIRED, "spares", "failover")
STDOUT = "stdout"


@attrs.frozen
class Accounts:
    """sources: settings types by provider. channels: the names there are, stdout first. found: where problems go."""

    sources: Mapping[str, type]
    channels: tuple[str, ...]
    defaults: Table
    found: Findings

    def of_defaults(self) -> Table:
        """An account of nothing but defaults, so that a wrong one is found even where every account has its own."""
        path = self.defaults.path
        unused = Text("-", path)
        account = Table(path, {**self.defaults.take(COMMON), **dict.fromkeys(REQUIRED, unused)})
        account["source"] = Table(path)
        return self._judged(account, self.defaults.given(), {"balance": Table(path)})

    def account(self, raw: Table) -> Table:
        """One account over the defaults. A key of a quantity that stands at the account goes to every quantity."""
        merged = Table(raw.path, {**self.defaults.given(), **raw.given()}, names=raw.names)
        merged.setdefault("provider", Text("generic", merged.at("provider")))
        account = merged.take((*OWN, *COMMON))
        source = kind_of(merged, "provider", self.sources, self.found)
        if source is None:
            account["source"] = Table(raw.path)
            expand_spares(account, (), self.found)
            return self._judged(account, merged, {"balance": Table(raw.path)})
        attrs.resolve_types(source)
        fields = attrs.fields_dict(source)
        shared = [field.name for field in attrs.fields(get_args(fields["quantities"].type)[1])]
        report_unknown_keys(raw, (*OWN, *INHERITED, *fields, *shared), self.found)
        quantities = self._quantities(merged, shared)
        expand_spares(account, quantities, self.found)
        account["source"] = options = merged.take(fields, source)
        options["quantities"] = Table(
            raw.path, {name: quantity.without(("thresholds",)) for name, quantity in quantities.items()}
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
            check_name(scalars.quantity, name, listed.at(name), self.found)
            own = raw if raw or not isinstance(raw, Text) else Table(listed.at(name))
            if is_table(own, self.found):
                result[name] = Table(own.path, {**common, **own.given()})
        if not listed:
            self.found.add(listed.path, "an empty mapping", "at least one quantity")
        return result

    def _judged(self, account: Table, merged: Mapping[str, Tree], quantities: Mapping[str, Table]) -> Table:
        """With the rule of each quantity, and the channels."""
        general = merged.get("thresholds", Table(account.at("thresholds")))
        rules = {name: quantity.given().get("thresholds", general) for name, quantity in quantities.items()}
        account["rules"] = Table(account.path, rules)
        everything = Items(account.path, [Text(name, account.path) for name in self.channels])
        account["channels"] = channels = merged.get("channels", everything)
        if isinstance(channels, Items):
            chosen = Items(channels.path, [Text(STDOUT, channels.path)])
            for item in channels:
                if isinstance(item, Text) and item not in self.channels:
                    self.found.add(item.path, item.shown, choice(item, self.channels))
                if item not in chosen:
                    chosen.append(item)
            account["channels"] = chosen
        return account
