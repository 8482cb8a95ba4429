"""The outbox worker of one channel: pace, retry, record (rules O1 to O4)."""

import random
import threading
from collections.abc import Callable
from typing import Final

import structlog

from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Delivery
from token_monitor.core.pace import Pacer
from token_monitor.core.ports import Channel, Outbox, Telemetry
from token_monitor.core.secret import redact

FIRST_BACKOFF: Final = 1.0
LONGEST_BACKOFF: Final = 60.0
PROBE_EVERY: Final = 300.0
HOPELESS_AFTER: Final = 8
OTHERS_PASSED: Final = 3
GROUP_MOST: Final = 15  # about as many lines as fit the 2,048 bytes of the smallest robot
GATHER: Final = 2.0
EXPIRES_AFTER: Final = 7 * 86400.0
REFUSED: Final = "refused"
_LONGEST_WAIT: Final = 30.0  # as in the scheduler: the wait stands still during a suspend
_OVERDUE: Final = 600.0

log = structlog.get_logger()


class ChannelWorker:
    """Sends what one channel owes, one delivery at a time. `run` is the loop of its thread.

    Where the receiver sets a pace, alerts that come within `GATHER` seconds go as one message.

    time: steady seconds. quiet_since: when the quiet hours that hold now began, on the same clock; None if none hold.
    """

    def __init__(
        self,
        name: str,
        channel: Channel,
        outbox: Outbox,
        telemetry: Telemetry,
        time: Callable[[], float],
        quiet_since: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.name = name
        self._channel = channel
        self._outbox = outbox
        self._telemetry = telemetry
        self._time = time
        self._quiet_since = quiet_since
        self._pacer = None if channel.pace is None else Pacer(channel.pace)
        self._most = 1 if channel.pace is None else GROUP_MOST
        self._failures = 0
        self._resume_at = outbox.held_until(name)
        self._changed = threading.Condition()
        self._work_came = True
        self._stopping = False
        self.busy_since: float | None = None

    def wake(self) -> None:
        """There is something to deliver."""
        with self._changed:
            self._work_came = True
            self._changed.notify()

    def stop(self) -> None:
        """End `run` after the attempt under way."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Deliver until `stop`."""
        while True:
            wait = self._safe_step()
            with self._changed:
                if not self._stopping and not (wait is None and self._work_came):
                    self._changed.wait(_LONGEST_WAIT if wait is None else min(wait, _LONGEST_WAIT))
                self._work_came = False
                if self._stopping:
                    return

    def step(self) -> float | None:
        """Make one attempt, if one is due. Returns the seconds to wait before the next; None: nothing is owed."""
        now = self._time()
        if now < self._resume_at:
            return self._resume_at - now
        delivery = self._outbox.next_delivery(self.name, self._most, self._quiet_since())
        if delivery is None:
            return None
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
        self._telemetry.delivered(self.name, "sent")
        log.debug("Alert delivered", channel=self.name, alert_id=delivery.message.id, answer=answer)
        return 0.0

    def _not_yet(self, delivery: Delivery, now: float) -> float:
        """Seconds for which the pace forbids the attempt, or for which others may still join it."""
        if self._pacer is None:
            return 0.0
        gather = 0.0 if delivery.attempted else delivery.created + GATHER - now
        return max(gather, self._pacer.wait(now))

    def _safe_step(self) -> float | None:
        """A fault of ours must not end the thread, nor spin it."""
        try:
            return self.step()
        except Exception:
            log.exception("Internal error", channel=self.name)
            return LONGEST_BACKOFF

    def _send(self, delivery: Delivery) -> str:
        self.busy_since = self._time()
        if self._pacer is not None:
            self._pacer.called(self.busy_since)
        try:
            return self._channel.send(delivery.message)
        except ChannelError:
            raise
        except Exception as error:
            log.exception("Internal error", channel=self.name)
            raise ChannelError(Scope.RETRY, f"internal error: {redact(repr(error))}", ambiguous=True) from None
        finally:
            self.busy_since = None

    def _failed(self, delivery: Delivery, error: ChannelError) -> None:
        now = self._time()
        self._telemetry.delivered(self.name, error.scope.value)
        hopeless_since = delivery.hopeless_since
        if hopeless_since is None and error.scope is Scope.RETRY and delivery.failures + 1 >= HOPELESS_AFTER:
            hopeless_since = now
        why = self._verdict(delivery, error, now)
        if why is not None and delivery.members:
            self._outbox.failed(delivery, error, None, now)
            self._outbox.dissolve(delivery)  # one of them may be the cause; the others must not die of it
        elif why is not None:
            self._outbox.bury(delivery, error, why, now)
            log.error(
                "Alert not delivered", channel=self.name, alert_id=delivery.message.id, error=error.reason, why=why
            )
        else:
            self._outbox.failed(delivery, error, hopeless_since, now)
        self._back_off(error, now)

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

    def _back_off(self, error: ChannelError, now: float) -> None:
        if error.scope is Scope.MESSAGE:
            return
        if error.scope is Scope.CHANNEL:
            wait = PROBE_EVERY
        else:
            wait = min(FIRST_BACKOFF * 2.0 ** min(self._failures, 10), LONGEST_BACKOFF)
            wait *= random.uniform(0.8, 1.2)  # noqa: S311
            self._failures += 1
        if error.retry_after is not None:
            wait = max(wait, error.retry_after)
            self._outbox.hold(self.name, now + wait)
        self._resume_at = now + wait
        log.warning(
            "Alert delivery failed, trying again", channel=self.name, error=error.reason, seconds=round(wait, 1)
        )

    def overdue(self) -> bool:
        """Whether the attempt under way has outlived any deadline."""
        since = self.busy_since
        return since is not None and self._time() - since > _OVERDUE
