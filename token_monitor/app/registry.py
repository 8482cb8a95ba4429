"""What can be configured by name, and how it is made. A new channel or source is one line here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import attrs
import structlog
from attrs import frozen

from token_monitor.channels.stdout import StdoutChannel
from token_monitor.config.registry_types import Registry
from token_monitor.config.settings import AccountSettings, FailoverSettings, Settings
from token_monitor.core.failover import FailoverRule
from token_monitor.core.http import HttpClient
from token_monitor.core.ports import Channel, Clock, EpisodeNotes, LevelChannel, Source
from token_monitor.core.tools import ChannelType, Tools
from token_monitor.http.resolve import addresses
from token_monitor.http.tls import tls_context
from token_monitor.logs import alert_line, shows_color
from token_monitor.monitor import AccountMonitor
from token_monitor.output import Output
from token_monitor.sources.dialect import JsonEndpoint
from token_monitor.sources.json_endpoint import JsonEndpointSource
from token_monitor.watch import Watch, World

STDOUT: Final = "stdout"
ENTRY_POINTS: Final = "token_monitor.channels"

_SOURCES: Final[Mapping[str, tuple[type, Callable[[Any, HttpClient], Source]]]] = {
    "generic": (JsonEndpoint, JsonEndpointSource),
}

log = structlog.get_logger()


@frozen
class _Entry:
    """A channel type: its module under `channels`, its settings type there, and how a channel is made of them.

    The module is imported when the type is used: a sidecar with one channel holds the code of one.
    """

    module: str
    settings: str
    make: Callable[[Any, Any, Tools], Any]


_CHANNELS: Final[Mapping[str, _Entry]] = {
    "webhook": _Entry("webhook", "Webhook", lambda m, s, tools: m.WebhookChannel(s, tools.http, tools.clock)),
    "slack": _Entry("slack", "Slack", lambda m, s, tools: m.SlackChannel(s, tools.http)),
    "dingtalk": _Entry("dingtalk", "DingTalk", lambda m, s, tools: m.DingTalkChannel(s, tools.http, tools.clock)),
    "wecom": _Entry("wecom", "WeCom", lambda m, s, tools: m.WeComChannel(s, tools.http)),
    "feishu": _Entry("feishu", "Feishu", lambda m, s, tools: m.FeishuChannel(s, tools.http, tools.clock)),
    "email": _Entry("email", "Email", lambda m, s, tools: m.EmailChannel(s, tools)),
    "apprise": _Entry("apprise", "Apprise", lambda m, s, _tools: m.AppriseChannel(s)),
    "template": _Entry("template", "Templated", lambda m, s, tools: m.TemplatedChannel(s, tools)),
    "kafka": _Entry("kafka", "Kafka", lambda m, s, tools: m.KafkaChannel(s, tools.tls)),
    "rabbitmq": _Entry("rabbitmq", "RabbitMQ", lambda m, s, tools: m.RabbitMQChannel(s, tools.tls)),
    "exec": _Entry("exec", "Exec", lambda m, s, _tools: m.ExecChannel(s)),
}

# These are told what stands instead of what changed.
_LEVEL_CHANNELS: Final[Mapping[str, _Entry]] = {
    "alertmanager": _Entry(
        "alertmanager", "Alertmanager", lambda m, s, tools: m.AlertmanagerChannel(s, tools.http, tools.clock)
    ),
}

# The robots answer HTTP 200 to what they refuse: through the generic webhook an undelivered alert would count as sent.
_HOSTS: Final[Mapping[str, str]] = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "oapi.dingtalk.com": "dingtalk",
    "qyapi.weixin.qq.com": "wecom",
    "open.feishu.cn": "feishu",
    "open.larksuite.com": "feishu",
}


class _SettingsTypes(Mapping[str, type]):
    """The settings types of the channels, each imported when it is looked up."""

    def __getitem__(self, name: str) -> type:
        return _plugin(name).settings

    def __contains__(self, name: object) -> bool:
        return name in _CHANNELS or name in _LEVEL_CHANNELS or name in _third_party()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    @staticmethod
    def _names() -> list[str]:
        return [*_CHANNELS, *_LEVEL_CHANNELS, *_third_party()]


@cache
def _third_party() -> Mapping[str, EntryPoint]:
    """Channels of other packages, by name; ours cannot be replaced."""
    return {
        point.name: point
        for point in entry_points(group=ENTRY_POINTS)
        if point.name not in (STDOUT, *_CHANNELS, *_LEVEL_CHANNELS)
    }


def _plugin(name: str) -> ChannelType:
    """Raises KeyError: there is no channel of that name; ValueError: the package that has it is broken, and how."""
    entry = _CHANNELS.get(name) or _LEVEL_CHANNELS.get(name)
    if entry is None:
        return _loaded(_third_party()[name])
    module = import_module(f"token_monitor.channels.{entry.module}")
    return ChannelType(getattr(module, entry.settings), partial(entry.make, module))


def _loaded(point: EntryPoint) -> ChannelType:
    try:
        found = point.load()
    except Exception as error:
        raise ValueError(f"whose package cannot be loaded ({type(error).__name__}: {error})") from error
    if not isinstance(found, ChannelType) or not attrs.has(found.settings):
        raise ValueError(f"whose package is broken ({point.value} is no ChannelType with an attrs class of settings)")
    return found


def _channel_of_host(host: str) -> str:
    return _HOSTS.get(host.removesuffix("."), "webhook")


REGISTRY: Final = Registry(
    sources={name: settings for name, (settings, _) in _SOURCES.items()},
    channels=_SettingsTypes(),
    channel_of_host=_channel_of_host,
)


def make_channels(
    settings: Settings, http: HttpClient, clock: Clock, notes: EpisodeNotes, output: Output
) -> dict[str, Channel]:
    """Every channel that is fed from the outbox, by name, the built-in `stdout` first."""
    log_format, color = settings.daemon.log_format, shows_color(output)
    stdout = StdoutChannel(output.alert, lambda alert: alert_line(alert, log_format, color=color))
    return {STDOUT: stdout} | {
        name: _plugin(channel.type).make(channel.options, _tools(name, http, clock, notes))
        for name, channel in settings.channels.items()
        if channel.type not in _LEVEL_CHANNELS
    }


def make_level_channels(
    settings: Settings, http: HttpClient, clock: Clock, notes: EpisodeNotes
) -> dict[str, LevelChannel]:
    """Every channel that is told what stands, by name."""
    return {
        name: _plugin(channel.type).make(channel.options, _tools(name, http, clock, notes))
        for name, channel in settings.channels.items()
        if channel.type in _LEVEL_CHANNELS
    }


def _tools(channel: str, http: HttpClient, clock: Clock, notes: EpisodeNotes) -> Tools:
    def incomplete(message: str, reason: str) -> None:
        log.error("Alert not delivered to everybody", channel=channel, alert_id=message, error=reason)

    return Tools(channel, http, clock, notes, tls_context, addresses, incomplete)


def make_monitors(accounts: Sequence[AccountSettings], world: World, http: HttpClient) -> list[AccountMonitor]:
    """The monitors of all accounts, with what the store remembers of them."""
    subjects, failures, failovers = world.store.subjects(), world.store.failures(), world.store.failovers()
    return [
        AccountMonitor(
            _watch(account, http), world, subjects, failures.get(account.name, 0), failovers.get(account.name)
        )
        for account in accounts
    ]


def _watch(account: AccountSettings, http: HttpClient) -> Watch:
    failover = account.failover
    return Watch(
        account=account.name,
        source=_SOURCES[account.provider][1](account.source, http),
        resolve=account.credential.resolve,
        rules=account.rules,
        channels=account.channels,
        interval=account.interval,
        timeout=account.timeout,
        cooldown=account.cooldown,
        max_failures=account.max_failures,
        notify_when_blind=account.notify_when_blind,
        language=account.language,
        spares={} if failover is None else {label: spare.resolve for label, spare in (account.spares or {}).items()},
        failover=None if failover is None else _failover_rule(failover, next(iter(account.rules))),
    )


def _failover_rule(settings: FailoverSettings, first: str) -> FailoverRule:
    """first: the quantity that decides where none is named."""
    return FailoverRule(
        settings.quantity or first,
        settings.when.below,
        settings.when.runway,
        settings.back,
        settings.dry_run,
        settings.dwell,
    )
