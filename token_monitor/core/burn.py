"""How fast a balance goes, and how long it lasts at that rate: its runway."""

from decimal import ROUND_FLOOR, Context, Decimal
from itertools import pairwise
from typing import Final

from attrs import field, frozen

WINDOW: Final = 3600.0
"""Seconds that the rate is taken over; more where readings are rarer."""

_CONFIDENT_AFTER: Final = 600.0
_SPACING: Final = 300.0
_PAUSE: Final = 3
_LONGEST: Final = 10**12
_CONTEXT: Final = Context(prec=28, rounding=ROUND_FLOOR)

Mark = tuple[float, Decimal]
"""A moment in steady seconds, and what had been spent by then since the first reading."""


@frozen
class Burn:
    """What was spent of one quantity lately. Survives restarts.

    marks: the oldest first; the first is the last one before the window, the others are about `_SPACING` apart.
    left: the value last read.
    """

    marks: tuple[Mark, ...] = field(default=())
    left: Decimal | None = None

    def read(self, value: Decimal, at: float) -> "Burn":
        """After `value` was read at `at`. A rise is a top-up: nothing was spent, as far as anybody can see."""
        if not self.marks or self.left is None or self._paused(at):
            return Burn(((at, Decimal(0)),), value)
        spent = _CONTEXT.add(self.marks[-1][1], max(Decimal(0), _CONTEXT.subtract(self.left, value)))
        # The newest mark moves with time until it is far enough from the one before it.
        kept = (
            self.marks[:-1] if len(self.marks) > 1 and self.marks[-1][0] - self.marks[-2][0] < _SPACING else self.marks
        )
        recent = [index for index, (moment, _) in enumerate(kept) if moment > at - WINDOW]
        first = max(0, recent[0] - 1) if recent else len(kept) - 1
        return Burn((*kept[first:], (at, spent)), value)

    def _paused(self, at: float) -> bool:
        """Whether nobody looked for so long that the time until `at` says nothing about now."""
        moments = [moment for moment, _ in self.marks]
        pause = at - moments[-1]
        usual = max((later - earlier for earlier, later in pairwise(moments)), default=pause)
        return pause > max(WINDOW, _PAUSE * usual)

    @property
    def rate(self) -> Decimal | None:
        """Units a second; None while too little was seen to say."""
        if not self.marks:
            return None
        (began, before), (ended, after) = self.marks[0], self.marks[-1]
        if ended - began < _CONFIDENT_AFTER:
            return None
        return _CONTEXT.divide(_CONTEXT.subtract(after, before), Decimal(ended - began))


def runway(left: Decimal | None, rate: Decimal | None) -> int | None:
    """Seconds until `left` is spent at `rate`, rounded down; 0 if nothing is; None if that cannot be said.

    Nothing can be said while the rate is unknown, nor of a balance that does not go down.
    """
    if left is None or rate is None:
        return None
    if left <= 0:
        return 0
    seconds = _CONTEXT.divide(left, rate) if rate > 0 else None
    return None if seconds is None or seconds > _LONGEST else int(seconds)
