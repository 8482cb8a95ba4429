"""The worker of a level-triggered receiver: told what stands, again and again, not what changed (rule O9)."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from attrs import evolve, frozen

from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Backlog, Message
from token_monitor.core.ports import Clock, LevelChannel, Telemetry
from token_monitor.core.time import Now
from token_monitor.core.words import Kind
from token_monitor.worker import FIRST_BACKOFF, Worker, back_off

SYNC_EVERY: Final = 60.0
RESOLVED_REPEATED: Final = 300.0
PROBE_EVERY: Final = 60.0
LONGEST_SILENCE: Final = 150.0  # what stands ends at the receiver 5 minutes after it was last told

log = structlog.get_logger()


@frozen
class _Ended:
    """What fired and no longer does. since: steady seconds."""

    message: Message
    since: float


class LevelWorker(Worker):
    """Tells one receiver what stands: when woken and every minute. `run` is the loop of its thread.

    What ended is said again for five minutes: a receiver whose clock is a little behind takes the first word of it for
    an end that is yet to come. What was told is kept in memory only; what the receiver still holds of an earlier
    process ends there by itself (`core.ports.LevelChannel`).

    standing: every alert that stands and concerns this receiver.
    """

    def __init__(
        self,
        name: str,
        channel: LevelChannel,
        standing: Callable[[], Sequence[Message]],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        super().__init__(name, clock)
        self._channel = channel
        self._standing = standing
        self._telemetry = telemetry
        self._fired: dict[tuple[str, ...], Message] = {}
        self._ended: dict[tuple[str, ...], _Ended] = {}
        self._failures = 0
        self._due = self._resume_at = 0.0
        self._stale = True
        self._last_error: str | None = None

    def wake(self) -> None:
        """Something changed."""
        self._stale = True
        super().wake()

    def step(self) -> float:
        """Synchronise, if that is due. Returns the seconds to wait before the next."""
        now = self._clock.now()
        if now.steady < self._resume_at:
            return self._resume_at - now.steady
        if not self._stale and now.steady < self._due:
            return self._due - now.steady
        self._stale = False  # before looking: what changes from here on needs another round
        try:
            answer = self._sync(now)
        except ChannelError as error:
            self._stale = True
            return self._failed(error)
        except Exception:
            self._stale = True
            raise
        self._ended = {key: ended for key, ended in self._ended.items() if now.steady - ended.since < RESOLVED_REPEATED}
        self._failures = 0
        self._last_error = None
        self._due = now.steady + SYNC_EVERY
        self._telemetry.delivered(self.name, "sent")
        log.debug("Alerts synchronised", channel=self.name, firing=len(self._fired), answer=answer)
        return SYNC_EVERY

    def backlog(self) -> Backlog:
        """pending: 1 while the receiver may not know what stands."""
        return Backlog(pending=int(self._stale or self.busy_since is not None), last_error=self._last_error)

    def _sync(self, now: Now) -> str:
        firing = self._standing()
        resolved = self._resolved(firing, now)
        return self._answer(lambda: self._channel.sync(firing, resolved))

    def _resolved(self, firing: Sequence[Message], now: Now) -> list[Message]:
        """What the receiver may hold as firing and no longer is. An attempt that fails may have arrived, too."""
        current = {_identity(message.alert): message for message in firing}
        for key in self._fired.keys() - current.keys():
            message = self._fired[key]
            self._ended[key] = _Ended(evolve(message, alert=evolve(message.alert, at=now.wall)), now.steady)
        for key in current:
            self._ended.pop(key, None)
        self._fired = current
        return [ended.message for ended in self._ended.values()]

    def _failed(self, error: ChannelError) -> float:
        """Back off. What one alert was refused for may pass in the next round, and the others live on it."""
        self._telemetry.delivered(self.name, error.scope.value)
        if error.scope is not Scope.RETRY:
            wait = SYNC_EVERY if error.scope is Scope.MESSAGE else PROBE_EVERY
        else:
            wait = back_off(self._failures)
            self._failures += 1
        if error.retry_after is not None:
            wait = min(max(error.retry_after, FIRST_BACKOFF), LONGEST_SILENCE)
        self._last_error = error.reason
        self._resume_at = self._time() + wait
        log.warning(
            "Alerts not synchronised, trying again", channel=self.name, error=error.reason, seconds=round(wait, 1)
        )
        return wait


def _identity(alert: Alert) -> tuple[str, ...]:
    """What tells one alert that stands from another: a change of level ends one and begins another.

    Of credentials the state tells, for one that is rejected and the want of any are named differently. Not the label:
    after a switch that would end what still stands.
    """
    return alert.kind, alert.subject, alert.level, alert.state if alert.kind is Kind.CREDENTIAL else ""
