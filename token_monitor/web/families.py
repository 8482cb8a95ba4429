"""Snapshot and counts as Prometheus metric families. The names and labels are part of the public contract."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from attrs import frozen
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from token_monitor.core.view import QuantityView, Snapshot
from token_monitor.core.words import State
from token_monitor.web.counts import BUCKETS, Counts


def exposition(snapshot: Snapshot, counts: Counts, version: str) -> bytes:
    """All families in the Prometheus text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(snapshot, counts, version))
    return generate_latest(registry)


@frozen(eq=False)
class _Families(Collector):
    snapshot: Snapshot
    counts: Counts
    version: str

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would otherwise collect once more to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from _quantities([view for account in self.snapshot.accounts for view in account.quantities])
        yield from _accounts(self.snapshot)
        yield from _polls(self.snapshot, self.counts)
        yield from _alerts(self.snapshot, self.counts)
        yield from _process(self.snapshot, self.version)


def _quantities(views: list[QuantityView]) -> Iterator[Metric]:
    measured = ("account", "quantity", "unit")
    balance = GaugeMetricFamily(
        "token_monitor_balance", "What is left, as last read. Absent while it is unknown.", labels=measured
    )
    limit = GaugeMetricFamily(
        "token_monitor_limit", "What a full account holds, where the provider reports it.", labels=measured
    )
    runway = GaugeMetricFamily(
        "token_monitor_runway_seconds",
        "Time until it is gone at the recent rate. Absent while that cannot be said.",
        labels=("account", "quantity"),
    )
    state = GaugeMetricFamily(
        "token_monitor_state",
        "1 for the state that the quantity is in, 0 for the others.",
        labels=("account", "quantity", "state"),
    )
    for view in views:
        labels = (view.account, view.quantity, _encodable(view.unit))
        if view.balance is not None:
            balance.add_metric(labels, float(view.balance))
        if view.limit is not None:
            limit.add_metric(labels, float(view.limit))
        if view.runway is not None:
            runway.add_metric((view.account, view.quantity), view.runway)
        for each in State:
            state.add_metric((view.account, view.quantity, each.value), each is view.state)
    yield from (balance, limit, runway, state)


def _accounts(snapshot: Snapshot) -> Iterator[Metric]:
    success = GaugeMetricFamily(
        "token_monitor_last_success_timestamp_seconds",
        "Unix time of the last poll that gave a reading. Absent before the first.",
        labels=("account",),
    )
    silent = GaugeMetricFamily(
        "token_monitor_silent",
        "1 while so many polls in a row have failed that nothing is known any more and failures are no longer told.",
        labels=("account",),
    )
    rejected = GaugeMetricFamily(
        "token_monitor_credential_rejected",
        "1 while the provider rejects the credential of the account, or none of several can be used.",
        labels=("account",),
    )
    for account in snapshot.accounts:
        if account.last_success is not None:
            success.add_metric((account.name,), account.last_success.timestamp())
        silent.add_metric((account.name,), account.silent)
        rejected.add_metric((account.name,), account.credential.rank > 0)
    yield from (success, silent, rejected)


def _polls(snapshot: Snapshot, counts: Counts) -> Iterator[Metric]:
    polls = CounterMetricFamily(
        "token_monitor_polls",
        "Polls of a provider; the outcome is ok, or why it failed.",
        labels=("account", "outcome"),
    )
    interval = GaugeMetricFamily(
        "token_monitor_poll_interval_seconds", "Time from poll to poll, as set.", labels=("account",)
    )
    latest = GaugeMetricFamily(
        "token_monitor_last_poll_timestamp_seconds",
        "Unix time at which the latest poll ended, whatever came of it. Absent before the first.",
        labels=("account",),
    )
    watched = {account.name: account.interval for account in snapshot.accounts}
    for (account, outcome), count in counts.polls.items():
        if account in watched:
            polls.add_metric((account, outcome), count)
    for account, seconds in watched.items():
        interval.add_metric((account,), seconds)
        if account in counts.polled_at:
            latest.add_metric((account,), counts.polled_at[account])
    yield from (polls, interval, latest)
    bounds = [*map(floatToGoString, BUCKETS), "+Inf"]
    yield HistogramMetricFamily(
        "token_monitor_poll_duration_seconds",
        "How long polls took, quick retries included.",
        buckets=list(zip(bounds, accumulate(counts.durations), strict=True)),
        sum_value=counts.seconds,
    )


def _alerts(snapshot: Snapshot, counts: Counts) -> Iterator[Metric]:
    alerts = CounterMetricFamily("token_monitor_alerts", "Alerts raised.", labels=("kind", "level", "reason"))
    for raised, count in counts.alerts.items():
        alerts.add_metric(raised, count)
    deliveries = CounterMetricFamily(
        "token_monitor_deliveries", "Attempts to deliver an alert to a channel.", labels=("channel", "outcome")
    )
    for attempted, count in counts.deliveries.items():
        deliveries.add_metric(attempted, count)
    pending = GaugeMetricFamily(
        "token_monitor_outbox_pending", "Alerts that a channel has not acknowledged yet.", labels=("channel",)
    )
    dead = GaugeMetricFamily(
        "token_monitor_outbox_dead", "Alerts for a channel that were given up in the last 7 days.", labels=("channel",)
    )
    for channel, backlog in snapshot.backlogs.items():
        pending.add_metric((channel,), backlog.pending)
        dead.add_metric((channel,), backlog.dead)
    yield from (alerts, deliveries, pending, dead)


def _process(snapshot: Snapshot, version: str) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "token_monitor_config_last_reload_successful", "0 if the latest change of the settings was refused.", value=1
    )
    yield GaugeMetricFamily(
        "token_monitor_state_durable",
        "0 while states and alerts are kept in memory only, because the data folder cannot be written.",
        value=snapshot.durable,
    )
    build = GaugeMetricFamily("token_monitor_build_info", "The version that runs; always 1.", labels=("version",))
    build.add_metric((version,), 1)
    yield build


def _encodable(text: str) -> str:
    """A provider may send a lone surrogate as the unit, which cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
