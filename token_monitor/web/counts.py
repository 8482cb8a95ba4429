"""What was counted, between the one that counts and the one that renders."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@frozen
class Counts:
    """What was counted since the start.

    polls: by (account, outcome). alerts: by (kind, level, reason). deliveries: by (channel, outcome).
    durations: polls by bucket of `BUCKETS`, the last for what took longer; not cumulative.
    seconds: that all polls took together.
    polled_at: Unix time at which the latest poll of each account ended.
    """

    polls: Mapping[tuple[str, str], int]
    alerts: Mapping[tuple[str, str, str], int]
    deliveries: Mapping[tuple[str, str], int]
    durations: Sequence[int]
    seconds: float
    polled_at: Mapping[str, float]
