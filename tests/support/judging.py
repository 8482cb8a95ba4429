"""Rules and readings in short notation, for tables.

A rule is `warning/critical/margin`, `-` for none: `10`, `15%/3`, `10/-/2`.
A reading is a value, `value/limit`, `402` or `unlimited`; a final `!` is "not available".
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from token_monitor.core.alert import Alert, Measured
from token_monitor.core.judge import Subject, SubjectState, judge
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.time import Now
from token_monitor.core.words import Kind

SUBJECT = Subject(Kind.ACCOUNT, "facefusion", "balance")
COOLDOWN = 100.0
BEGIN = datetime(2026, 4, 5, 10, tzinfo=UTC)


def step(state: SubjectState, judged: Rule, read: str, second: float) -> tuple[SubjectState, Alert | None]:
    return judge(SUBJECT, judged, state, reading(read), second or 0.001, at(second), COOLDOWN)


def at(second: float) -> Now:
    return Now(BEGIN + timedelta(seconds=second), second)


def measured(alert: Alert) -> Measured:
    assert alert.measured is not None
    return alert.measured


def rule(text: str) -> Rule:
    warning, critical, margin = [*text.split("/"), "-", "-"][:3]
    return Rule(bound(warning), bound(critical), bound(margin) or Rule().margin)


def bound(text: str) -> Bound | None:
    return None if text == "-" else Bound(Decimal(text.removesuffix("%")), percent=text.endswith("%"))


def reading(text: str) -> Reading:
    value, _, limit = text.removesuffix("!").partition("/")
    return Reading(
        "balance",
        None if value in ("402", "unlimited") else Decimal(value),
        "calls",
        limit=Decimal(limit) if limit else None,
        available=not text.endswith("!"),
        unlimited=value == "unlimited",
    )
