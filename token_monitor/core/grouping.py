"""Several messages as one, for receivers that people read."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Sequence

from attrs import evolve

from token_monitor.core.message import Delivery, Message

Fits = Callable[[Message], bool]
"""Whether a message can go whole. What fits, fits with fewer members, too."""


def fitting(parts: Sequence[Delivery], fits: Fits) -> Delivery:
    """As many of `parts` as fit one message, from the first on; the first alone if no two do."""
    counts = range(2, len(parts) + 1)
    first_too_many = bisect_left(counts, True, key=lambda count: not fits(together(parts[:count]).message))
    return together(parts[: 1 + first_too_many])


def together(parts: Sequence[Delivery], group: str | None = None) -> Delivery:
    """The deliveries as one. group: the id they had when they were attempted together."""
    if len(parts) == 1 and group is None:
        return parts[0]
    message = grouped([part.message for part in parts], group)
    return evolve(parts[0], message=message, members=tuple(parts))


def grouped(messages: Sequence[Message], group: str | None = None) -> Message:
    """One message with all texts in order, the gravest alert, and an id that follows from the members'."""
    gravest = max(messages, key=lambda message: (not message.alert.reason.closes, message.alert.state.rank))
    ids = "|".join(message.alert.id for message in messages)
    group = group or "group-" + hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()
    return Message(gravest.alert, "\n".join(message.text for message in messages), group)
