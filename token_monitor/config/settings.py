"""The settings, parsed once and frozen. State never lives here."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from token_monitor.config.credential import Credential
from token_monitor.core.routing import Route
from token_monitor.core.rules import Rule
from token_monitor.core.secret import Secret
from token_monitor.core.words import Language


@frozen
class AccountSettings:
    """One account to watch. Durations in seconds.

    source: the settings type of its provider, from the registry.
    rules: by quantity, in the order of the source.
    timeout: the wall-clock deadline of one poll.
    channels: names; `stdout` is always among them.
    """

    name: str
    provider: str
    source: object
    credential: Credential
    rules: Mapping[str, Rule]
    channels: Sequence[str]
    interval: float = 300.0
    timeout: float = 10.0
    cooldown: float = 1800.0
    max_failures: int = 5
    notify_when_blind: bool = False
    language: Language = Language.EN


@frozen
class ChannelSettings:
    """One named channel.

    options: the settings type of its `type`, from the registry.
    route: which alerts it takes, and when; its keys are written beside those of the options.
    """

    name: str
    type: str
    options: object
    route: Route = field(factory=Route)


@frozen
class DaemonSettings:
    """What concerns the process, not an account.

    data: the folder of the databases; None keeps them in memory.
    listen: host and port of the HTTP server; None is off.
    log_level: `debug`, `info`, `warning` or `error`. log_format: `json` or `console`.
    api_key: the bearer token that changing something asks for.
    """

    data: Path | None
    listen: tuple[str, int] | None
    log_level: str
    log_format: str
    api_key: Secret | None = None


@frozen
class Settings:
    """Everything a user wrote, and the defaults for what they did not.

    notices: one line each, for the log: what was set and is ignored.
    """

    accounts: Sequence[AccountSettings]
    channels: Mapping[str, ChannelSettings]
    daemon: DaemonSettings
    notices: Sequence[str] = field(default=())
