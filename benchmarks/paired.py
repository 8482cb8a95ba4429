"""What pairs of measurements say together."""

import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

RESAMPLES = 10_000


class Ratio(NamedTuple):
    """The geometric mean of ratios, and the bounds of its 95 % interval."""

    mean: float
    low: float
    high: float


def ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """Of the first to the second of each pair; the interval by bootstrap over the pairs, the same every time."""
    logs = [math.log(one / other) for one, other in pairs]
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(logs, k=len(logs))) for _ in range(RESAMPLES))
    low, high = means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]
    return Ratio(math.exp(statistics.fmean(logs)), math.exp(low), math.exp(high))


def p99(values: Sequence[float]) -> float:
    """What 99 of 100 do not exceed."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]
