"""An alert as a flat list of named values, for what knows no structure: templates and environment variables."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from token_monitor.core.message import Message
from token_monitor.core.number import plain

Value = str | int | Decimal | None

NAMES: Final = (
    "id", "kind", "subject", "account", "quantity", "state", "level", "reason", "trigger", "balance", "threshold",
    "limit", "unit", "runway_seconds", "credential_label", "credential_from", "credential_to", "credential_why",
    "episode", "at", "headline", "text",
)  # fmt: skip
"""Every one there is, whatever the alert is about."""


def flat(message: Message) -> Mapping[str, Value]:
    """The fields of `NAMES`, in their order; None where one does not apply or is not known.

    `id` is the message's; the rest but `text` is of the gravest alert, where there are several.
    """
    alert = message.alert
    given = {**alert.fields(), "id": message.id, "headline": alert.headline, "text": message.text}
    return {name: _value(given.get(name)) for name in NAMES}


def written(value: Value) -> str:
    """As people read it; empty for None."""
    return "" if value is None else plain(value) if isinstance(value, Decimal) else str(value)


def _value(value: object) -> Value:
    return value if isinstance(value, int | Decimal) or value is None else str(value)
