"""The environment's one account and one channel, as the tree that YAML would have given."""

from collections.abc import Mapping

import attrs

from token_monitor.config import scalars
from token_monitor.config.converter import scalar
from token_monitor.config.problems import ConfigError, Findings, Problem
from token_monitor.config.registry_types import Registry
from token_monitor.config.tree import Items, Table, Text
from token_monitor.config.variables import Variables
from token_monitor.core.secret import MASK
from token_monitor.core.url import Url

TOKEN, ALIAS = "FACEFUSION_API_TOKEN", "BALANCE_API_TOKEN"
ACCOUNT = {
    "name": "ACCOUNT_NAME",
    "provider": "BALANCE_PROVIDER",
    "credential": TOKEN,
    "endpoint": "BALANCE_CHECK_ENDPOINT",
    "value": "BALANCE_FIELD",
    "unit": "BALANCE_UNIT",
    "interval": "CHECK_INTERVAL",
    "timeout": "REQUEST_TIMEOUT",
    "cooldown": "ALERT_COOLDOWN",
    "max_failures": "MAX_FAILURES",
    "notify_when_blind": "NOTIFY_WHEN_BLIND",
    "language": "ALERT_LANGUAGE",
}
THRESHOLDS = {"warning": "WARNING_THRESHOLD", "critical": "CRITICAL_THRESHOLD"}
WEBHOOK = {"url": "ALERT_WEBHOOK_URL", "secret": "ALERT_WEBHOOK_SECRET", "timeout": "WEBHOOK_TIMEOUT"}
ACCOUNT_VARIABLES = (*ACCOUNT.values(), ALIAS, *THRESHOLDS.values(), *WEBHOOK.values())


def environment_tree(variables: Variables, registry: Registry, found: Findings) -> Table:
    """The account, and the channel `webhook` if ALERT_WEBHOOK_URL is set."""
    accounts = Items("accounts", [_account(variables, found)])
    webhook = variables.table(WEBHOOK, found)
    channels = Table("channels")
    with found.caught():
        channels.update(_channels(webhook, registry, found))
    return Table("", {"accounts": accounts, "channels": channels})


def _account(variables: Variables, found: Findings) -> Table:
    account = variables.table(ACCOUNT, found)
    account["credential"] = _credential(variables, found)
    account["thresholds"] = thresholds = variables.table(THRESHOLDS, found)
    _default(account, "name", "facefusion")
    _default(thresholds, "warning", "10")
    if account.get("provider", "generic") == "generic":
        _default(account, "value", "balance")
        _default(account, "unit", "calls")
    return account


def _default(table: Table, key: str, value: str) -> None:
    table.setdefault(key, Text(value, table.at(key)))


def _credential(variables: Variables, found: Findings) -> Text:
    with found.caught():
        given = [text for name in (TOKEN, ALIAS) if (text := variables.get(name)) is not None]
        if not given:
            allowed = f"the credential, or {TOKEN}_FILE; for many accounts TOKEN_MONITOR_CONFIG, a YAML file"
            raise ConfigError([Problem(TOKEN, "not set", allowed)])
        if len(set(given)) > 1:
            raise ConfigError(
                [Problem(ALIAS, f"not the same as {TOKEN}", f"one of them, {ALIAS} is another name for it")]
            )
        if not given[0]:
            raise ConfigError([Problem(given[0].path, "an empty file", "a file with the credential")])
        # Masked also because a token is never a reference, whatever it begins with.
        return Text(given[0], given[0].path, shown=MASK, file=given[0].file)
    return Text("reported above", TOKEN)


def _channels(webhook: Table, registry: Registry, found: Findings) -> Mapping[str, Table]:
    with found.caught():
        if "timeout" in webhook:
            scalar(scalars.timeout)(webhook["timeout"], None)
    url = webhook.get("url")
    if not isinstance(url, Text):
        if "secret" in webhook:
            found.add(WEBHOOK["secret"], MASK, f"unset, as {WEBHOOK['url']} is")
        return {}
    try:
        kind = registry.channel_of_host(Url.parse(url).host)
    except ValueError as error:
        raise ConfigError([Problem(url.path, MASK, str(error))]) from None
    takes = attrs.fields_dict(registry.channels[kind])
    for key in [key for key in webhook if key not in takes]:
        found.add(WEBHOOK[key], MASK, f"unset; a channel of type {kind} has no {key}")
        del webhook[key]
    webhook["type"] = Text(kind, url.path)
    return {"webhook": webhook}
