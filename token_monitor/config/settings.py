"""The settings, parsed once and frozen. State never lives here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NewType

from attrs import field, frozen

from token_monitor.config.credential import Credential
from token_monitor.core.routing import Route
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.words import Language

FileMode = NewType("FileMode", str)
"""Permissions as `chmod` takes them, in octal: `0640`."""

DEFAULT_MODE: Final = FileMode("0640")


@frozen
class When:
    """When the active credential is left, beside when it cannot pay or is rejected.

    below: its balance is less than this. runway: it lasts shorter than this at the rate of the last hour, in seconds.
    """

    below: Bound | None = None
    runway: Seconds | None = None


@frozen
class FailoverSettings:
    """How an account changes to a spare credential. Durations in seconds.

    quantity: the one that decides; None: the first.
    back: return to the primary once it is healthy again.
    dry_run: only say what would be done.
    dwell: from one switch to the next, at least.
    publish: a file that always holds the active credential. mode, group: of that file.
    """

    when: When = When()
    quantity: str | None = None
    back: bool = False
    dry_run: bool = False
    dwell: float = 60.0
    publish: Path | None = None
    mode: FileMode = DEFAULT_MODE
    group: str | None = None


@frozen
class PublishSettings:
    """Where programs find how the accounts stand.

    status: a JSON file. mode, group: of that file.
    """

    status: Path
    mode: FileMode = DEFAULT_MODE
    group: str | None = None


@frozen
class AccountSettings:
    """One account to watch. Durations in seconds.

    source: the settings type of its provider, from the registry.
    rules: by quantity, in the order of the source.
    timeout: the wall-clock deadline of one poll.
    channels: names; `stdout` is always among them.
    spares: other credentials of the same source, by label. failover: when one of them is used; None without them.
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
    spares: Mapping[str, Credential] | None = None
    failover: FailoverSettings | None = None


@frozen
class ChannelSettings:
    """One named channel.

    options: the settings type of its `type`, from the registry; a method `check_route(route)` of it raises ValueError
        for what has no effect there.
    route: which alerts it takes, and when; its keys are written beside those of the options.
    """

    name: str
    type: str
    options: object
    route: Route = field(factory=Route)

    def __attrs_post_init__(self) -> None:
        check = getattr(self.options, "check_route", None)
        if check is not None:
            check(self.route)


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
    publish: PublishSettings | None = None
    notices: Sequence[str] = field(default=())
