"""Every counterpart there is."""

from collections.abc import Mapping

from support.campaign.brokers import KafkaCounterpart, RabbitCounterpart
from support.campaign.counterpart import Counterpart
from support.campaign.http_counterparts import (
    DingTalkCounterpart,
    FeishuCounterpart,
    SlackCounterpart,
    TemplateCounterpart,
    WebhookCounterpart,
    WeComCounterpart,
)
from support.campaign.level_counterparts import AlertmanagerCounterpart
from support.campaign.local_counterparts import EmailCounterpart, ExecCounterpart
from support.services import find

COUNTERPARTS: Mapping[str, type[Counterpart]] = {
    each.name: each
    for each in (
        WebhookCounterpart,
        TemplateCounterpart,
        SlackCounterpart,
        DingTalkCounterpart,
        WeComCounterpart,
        FeishuCounterpart,
        EmailCounterpart,
        ExecCounterpart,
        KafkaCounterpart,
        RabbitCounterpart,
        AlertmanagerCounterpart,
    )
}


def missing(name: str) -> str | None:
    """Why it cannot be run here."""
    if name == RabbitCounterpart.name and find("rabbitmq-server") is None:
        return "rabbitmq-server is not installed; scripts/install-test-services installs it on Debian"
    if name == AlertmanagerCounterpart.name and find("prometheus-alertmanager") is None:
        return "prometheus-alertmanager is not installed; scripts/install-test-services installs it on Debian"
    return None
