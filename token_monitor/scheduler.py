"""When which account is polled: a heap of due times, and a bounded number of threads (rule J14)."""

import heapq
import itertools
import random
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from attrs import define

from token_monitor.core.errors import Failure
from token_monitor.monitor import AccountMonitor
from token_monitor.watch import Poll

WORKERS: Final = 32
PER_HOST: Final = 8
MAX_LOST: Final = 64
GRACE: Final = 0.25  # for a source to report its own timeout, which knows more
_LONGEST_WAIT: Final = 30.0  # the wait stands still while the machine is suspended, the steady clock does not
_OVERDUE: Final = 3 * _LONGEST_WAIT

log = structlog.get_logger()


@define(eq=False)
class _Entry:
    """An account in the schedule.

    due: when its next scheduled poll starts.
    alone_until: the provider asked not to be called before.
    waiting: it is its turn, and its host has no place free.
    scheduled: whether the poll it waits for counts as one of the schedule.
    task: the poll under way. lost: one that was given up, and still hangs.
    """

    monitor: AccountMonitor
    due: float
    alone_until: float = 0.0
    waiting: bool = False
    scheduled: bool = True
    task: "_Task | None" = None
    lost: "_Task | None" = None


@define(eq=False)
class _Task:
    """One poll under way. Whoever takes `open` to False settles it: its worker, or the scheduler, which gives it up."""

    entry: _Entry
    scheduled: bool
    started: float
    deadline: float
    open: bool = True
    given_up: bool = False


class Scheduler:
    """Polls every account on its schedule. `run` is the loop of one thread; each poll has a thread while it lasts.

    time: steady seconds.
    """

    def __init__(self, monitors: Sequence[AccountMonitor], time: Callable[[], float]) -> None:
        self._time = time
        self._changed = threading.Condition()
        self._entries = {monitor.watch.account: _Entry(monitor, due=time()) for monitor in monitors}
        self._order = itertools.count()
        self._heap = [(entry.due, next(self._order), entry) for entry in self._entries.values()]
        self._waiting: dict[str, deque[_Entry]] = {}
        self._running: set[_Task] = set()
        self._per_host: Counter[str] = Counter()
        self._lost = 0
        self._stopping = False
        self._beat = time()

    def run(self) -> None:
        """Poll until `stop`."""
        while True:
            with self._changed:
                if self._stopping:
                    return
                now = self._beat = self._time()
                late = self._give_up(now)
                ready = self._ready(now)
                if not late and not ready:
                    self._changed.wait(self._until_next(now))
                    continue
            for task in late:
                timeout = task.entry.monitor.watch.timeout
                self._settle(task, Failure.TIMEOUT, f"no answer within {timeout:g} s")
            for task in ready:
                self._start(task)

    def stop(self) -> None:
        """End `run`; polls under way are left to their daemon threads."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def poll_now(self, account: str) -> bool:
        """Poll at once, outside the schedule. False: there is no such account.

        One that is under way or waiting serves, and while the provider wants to be left alone the schedule does.
        """
        with self._changed:
            entry = self._entries.get(account)
            if entry is None:
                return False
            if entry.task is None and not entry.waiting and entry.alone_until <= self._time():
                self._enqueue(entry, scheduled=False)
                self._changed.notify_all()
            return True

    def overdue(self) -> bool:
        """Whether the loop has not come round for too long."""
        return self._time() - self._beat > _OVERDUE

    def _enqueue(self, entry: _Entry, *, scheduled: bool) -> None:
        entry.waiting, entry.scheduled = True, scheduled
        self._waiting.setdefault(entry.monitor.watch.source.host, deque()).append(entry)

    def _give_up(self, now: float) -> list[_Task]:
        """The polls past their deadline. Their places are free again, up to `MAX_LOST` threads that still hang."""
        late = [task for task in self._running if task.open and task.deadline <= now]
        for task in late:
            task.open, task.given_up = False, True
            task.entry.lost = task
            if self._lost < MAX_LOST:
                self._lost += 1
                self._running.discard(task)
            self._per_host[task.entry.monitor.watch.source.host] -= 1
        return late

    def _ready(self, now: float) -> list[_Task]:
        """The polls that start now: due, and with a place free for them and their host."""
        while self._heap and self._heap[0][0] <= now:
            due, _, entry = heapq.heappop(self._heap)
            if entry.due == due and entry.task is None and not entry.waiting:
                self._enqueue(entry, scheduled=True)
        ready = []
        while (self._places() or self._jammed()) and (host := self._next_host()) is not None:
            entry = self._waiting[host].popleft()
            if not self._waiting[host]:
                del self._waiting[host]
            entry.waiting = False
            watch = entry.monitor.watch
            entry.task = _Task(entry, entry.scheduled, now, now + watch.timeout + GRACE)
            self._running.add(entry.task)
            self._per_host[host] += 1
            ready.append(entry.task)
        return ready

    def _places(self) -> int:
        return WORKERS - len(self._running)

    def _jammed(self) -> bool:
        """Every place is held by a poll that was given up and cannot be replaced."""
        return not self._places() and all(task.given_up for task in self._running)

    def _next_host(self) -> str | None:
        """Of the hosts that have polls waiting and a place free, the one with the fewest running."""
        free = [host for host in self._waiting if self._per_host[host] < PER_HOST]
        return min(free, key=lambda host: self._per_host[host], default=None)

    def _until_next(self, now: float) -> float:
        deadlines = [task.deadline for task in self._running if task.open]
        if self._heap:
            deadlines.append(self._heap[0][0])
        return max(0.0, min([*deadlines, now + _LONGEST_WAIT]) - now)

    def _start(self, task: _Task) -> None:
        if task.entry.lost is not None or self._places() < 0:
            self._settle(task, Failure.BUSY, "an earlier poll still hangs")
            return
        name = f"poll {task.entry.monitor.watch.account}"
        try:
            threading.Thread(target=self._work, args=(task,), name=name, daemon=True).start()
        except RuntimeError:
            self._settle(task, Failure.BUSY, "the system has no thread to spare")

    def _work(self, task: _Task) -> None:
        poll = task.entry.monitor.fetch(scheduled=task.scheduled)
        with self._changed:
            mine, task.open = task.open, False
        if mine:
            self._finish(task, poll)
            return
        with self._changed:  # given up meanwhile, and settled as a timeout
            task.entry.lost = None
            if task in self._running:
                self._running.discard(task)
            else:
                self._lost -= 1
            self._changed.notify_all()

    def _settle(self, task: _Task, kind: Failure, message: str) -> None:
        task.open = False
        self._finish(task, task.entry.monitor.failed(kind, message, task.started, scheduled=task.scheduled))

    def _finish(self, task: _Task, poll: Poll) -> None:
        """Settle the poll and put its account back into the schedule, start to start."""
        entry = task.entry
        interval = entry.monitor.watch.interval
        try:
            wait = entry.monitor.settle(poll)
        except Exception:
            log.exception("Internal error", account=entry.monitor.watch.account)
            wait = entry.monitor.crashed()
        with self._changed:
            if not task.given_up:
                self._running.discard(task)
                self._per_host[entry.monitor.watch.source.host] -= 1
            now = self._time()
            entry.alone_until = now + wait
            planned = entry.due
            if task.scheduled:
                entry.due = task.started + interval * random.uniform(0.9, 1.1)  # noqa: S311
            entry.due = max(entry.due, now, entry.alone_until)
            entry.task = None
            if task.scheduled or entry.due != planned:  # else it stands in the heap already
                heapq.heappush(self._heap, (entry.due, next(self._order), entry))
            self._changed.notify_all()
