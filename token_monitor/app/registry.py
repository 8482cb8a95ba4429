"""What can be configured by name, and how it is made. A new channel or source is one line here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from token_monitor.channels.alertmanager import Alertmanager, AlertmanagerChannel
from token_monitor.channels.apprise import Apprise, AppriseChannel
from token_monitor.channels.dingtalk import HOSTS as DINGTALK_HOSTS
from token_monitor.channels.dingtalk import DingTalk, DingTalkChannel
from token_monitor.channels.email import Email, EmailChannel
from token_monitor.channels.exec import Exec, ExecChannel
from token_monitor.channels.feishu import HOSTS as FEISHU_HOSTS
from token_monitor.channels.feishu import Feishu, FeishuChannel
from token_monitor.channels.kafka import Kafka, KafkaChannel
from token_monitor.channels.rabbitmq import RabbitMQ, RabbitMQChannel
from token_monitor.channels.slack import HOSTS as SLACK_HOSTS
from token_monitor.channels.slack import Slack, SlackChannel
from token_monitor.channels.stdout import StdoutChannel
from token_monitor.channels.template import Templated, TemplatedChannel
from token_monitor.channels.webhook import Webhook, WebhookChannel
from token_monitor.channels.wecom import HOSTS as WECOM_HOSTS
from token_monitor.channels.wecom import WeCom, WeComChannel
from token_monitor.config.registry_types import Registry
from token_monitor.config.settings import AccountSettings, FailoverSettings, Settings
from token_monitor.core.failover import FailoverRule
from token_monitor.core.http import HttpClient
from token_monitor.core.ports import Channel, Clock, EpisodeNotes, LevelChannel, Source
from token_monitor.core.tools import Tools
from token_monitor.http.tls import tls_context
from token_monitor.logs import alert_line, shows_color
from token_monitor.monitor import AccountMonitor
from token_monitor.output import Output
from token_monitor.sources.dialect import JsonEndpoint
from token_monitor.sources.json_endpoint import JsonEndpointSource
from token_monitor.watch import Watch, World

STDOUT: Final = "stdout"

_SOURCES: Final[Mapping[str, tuple[type, Callable[[Any, HttpClient], Source]]]] = {
    "generic": (JsonEndpoint, JsonEndpointSource),
}

_CHANNELS: Final[Mapping[str, tuple[type, Callable[[Any, Tools], Channel]]]] = {
    "webhook": (Webhook, lambda settings, tools: WebhookChannel(settings, tools.http, tools.clock)),
    "slack": (Slack, lambda settings, tools: SlackChannel(settings, tools.http)),
    "dingtalk": (DingTalk, lambda settings, tools: DingTalkChannel(settings, tools.http, tools.clock)),
    "wecom": (WeCom, lambda settings, tools: WeComChannel(settings, tools.http)),
    "feishu": (Feishu, lambda settings, tools: FeishuChannel(settings, tools.http, tools.clock)),
    "email": (Email, lambda settings, tools: EmailChannel(settings, tools.tls)),
    "apprise": (Apprise, lambda settings, _tools: AppriseChannel(settings)),
    "template": (Templated, TemplatedChannel),
    "kafka": (Kafka, lambda settings, tools: KafkaChannel(settings, tools.tls)),
    "rabbitmq": (RabbitMQ, lambda settings, tools: RabbitMQChannel(settings, tools.tls)),
    "exec": (Exec, lambda settings, _tools: ExecChannel(settings)),
}

# These are told what stands instead of what changed.
_LEVEL_CHANNELS: Final[Mapping[str, tuple[type, Callable[[Any, Tools], LevelChannel]]]] = {
    "alertmanager": (Alertmanager, lambda settings, tools: AlertmanagerChannel(settings, tools.http, tools.clock)),
}

# The robots answer HTTP 200 to what they refuse: through the generic webhook an undelivered alert would count as sent.
_HOSTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(SLACK_HOSTS, "slack"),
    **dict.fromkeys(DINGTALK_HOSTS, "dingtalk"),
    **dict.fromkeys(WECOM_HOSTS, "wecom"),
    **dict.fromkeys(FEISHU_HOSTS, "feishu"),
}


def _channel_of_host(host: str) -> str:
    return _HOSTS.get(host, "webhook")


REGISTRY: Final = Registry(
    sources={name: settings for name, (settings, _) in _SOURCES.items()},
    channels={name: settings for name, (settings, _) in (*_CHANNELS.items(), *_LEVEL_CHANNELS.items())},
    channel_of_host=_channel_of_host,
)


def make_channels(
    settings: Settings, http: HttpClient, clock: Clock, notes: EpisodeNotes, output: Output
) -> dict[str, Channel]:
    """Every channel that is fed from the outbox, by name, the built-in `stdout` first."""
    log_format, color = settings.daemon.log_format, shows_color(output)
    stdout = StdoutChannel(output.alert, lambda alert: alert_line(alert, log_format, color=color))
    return {STDOUT: stdout} | {
        name: _CHANNELS[channel.type][1](channel.options, Tools(name, http, clock, notes, tls_context))
        for name, channel in settings.channels.items()
        if channel.type in _CHANNELS
    }


def make_level_channels(
    settings: Settings, http: HttpClient, clock: Clock, notes: EpisodeNotes
) -> dict[str, LevelChannel]:
    """Every channel that is told what stands, by name."""
    return {
        name: _LEVEL_CHANNELS[channel.type][1](channel.options, Tools(name, http, clock, notes, tls_context))
        for name, channel in settings.channels.items()
        if channel.type in _LEVEL_CHANNELS
    }


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
        settings.quantity or first, settings.when.below, settings.back, settings.dry_run, settings.dwell
    )
