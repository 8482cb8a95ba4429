"""Which alerts a channel takes, and when it wants to be left alone (rule O7)."""

from datetime import UTC, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import Factory, field, frozen

from token_monitor.core.alert import ANNOUNCED, Alert, level
from token_monitor.core.words import Kind, Level, State


@frozen
class ZonedTime:
    """`22:00`: a time of day, wherever the zone is said beside it."""

    value: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: what is allowed."""
        try:
            hours, minutes = text.split(":")
            if not (len(minutes) == 2 and (hours + minutes).isascii() and (hours + minutes).isdigit()):
                raise ValueError
            return cls(time(int(hours), int(minutes)))
        except ValueError:
            raise ValueError("a time of day such as 22:00") from None

    def __str__(self) -> str:
        return self.value.strftime("%H:%M")


def _info(zone: "Zone") -> ZoneInfo:
    try:
        return ZoneInfo(zone.name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {zone.name}, which neither the system nor the package tzdata has") from None


@frozen
class Zone:
    """A time zone by its IANA name. Raises ValueError: there is no such zone.

    info: its rules, read once, so that no alert waits for a database that is gone.
    """

    name: str = "UTC"
    info: ZoneInfo = field(init=False, eq=False, repr=False, default=Factory(_info, takes_self=True))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError: what is allowed."""
        try:
            return cls(text)
        except ValueError:
            raise ValueError("an IANA time zone such as UTC or Asia/Shanghai") from None

    def __str__(self) -> str:
        return self.name


@frozen
class QuietHours:
    """From `start` to `end` on the clock of `timezone`, every day; over midnight if `end` is not later."""

    start: ZonedTime
    end: ZonedTime
    timezone: Zone = field(factory=Zone)

    def __attrs_post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("start and end are the same; quiet hours that end")

    def since(self, wall: datetime) -> datetime | None:
        """When the quiet hours that hold at `wall` began; None if none hold."""
        local = wall.astimezone(self.timezone.info)
        for day in (local.date(), local.date() - timedelta(days=1)):
            begin = datetime.combine(day, self.start.value, local.tzinfo)
            last = day if self.start.value < self.end.value else day + timedelta(days=1)
            end = datetime.combine(last, self.end.value, local.tzinfo)
            # compared as instants: a day with a change of the clock is shorter or longer
            if begin.astimezone(UTC) <= wall < end.astimezone(UTC):
                return begin.astimezone(UTC)
        return None


@frozen
class Route:
    """What of an account's alerts goes to a channel.

    kinds, levels, states: empty takes all. The closing of an episode goes where the episode was told (rule O6), unless
    `send_resolved` is off.
    """

    kinds: frozenset[Kind] = frozenset()
    levels: frozenset[Level] = frozenset()
    states: frozenset[State] = frozenset()
    send_resolved: bool = True
    quiet_hours: QuietHours | None = None

    def __attrs_post_init__(self) -> None:
        if Kind.TEST in self.kinds:
            raise ValueError("kinds with test; a test alert goes to every channel that it is sent to")
        if not any(self._admits(kind, level(kind, state), state) for kind, state in ANNOUNCED):
            allowed = "low is a warning, every other state critical; visibility is an error, of state critical"
            raise ValueError(f"{self._choice()}, which no alert has; {allowed}")

    def takes(self, alert: Alert) -> bool:
        return self.send_resolved if alert.reason.closes else self._admits(alert.kind, alert.level, alert.state)

    def _admits(self, kind: Kind, level: Level, state: State) -> bool:
        choices = ((self.kinds, kind), (self.levels, level), (self.states, state))
        return all(not wanted or found in wanted for wanted, found in choices)

    def _choice(self) -> str:
        chosen = {"kinds": self.kinds, "levels": self.levels, "states": self.states}
        return " with ".join(f"{name} {', '.join(sorted(values))}" for name, values in chosen.items() if values)
