"""How long a provider asks to be left alone."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, of `Retry-After` (RFC 9110, 10.2.3: seconds or an HTTP date); None if it says neither.

    headers: names in lower case. A date is measured from the answer's own `Date`: our wall clock may be wrong.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    moment, sent = _moment(value), _moment(headers.get("date", ""))
    if moment is None:
        return None
    return max(0.0, moment - (time.time() if sent is None else sent))


def _moment(text: str) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, LookupError, OverflowError):
        return None
