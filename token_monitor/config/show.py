"""The settings in force, for people: as YAML, with secrets masked."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import yaml

from token_monitor.config.credential import Credential
from token_monitor.config.settings import AccountSettings, ChannelSettings, DaemonSettings, Settings
from token_monitor.core.number import plain
from token_monitor.core.secret import MASK, redact
from token_monitor.core.time import human_duration
from token_monitor.core.url import Url


def show(settings: Settings) -> str:
    """Every key in force, defaults too, in the notation of the YAML file; `daemon` is what the environment says."""
    document = {
        "accounts": [_account(account) for account in settings.accounts],
        "channels": {channel.name: _channel(channel) for channel in settings.channels.values()},
        **({} if settings.publish is None else {"publish": _fields(settings.publish)}),
        "daemon": _daemon(settings.daemon),
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _account(account: AccountSettings) -> dict[str, Any]:
    shown = _fields(account)
    source, rules = shown.pop("source"), shown.pop("rules")
    for name, quantity in source["quantities"].items():
        quantity["thresholds"] = rules[name]
    return {**shown, **source}


def _channel(channel: ChannelSettings) -> dict[str, Any]:
    return {"type": channel.type, **_fields(channel.options), **_fields(channel.route)}


def _daemon(daemon: DaemonSettings) -> dict[str, Any]:
    listen = daemon.listen
    host = f"[{listen[0]}]" if listen and ":" in listen[0] else listen and listen[0]
    return {
        **_fields(daemon),
        "data": str(daemon.data or ":memory:"),
        "listen": f"{host}:{listen[1]}" if listen else "off",
    }


def _fields(settings: Any) -> dict[str, Any]:
    """What is set of a settings type."""
    shown = {}
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        if value is not None:
            # Nothing but a duration is a float.
            shown[field.name] = human_duration(value) if isinstance(value, float) else _value(value)
    return shown


def _value(value: object) -> Any:
    match value:
        case Credential():
            return MASK if value.file is None else f"file:{value.file}"
        case None | bool() | int():
            return value
        case Decimal():
            return plain(value)
        case Enum():
            return value.value
        case Mapping():
            return {str(key): _value(item) for key, item in value.items()}
        case frozenset():
            return sorted(_value(item) for item in value)
        case Sequence() if not isinstance(value, str):
            return [_value(item) for item in value]
        case _ if attrs.has(type(value)) and "__str__" not in vars(type(value)):
            return _fields(value)
        case Url():
            return str(value)
        case _:
            # A body or a name may repeat the credential.
            return redact(str(value))
