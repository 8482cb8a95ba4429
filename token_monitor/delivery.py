"""The outbox worker of one channel: pace, retry, record (rules O1 to O4)."""

from functools import partial
from typing import Final

import structlog
from attrs import evolve

from token_monitor.core.alert import Alert
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.grouping import fitting, never_held
from token_monitor.core.message import Delivery, Message
from token_monitor.core.pace import Pace, Pacer
from token_monitor.core.ports import Channel, Clock, GroupChannel, Outbox, Telemetry
from token_monitor.core.routing import QuietHours
from token_monitor.worker import Worker, back_off

PROBE_EVERY: Final = 300.0
HOPELESS_AFTER: Final = 8
OTHERS_PASSED: Final = 3
WRONG_AFTER: Final = 3
GATHER: Final = 2.0
EXPIRES_AFTER: Final = 7 * 86400.0
REFUSED: Final = "refused"

log = structlog.get_logger()


class ChannelWorker(Worker):
    """Sends what one channel owes, one delivery at a time.

    Where people read, alerts that come within `GATHER` seconds go as one message, and so does what `quiet` held back.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        outbox: Outbox,
        telemetry: Telemetry,
        clock: Clock,
        quiet: QuietHours | None = None,
    ) -> None:
        super().__init__(name, clock)
        self._channel = channel
        self._outbox = outbox
        self._telemetry = telemetry
        self._quiet = quiet
        self._pacer = None if channel.pace is None else self._pacer_of(channel.pace)
        self._people = channel if isinstance(channel, GroupChannel) else None
        self._failures = 0
        self._resume_at = outbox.held_until(name)
        self._refused: set[tuple[int, str]] = set()  # what the receiver refused since it last took something
        self._probe_at = 0.0

    def step(self) -> float | None:
        """Make one attempt, if one is due. Returns the seconds to wait before the next; None: nothing is owed."""
        now = self._time()
        if now < self._resume_at:
            return self._resume_at - now
        delivery = self._next(now)
        if delivery is None:
            return self._probe_at - now if now < self._probe_at else None
        if delivery.members and not self._fits(delivery.message):
            self._outbox.dissolve(delivery)  # the settings are others than at its first attempt
            return 0.0
        if (wait := self._not_yet(delivery, now)) > 0:
            return wait
        if not self._outbox.begin(delivery, now):
            return 0.0  # superseded meanwhile
        try:
            answer = self._send(delivery)
        except ChannelError as error:
            self._failed(delivery, error)
            return max(0.0, self._resume_at - self._time())
        self._outbox.sent(delivery, self._time())
        self._failures = 0
        self._refused.clear()
        self._probe_at = 0.0
        self._telemetry.delivered(self.name, "sent")
        log.debug("Alert delivered", channel=self.name, alert_id=delivery.message.id, answer=answer)
        return 0.0

    def _next(self, steady: float) -> Delivery | None:
        if self._rests(steady):
            return None
        now = self._clock.now()
        began = None if self._quiet is None else self._quiet.since(now.wall)
        quiet_since = None if began is None else now.steady - (now.wall - began).total_seconds()
        compose = None
        if self._people is not None:
            compose = partial(fitting, fits=self._fits, held=self._held if began is None else never_held)
        waiting = self._refused if steady < self._probe_at else ()  # others go on: perhaps it is the message
        return self._outbox.next_delivery(self.name, compose, quiet_since, waiting)

    def _rests(self, now: float) -> bool:
        """Until the next probe, if so many subjects were refused in a row that it is the channel and no message."""
        return now < self._probe_at and len(self._refused) >= WRONG_AFTER

    def _fits(self, message: Message) -> bool:
        """A fault over one alert must not hold up the others: it then goes alone."""
        try:
            return self._people is not None and self._people.fits(message)
        except Exception:
            log.exception("Internal error", channel=self.name)
            return False

    def _held(self, alert: Alert) -> bool:
        """Whether it was raised in quiet hours."""
        return self._quiet is not None and self._quiet.since(alert.at) is not None

    def _pacer_of(self, pace: Pace) -> Pacer:
        """It counts what an earlier process sent: the receiver does."""
        pacer = Pacer(pace)
        for at in self._outbox.attempts(self.name, self._time() - pace.seconds):
            pacer.called(at)
        return pacer

    def _not_yet(self, delivery: Delivery, now: float) -> float:
        """Seconds for which the pace forbids the attempt, or for which others may still join it."""
        gather = 0.0 if delivery.attempted_at is not None or self._people is None else delivery.created + GATHER - now
        return max(gather, 0.0 if self._pacer is None else self._pacer.wait(now))

    def _send(self, delivery: Delivery) -> str:
        if self._pacer is not None:
            self._pacer.called(self._time())
        return self._answer(lambda: self._channel.send(delivery.message))

    def _failed(self, delivery: Delivery, error: ChannelError) -> None:
        now = self._time()
        self._telemetry.delivered(self.name, error.scope.value)
        why = self._verdict(delivery, error, now)
        delivery = self._counted(delivery, error, now)
        key = (delivery.row, delivery.message.alert.id)
        self._refused.discard(key)
        line = log.bind(channel=self.name, alert_id=delivery.message.id, error=error.reason)
        if delivery.members and _falls_apart(delivery, error, why):
            self._outbox.failed(delivery, error, now)
            self._outbox.dissolve(delivery)
            self._back_off(error, now)
            line.warning("Group not delivered, sending its alerts one by one", alerts=len(delivery.members))
        elif why is not None:
            self._outbox.bury(delivery, error, why, now)
            self._back_off(error, now)
            line.error("Alert not delivered", why=why)
        else:
            self._outbox.failed(delivery, error, now)
            if error.scope is Scope.CHANNEL:
                self._refused.add(key)
            pause = self._back_off(error, now)
            if pause:
                line = line.bind(seconds=round(pause, 1))
            line.warning("Alert delivery failed, trying again")

    def _counted(self, delivery: Delivery, error: ChannelError, now: float) -> Delivery:
        """With one failure more (rule O2). A refusal of scope `channel` counts only if others passed in between."""
        before = delivery.attempted_at
        if error.scope is Scope.MESSAGE:
            return delivery
        if error.scope is Scope.CHANNEL and (before is None or not self._outbox.passed_since(delivery, before)):
            return delivery
        failures = delivery.failures + 1
        hopeless = delivery.hopeless_since is None and failures >= HOPELESS_AFTER
        return evolve(delivery, failures=failures, hopeless_since=now if hopeless else delivery.hopeless_since)

    def _verdict(self, delivery: Delivery, error: ChannelError, now: float) -> str | None:
        """Why the delivery is given up; None: it is not."""
        if error.scope is Scope.MESSAGE:
            return REFUSED
        if now - delivery.created > EXPIRES_AFTER:
            return "expired"
        since = delivery.hopeless_since
        if since is not None and self._outbox.passed_since(delivery, since) >= OTHERS_PASSED:
            return "hopeless"
        return None

    def _back_off(self, error: ChannelError, now: float) -> float:
        """Seconds for which nothing is sent at all; 0: only what was refused waits."""
        if error.scope is Scope.MESSAGE:
            return 0.0
        wait = 0.0
        if error.scope is Scope.RETRY:
            wait = back_off(self._failures)
            self._failures += 1
        elif now >= self._probe_at:  # what else is refused meanwhile puts the probe off no further
            self._probe_at = now + PROBE_EVERY
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
            self._outbox.hold(self.name, now + wait)
        self._resume_at = now + wait
        return max(wait, self._probe_at - now) if self._rests(now) else wait


def _falls_apart(group: Delivery, error: ChannelError, why: str | None) -> bool:
    """Whether one of its members may be the cause: the others must neither die of it nor wait for it."""
    return why is not None or error.scope is not Scope.RETRY or group.failures >= HOPELESS_AFTER
