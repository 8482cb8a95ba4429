"""What is published where, by the settings."""

from collections.abc import Callable
from pathlib import Path

from token_monitor.config.failover import STATUS
from token_monitor.config.settings import FailoverSettings, PublishSettings, Settings
from token_monitor.core.published import document
from token_monitor.core.time import Now
from token_monitor.core.view import Snapshot
from token_monitor.publish import Target
from token_monitor.publisher import FilePublisher


def make_publisher(
    settings: Settings, snapshot: Callable[[], Snapshot], now: Callable[[], Now]
) -> FilePublisher | None:
    """None where nothing is to be published."""
    credentials = {
        account.name: _target(account.failover.publish, account.failover)
        for account in settings.accounts
        if account.failover is not None and account.failover.publish is not None
    }
    if settings.publish is not None:
        status = [_target(settings.publish.status, settings.publish)]
    else:
        beside = {target.path.with_name(STATUS): target for target in credentials.values()}
        status = [Target(path, target.mode, target.group) for path, target in beside.items()]
    if not credentials and not status:
        return None
    return FilePublisher(
        credentials, status, lambda: document({view.name: view for view in snapshot().accounts}, now().wall)
    )


def _target(path: Path, settings: FailoverSettings | PublishSettings) -> Target:
    return Target(path, int(settings.mode, 8), settings.group)
