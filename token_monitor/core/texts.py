"""What an alert says to people. The sentences are in `core.phrases`; here is which one, and what goes into it."""

from datetime import UTC, datetime

from token_monitor.core import phrases
from token_monitor.core.alert import Alert, Measured
from token_monitor.core.number import plain
from token_monitor.core.words import EVERY, PRIMARY, Kind, Language, Reason, State, Trigger

_UNNAMED = "balance"
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def text(alert: Alert, language: Language, note: str = "") -> str:
    """One or a few sentences: what happened, how bad it is, what to do next.

    note: the last error, for an alert about a balance that cannot be read or a rejected credential; of each credential
        what was found, for an alert about all of them.
    """
    measured = alert.measured
    sentence = phrases.SENTENCES[language][_case(alert)].format(
        amount=_amount(measured, language),
        threshold=phrases.UNKNOWN[language] if measured is None else plain(measured.threshold),
        note=_framed(alert, note.strip().rstrip(".。"), language),
        origin="" if alert.switch is None else alert.switch.origin,
        target="" if alert.switch is None else alert.switch.target,
    )
    if measured is not None and measured.runway_seconds:
        sentence += phrases.RUNWAYS[language].format(span=_span(measured.runway_seconds, language))
    tag = phrases.TAGS[language]["test" if alert.kind is Kind.TEST else alert.level.value]
    return phrases.FRAMES[language].format(tag=tag, subject=_subject(alert, language), sentence=sentence)


def heading(first: datetime, last: datetime, language: Language) -> str:
    """The line above alerts that quiet hours held back. first, last: when these were raised."""
    begin, end = (f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" for moment in (first, last))
    period = begin if begin == end else phrases.PERIODS[language].format(first=begin, last=end)
    return phrases.HELD[language].format(period=period)


def language_of(text: str) -> Language:
    """The language of a text made here."""
    return Language.ZH if text.startswith(phrases.FRAMES[Language.ZH][0]) else Language.EN


def _subject(alert: Alert, language: Language) -> str:
    details = [] if alert.measured is None or alert.measured.quantity == _UNNAMED else [alert.measured.quantity]
    if alert.switch is None and alert.label not in (PRIMARY, EVERY):
        details.append(alert.label)
    if not details:
        return alert.account
    return phrases.SUBJECTS[language].format(account=alert.account, details=phrases.SEPARATORS[language].join(details))


def _framed(alert: Alert, note: str, language: Language) -> str:
    frames = phrases.FINDINGS if alert.label == EVERY else phrases.NOTES
    return frames[language].format(note=note) if note else ""


def _amount(measured: Measured | None, language: Language) -> str:
    if measured is None or measured.balance is None:
        return phrases.UNKNOWN[language]
    unit = phrases.UNITS[language].get(measured.unit, measured.unit)
    return f"{plain(measured.balance)} {unit}".rstrip()


def _span(seconds: int, language: Language) -> str:
    """`9 hours`, in the largest unit of which there are two, so that nothing is far off."""
    unit, size = next((unit for unit in _UNITS if seconds >= 2 * unit[1]), _UNITS[-1])
    count = max(1, round(seconds / size))
    return f"{count} {phrases.SPANS[language][unit][count != 1]}"


def _case(alert: Alert) -> str:
    """The key of the sentence."""
    match alert.kind, alert.reason:
        case Kind.TEST, _:
            return "test"
        case _, Reason.ACCOUNT_REMOVED:
            return "account_removed"
        case _, Reason.CREDENTIAL_SWITCHED:
            return "left"
        case Kind.ACCOUNT, Reason.RULE_CHANGED:
            return "closed" if alert.measured is None else "rule_changed"
        case _, Reason.RULE_CHANGED:
            return "closed"
        case Kind.ACCOUNT, _:
            return _account_case(alert)
    if alert.switch is not None:
        return f"switched, {alert.switch.why}"
    good, bad = ("seeing", "blind") if alert.kind is Kind.VISIBILITY else ("accepted", "rejected")
    if alert.label == EVERY:
        good, bad = "healthy", "none healthy"
    return good if alert.state.rank == 0 else bad + _still(alert)


def _account_case(alert: Alert) -> str:
    measured = alert.measured
    if alert.state is State.UNLIMITED:
        return "recovered, unlimited"
    if alert.state.rank == 0:
        return "recovered" if measured is not None and measured.threshold > 0 else "recovered, no threshold"
    if alert.state is State.EXHAUSTED and measured is not None and measured.trigger is not Trigger.THRESHOLD:
        return f"exhausted by {measured.trigger}" + _still(alert)
    if alert.state in (State.LOW, State.CRITICAL) and _left_the_bound(measured):
        return f"{alert.state}, near"
    return alert.state.value + _still(alert)


def _left_the_bound(measured: Measured | None) -> bool:
    """Whether the value is back above the bound, though not far enough to have left it (rule J3)."""
    return measured is not None and measured.balance is not None and measured.balance >= measured.threshold


def _still(alert: Alert) -> str:
    return ", still" if alert.reason is Reason.REMINDER else ""
