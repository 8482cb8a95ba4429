"""Several messages as one, for receivers that people read."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Final

from attrs import evolve

from token_monitor.core.alert import Alert
from token_monitor.core.message import Delivery, Message
from token_monitor.core.texts import heading, language_of

GROUP: Final = "group-"
DIGEST: Final = "digest-"
"""What the ids begin with; a digest's says, after a restart too, that it has a heading."""

Fits = Callable[[Message], bool]
"""Whether a message can go whole. What fits, fits with fewer members, too."""


def never_held(_alert: Alert) -> bool:
    """Of a channel without quiet hours."""
    return False


def fitting(parts: Sequence[Delivery], fits: Fits, held: Callable[[Alert], bool] = never_held) -> Delivery:
    """As many of `parts`, the oldest first, as fit one message; the first alone if that is all.

    held: whether quiet hours held an alert back. What did not leave before the last of these was held back with it: all
        this goes first, as a digest.
    """
    held_back = max((count for count, part in enumerate(parts, 1) if held(part.message.alert)), default=0)
    counts = range(1, held_back + 1) if held_back else range(2, len(parts) + 1)
    kind = DIGEST if held_back else GROUP

    def of(count: int) -> Delivery:
        return together(parts[:count], group_id([part.message for part in parts[:count]], kind))

    too_many = bisect_left(counts, True, key=lambda count: not fits(of(count).message))
    return of(counts[too_many - 1]) if too_many else parts[0]


def together(parts: Sequence[Delivery], group: str | None) -> Delivery:
    """The deliveries that have the id `group` together; the one there is if that is None."""
    if group is None:
        return parts[0]
    message = grouped([part.message for part in parts], group)
    return evolve(parts[0], message=message, members=tuple(parts))


def group_id(messages: Sequence[Message], kind: str = GROUP) -> str:
    """Follows from the ids of the members."""
    ids = "|".join(message.alert.id for message in messages)
    return kind + hashlib.blake2b(ids.encode(), digest_size=8).hexdigest()


def grouped(messages: Sequence[Message], group: str | None = None) -> Message:
    """One message with all texts in order, below a heading if it is a digest, and the gravest alert."""
    group = group or group_id(messages)
    gravest = max(messages, key=lambda message: (not message.alert.reason.closes, message.alert.state.rank))
    lines = [message.text for message in messages]
    if group.startswith(DIGEST):
        times = [message.alert.at for message in messages]
        lines.insert(0, heading(min(times), max(times), language_of(lines[0])))
    return Message(gravest.alert, "\n".join(lines), group, len(messages))
