"""Readings out of a document, by the user's expressions. A number that is not there is an error, never 0."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal

from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.number import bounded, parse_decimal
from token_monitor.core.reading import Reading
from token_monitor.core.secret import redact
from token_monitor.sources.dialect import Expression, Extract, JsonEndpoint

_EXACT = Context(prec=100)  # the default of 28 digits would round what `bounded` allows
_BALANCE = Expression("balance")
_MILLISECONDS_FROM = 100_000_000_000  # in seconds this would be the year 5138


def extract(settings: JsonEndpoint, document: object) -> Sequence[Reading]:
    """The readings of a document; a quantity that it lacks is left out while another is there.

    Raises SourceError: `ok_when` does not hold (NOT_OK), no quantity is there (MISSING), or one is not a number.
    """
    if settings.ok_when is not None and not _true(settings.ok_when.select(document)):
        raise SourceError(Failure.NOT_OK, f"the answer says it is no success: ok_when {settings.ok_when} does not hold")
    readings: list[Reading] = []
    missing: SourceError | None = None
    for name, how in settings.quantities.items():
        try:
            readings.append(_reading(name, how, document))
        except SourceError as error:
            if error.kind is not Failure.MISSING:
                raise
            missing = missing or error
    if not readings:
        assert missing is not None
        raise missing
    return readings


def _true(selected: object) -> bool:
    """JMESPath's own truth: null, false and whatever is empty are false; every number is true, 0 too."""
    return selected is not None and selected is not False and selected not in ("", [], {})


def _reading(name: str, how: Extract, document: object) -> Reading:
    unit = how.unit
    if how.unit_from is not None:
        unit = _text(how.unit_from, how.unit_from.select(document))
    unlimited = how.unlimited is not None and _flag(how.unlimited, document) is True
    available = how.available is None or _required_flag(how.available, document)
    limit = _optional_number(how.limit, how.scale, document)
    if unlimited:
        value = _optional_number(how.value or _BALANCE, how.scale, document)
    elif how.used is not None:
        assert how.limit is not None
        whole, used = (_number(expression, how.scale, document) for expression in (how.limit, how.used))
        value = _left(whole, used)
    else:
        value = _number(how.value or _BALANCE, how.scale, document)
    return Reading(name, value, unit, limit, _moment(how.reset_at, document), available, unlimited)


def _left(whole: Decimal, used: Decimal) -> Decimal:
    try:
        return bounded(_EXACT.subtract(whole, used))
    except ValueError as error:
        raise SourceError(Failure.NOT_A_NUMBER, f"limit less used is {error}") from None


def _number(expression: Expression, scale: Decimal, document: object) -> Decimal:
    selected = expression.select(document)
    if selected is None:
        raise SourceError(Failure.MISSING, f"the answer has no {expression}{_keys(document)}")
    try:
        return _decimal(selected, scale)
    except ValueError as error:
        raise SourceError(Failure.NOT_A_NUMBER, f"{expression} is {_kind(selected)}: {error}") from None


def _optional_number(expression: Expression | None, scale: Decimal, document: object) -> Decimal | None:
    if expression is None or expression.select(document) is None:
        return None
    return _number(expression, scale, document)


def _decimal(selected: object, scale: Decimal) -> Decimal:
    match selected:
        case bool():
            raise ValueError("not a number")
        case int():
            number = bounded(Decimal(selected))
        case Decimal():
            number = bounded(selected)
        case str():
            number = parse_decimal(selected)
        case float():
            raise ValueError("computed by JMESPath, and no longer exact")
        case _:
            raise ValueError("not a number")
    return bounded(_EXACT.multiply(number, scale)) if scale != 1 else number


def _required_flag(expression: Expression, document: object) -> bool:
    flag = _flag(expression, document)
    if flag is None:
        raise SourceError(Failure.MISSING, f"the answer has no {expression}{_keys(document)}")
    return flag


def _flag(expression: Expression, document: object) -> bool | None:
    selected = expression.select(document)
    if selected is None or isinstance(selected, bool):
        return selected
    raise SourceError(Failure.INVALID, f"{expression} is {_kind(selected)}, not true or false")


def _text(expression: Expression, selected: object) -> str:
    if isinstance(selected, str) and selected.isprintable() and len(selected) <= 40 and redact(selected) == selected:
        return selected
    raise SourceError(Failure.INVALID, f"{expression} is {_kind(selected)}, not the name of a unit")


def _moment(expression: Expression | None, document: object) -> datetime | None:
    """Seconds or milliseconds since 1970, or RFC 3339; null is no moment."""
    selected = None if expression is None else expression.select(document)
    if selected is None:
        return None
    try:
        if isinstance(selected, str) and not selected.strip().lstrip("-").replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(selected)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        seconds = _decimal(selected, Decimal(1))
        return datetime.fromtimestamp(float(seconds / 1000 if seconds >= _MILLISECONDS_FROM else seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise SourceError(Failure.INVALID, f"{expression} is {_kind(selected)}, not a moment") from None


def _kind(selected: object) -> str:
    """What was found, without its content: an answer may hold anything."""
    match selected:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "an empty text" if not selected.strip() else "a text"
        case int() | Decimal() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _keys(document: object) -> str:
    """The names at the top, which is what a typing mistake needs."""
    if isinstance(document, dict) and document:
        names = [name for name in document if name.isprintable() and len(name) <= 40][:8]
        return f"; it has: {', '.join(names)}"
    return f"; it is {_kind(document)}"
