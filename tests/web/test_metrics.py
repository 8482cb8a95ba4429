"""`/metrics`: names, labels and values, as promtool and a parser see them."""

import subprocess
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.services import require
from support.web import account, quantity, snapshot
from token_monitor.core.alert import Alert
from token_monitor.core.message import Backlog
from token_monitor.core.ports import Telemetry
from token_monitor.core.view import Snapshot
from token_monitor.core.words import Kind, Reason, State
from token_monitor.web.metrics import Metrics

NOON = datetime(2026, 4, 5, 12, tzinfo=UTC)
ALERT = Alert("a-1", Kind.ACCOUNT, "wedding/balance", "wedding", State.LOW, Reason.FIRST, "a", NOON)


def metrics_of(shown: Snapshot) -> Metrics:
    return Metrics(lambda: shown, "1.2.3")


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (each.name, tuple(sorted(each.labels.items()))): each.value for family in families for each in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((f"token_monitor_{name}", tuple(sorted(labels.items()))))


@pytest.fixture
def busy() -> Metrics:
    low = quantity("wedding", state=State.LOW, balance="5.5", limit=Decimal(100), episode="e1", runway=7200)
    failing = account("面部", quantity("面部", state=State.UNKNOWN, balance=None), silent=True, last_success=None)
    backlogs = {"stdout": Backlog(), "ops": Backlog(pending=3, dead=2)}
    shown = snapshot(account("wedding", low), failing, backlogs=backlogs)
    metrics = metrics_of(shown)
    metrics.polled("wedding", "ok", 0.07)
    metrics.polled("wedding", "ok", 70.0)
    metrics.polled("面部", "timeout", 10.0)
    metrics.alerted(ALERT)
    metrics.delivered("ops", "retry")
    return metrics


def test_the_counters_are_the_telemetry_that_the_core_asks_for(busy: Metrics) -> None:
    telemetry: Telemetry = busy
    telemetry.polled("wedding", "ok", 0.1)
    assert value(busy, "polls_total", account="wedding", outcome="ok") == 3


