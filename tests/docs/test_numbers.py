"""The numbers in the prose are those of the code."""

import ast
import re

import pytest

from support.markdown import CHANNELS, OPERATIONS, README, ROOT, SOURCES, Document
from token_monitor import delivery, fetcher, level, output, scheduler, worker
from token_monitor.app import daemon
from token_monitor.config import scalars
from token_monitor.core import errors, number, rules, secret
from token_monitor.core.time import human_duration
from token_monitor.http import client
from token_monitor.sources import json_endpoint
from token_monitor.stores import channels, failovers, monitor_db

DAY, HOUR = 86400, 3600
QUICK = fetcher.QUICK_RETRIES


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (OPERATIONS, f"pauses {worker.FIRST_BACKOFF:g} s, then {2 * worker.FIRST_BACKOFF:g} s"),
        (OPERATIONS, f"up to {worker.LONGEST_BACKOFF:g} s (±20 %)"),
        (OPERATIONS, f"alerts that come within {delivery.GATHER:g} seconds"),
        (OPERATIONS, f"newest {failovers.SWITCHES_KEPT:,} switches of credentials"),
        (OPERATIONS, f"lists the newest {daemon.SWITCHES_SHOWN} `switches`"),
        (OPERATIONS, f"one is tried every {delivery.PROBE_EVERY / 60:g} minutes"),
        (OPERATIONS, f"and {delivery.PROBE_EVERY:g} s of waiting"),
        (OPERATIONS, f"it failed {delivery.HOPELESS_AFTER} times"),
        (OPERATIONS, f"since then {delivery.OTHERS_PASSED} alerts of other subjects passed"),
        (OPERATIONS, f"older than {delivery.EXPIRES_AFTER / DAY:g} days"),
        (OPERATIONS, f"a delivery hangs for {worker.OVERDUE / 60:g} minutes"),
        (README, f"A `timeout` is at most {scalars.MAX_TIMEOUT / 60:g} minutes"),
        (CHANNELS, f"asked again after {level.PROBE_EVERY:g} s"),
        (CHANNELS, f"told again after {level.SYNC_EVERY:g} s"),
        (OPERATIONS, f"gone from the settings for {channels.PARKED_FOR / HOUR:g} hours"),
        (OPERATIONS, f"deliveries of a removed channel for {channels.PARKED_FOR / HOUR:g} hours"),
        (OPERATIONS, f"finished deliveries for {channels.KEPT_FOR / DAY:g} days"),
        (OPERATIONS, f"waits up to {monitor_db.LOCK_WAIT:g} s"),
        (OPERATIONS, f"get {daemon.DELIVERIES_STOP_WITHIN:g} s for their acknowledgement"),
        (OPERATIONS, f"within {daemon.TICK:g} s"),
        (OPERATIONS, f"has not come round for {scheduler._OVERDUE:g} s"),
        (OPERATIONS, f"At most {scheduler.WORKERS} polls run at once, {scheduler.PER_HOST} of them to one host"),
        (OPERATIONS, f"one per account and {scheduler.MAX_LOST} in all"),
        (OPERATIONS, f"when {output.MAX_WAITING:,} of them wait"),
        (SOURCES, f"about {QUICK[0]:g} s and {QUICK[1]:g} s later"),
        (SOURCES, f"At most {client.MAX_BODY / 2**20:g} MiB of body"),
        (SOURCES, f"more than {number.MAX_DIGITS} digits or an exponent beyond ±{number.MAX_EXPONENT}"),
        (README, f"A threshold is left {rules.MARGIN.number} % above it"),
        (README, f"only what has {secret.MIN_LENGTH} characters or more"),
    ],
)  # fmt: skip
def test_a_number_in_the_prose_is_that_of_the_code(document: Document, words: str) -> None:
    assert words in " ".join(document.prose.split())


def test_numbers_written_as_words_are_those_of_the_code() -> None:
    assert human_duration(errors.RETRY_AFTER_CAP) == "1h"
    assert "an hour at most" in OPERATIONS.prose
    assert "up to an hour" in " ".join(SOURCES.prose.split())
    assert json_endpoint.MAX_REDIRECTS == 3
    assert "at most three times" in SOURCES.prose
    assert len(QUICK) == 2
    assert "at most twice more" in " ".join(SOURCES.prose.split())


def printed_by_benchmarks() -> list[str]:
    """Every text with figures in it, as a pattern."""
    found = []
    for file in (ROOT / "benchmarks").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (re.escape(part.value) if isinstance(part, ast.Constant) else r"\S+" for part in node.values)
                found.append("".join(parts))
    return found


def test_every_figure_is_one_that_a_benchmark_prints_and_meets_what_it_demands() -> None:
    (block,) = [block for block in README.blocks if block.use == "figures"]
    for line in block.text.splitlines():
        assert any(re.fullmatch(pattern, line) for pattern in printed_by_benchmarks()), line
    (p99,) = re.findall(r"p99 ([\d.]+) ms.*\(p99 <= ([\d.]+) ms\)", block.text)
    others = re.findall(r"([\d.]+)(?: s| % of a core| KiB an account)? \(<= ([\d.]+)", block.text)
    assert len(others) + 1 == block.text.count("<=")
    assert all(float(found) <= float(demanded) for found, demanded in (p99, *others))
    (interval,) = re.findall(r"to ([\d.]+) of \d+ pairs \(to reach ([\d.]+)\)", block.text)
    assert float(interval[0]) >= float(interval[1])


def test_the_image_is_asked_for_its_health_as_often_as_is_said() -> None:
    assert "asks `/healthz` once a minute" in OPERATIONS.prose
    assert "HEALTHCHECK --interval=60s" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