def test_promtool_finds_nothing_to_say_about_a_busy_daemon_nor_about_a_fresh_one(busy: Metrics) -> None:
    promtool = require("promtool")
    for metrics in (busy, metrics_of(snapshot())):
        done = subprocess.run([promtool, "check", "metrics"], input=metrics.render(), capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_names_are_those_of_the_contract_and_no_others(busy: Metrics) -> None:
    families = list(text_string_to_metric_families(busy.render().decode()))
    types = {family.name.removeprefix("token_monitor_"): family.type for family in families}
    assert types == {
        "balance": "gauge",
        "limit": "gauge",
        "runway_seconds": "gauge",
        "state": "gauge",
        "last_success_timestamp_seconds": "gauge",
        "silent": "gauge",
        "credential_rejected": "gauge",
        "polls": "counter",
        "poll_duration_seconds": "histogram",
        "poll_interval_seconds": "gauge",
        "last_poll_timestamp_seconds": "gauge",
        "alerts": "counter",
        "deliveries": "counter",
        "outbox_pending": "gauge",
        "outbox_dead": "gauge",
        "config_last_reload_successful": "gauge",
        "state_durable": "gauge",
        "build_info": "gauge",
    }
    assert all(len(family.documentation) > 10 for family in families)
    assert b"_created" not in busy.render()


def test_a_reading_is_shown_with_its_unit_and_an_unknown_balance_is_absent_rather_than_0(busy: Metrics) -> None:
    assert value(busy, "balance", account="wedding", quantity="balance", unit="calls") == 5.5
    assert value(busy, "limit", account="wedding", quantity="balance", unit="calls") == 100
    assert not [key for key in samples(busy) if key[0] == "token_monitor_balance" and ("account", "面部") in key[1]]


def test_the_runway_is_shown_once_it_is_known(busy: Metrics) -> None:
    assert value(busy, "runway_seconds", account="wedding", quantity="balance") == 7200
    assert value(busy, "runway_seconds", account="面部", quantity="balance") is None


def test_exactly_one_state_of_a_quantity_is_1(busy: Metrics) -> None:
    states = {state: value(busy, "state", account="wedding", quantity="balance", state=state) for state in State}
    assert states == dict.fromkeys(State, 0) | {State.LOW: 1}
    assert value(busy, "state", account="面部", quantity="balance", state="unknown") == 1


def test_an_account_says_when_it_was_last_read_and_whether_it_is_silent(busy: Metrics) -> None:
    assert value(busy, "last_success_timestamp_seconds", account="wedding") == NOON.timestamp()
    assert value(busy, "last_success_timestamp_seconds", account="面部") is None
    assert (value(busy, "silent", account="wedding"), value(busy, "silent", account="面部")) == (0, 1)


def test_an_account_says_how_often_it_is_polled_and_when_that_happened_last_whatever_came_of_it() -> None:
    metrics = metrics_of(snapshot(account("a", interval=0.5), account("untried")))
    before = time.time()
    metrics.polled("a", "timeout", 10.0)
    at = value(metrics, "last_poll_timestamp_seconds", account="a")
    assert at is not None
    assert before <= at <= time.time()
    assert value(metrics, "last_poll_timestamp_seconds", account="untried") is None
    assert value(metrics, "poll_interval_seconds", account="a") == 0.5
    assert value(metrics, "poll_interval_seconds", account="untried") == 300


@pytest.mark.parametrize(
    ("credential", "rejected"), [(State.UNKNOWN, 0), (State.OK, 0), (State.CRITICAL, 1), (State.EXHAUSTED, 1)]
)
def test_a_credential_is_rejected_only_once_that_is_known(credential: State, rejected: int) -> None:
    metrics = metrics_of(snapshot(account("a", credential=credential)))
    assert value(metrics, "credential_rejected", account="a") == rejected


def test_durations_fall_into_cumulative_buckets(busy: Metrics) -> None:
    bounds = ("0.05", "0.1", "10.0", "60.0", "+Inf")
    assert [value(busy, "poll_duration_seconds_bucket", le=bound) for bound in bounds] == [0, 1, 2, 2, 3]
    assert value(busy, "poll_duration_seconds_count") == 3
    assert value(busy, "poll_duration_seconds_sum") == pytest.approx(80.07)


def test_alerts_deliveries_and_what_is_pending_are_counted_by_their_labels(busy: Metrics) -> None:
    assert value(busy, "alerts_total", kind="account", level="warning", reason="first") == 1
    assert value(busy, "deliveries_total", channel="ops", outcome="retry") == 1
    assert (value(busy, "outbox_pending", channel="ops"), value(busy, "outbox_pending", channel="stdout")) == (3, 0)
    assert (value(busy, "outbox_dead", channel="ops"), value(busy, "outbox_dead", channel="stdout")) == (2, 0)


def test_the_process_tells_its_version_and_whether_its_state_would_survive() -> None:
    assert value(metrics_of(snapshot()), "state_durable") == 1
    in_memory = metrics_of(snapshot(durable=False))
    assert value(in_memory, "state_durable") == 0
    assert value(in_memory, "config_last_reload_successful") == 1
    assert value(in_memory, "build_info", version="1.2.3") == 1


def test_polls_of_an_account_that_is_gone_are_no_longer_shown() -> None:
    metrics = metrics_of(snapshot(account("kept")))
    metrics.polled("kept", "ok", 0.1)
    metrics.polled("gone", "ok", 0.1)
    assert value(metrics, "polls_total", account="kept", outcome="ok") == 1
    assert value(metrics, "polls_total", account="gone", outcome="ok") is None
    assert value(metrics, "last_poll_timestamp_seconds", account="gone") is None


def test_quotes_line_breaks_and_broken_text_in_a_label_do_not_break_the_page() -> None:
    odd = account("a", quantity("a", unit='"calls"\n\\'), quantity("a", "other", unit="\ud800"))
    assert value(metrics_of(snapshot(odd)), "balance", account="a", quantity="balance", unit='"calls"\n\\') == 42
    assert value(metrics_of(snapshot(odd)), "balance", account="a", quantity="other", unit="?") == 42
