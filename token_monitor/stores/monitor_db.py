"""`monitor.db`: the daemon's memory of its subjects and the deliveries it owes."""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from token_monitor.core.alert import Switch
from token_monitor.core.errors import ChannelError
from token_monitor.core.failover import FailoverState
from token_monitor.core.grouping import together
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Backlog, Delivery, Fate
from token_monitor.core.ports import Change, Compose
from token_monitor.core.words import Why
from token_monitor.stores import channels as channel_table
from token_monitor.stores import failovers, notes, outbox, states
from token_monitor.stores.codec import UnreadableError, decode_failover, decode_message, decode_state
from token_monitor.stores.database import Database, Say

LOCK_WAIT: Final = 5.0
MOST_TOGETHER: Final = 250  # more than fit any message; a backlog of thousands is not read for each

_T = TypeVar("_T")


class MonitorDb:
    """Implements the ports StateStore, Outbox and EpisodeNotes. Safe for threads. Made by `open_monitor_db`.

    Every change is one transaction that is on the disk when the call returns. Where the disk fails the same change is
    made in memory instead, and callers see no error. Calls after `close` raise StoreError.
    """

    def __init__(self, database: Database, on_trouble: Say) -> None:
        self._database = database
        self._on_trouble = on_trouble

    @property
    def durable(self) -> bool:
        """Whether what is stored survives a restart."""
        return self._database.durable

    def heal(self) -> bool:
        """Try to leave memory for the file again, and return `durable`. To be called every 30 seconds."""
        return self._database.heal()

    def close(self) -> None:
        """Let go of the file and the folder."""
        self._database.close()

    def steady(self) -> float | None:
        """The latest steady time known, for the clock to begin at (rule J1); None in a new store."""
        return self._database.read(states.steady)

    # StateStore

    def subjects(self) -> Mapping[Subject, SubjectState]:
        """Every subject; one whose state cannot be read is left out, with a line."""
        found = {}
        for subject, text in self._database.read(states.load).items():
            try:
                found[subject] = decode_state(text)
            except UnreadableError as error:
                self._on_trouble(f"The stored state of {subject.name} cannot be read ({error}): it begins anew.")
        return found

    def failures(self) -> Mapping[str, int]:
        """Failed polls in a row, by account."""
        return self._database.read(states.load_failures)

    def commit(self, change: Change, now: float) -> None:
        """Store state and messages: all of it or nothing. Storing the same change again adds no message."""

        def work(db: sqlite3.Connection) -> None:
            states.save(db, change.subjects, now)
            if change.failures is not None:
                states.save_failures(db, change.account, change.failures)
            if change.failover is not None:
                failovers.save(db, change.account, change.failover)
            if change.switch is not None:
                failovers.record(db, change.switch)
            for message, names in change.messages:
                for name in dict.fromkeys(names):
                    outbox.owe(db, name, message, now)

        self._write(work, now)

    def forget(self, accounts_kept: Iterable[str], before: float) -> None:
        """Drop the states of accounts that are gone, if untouched since `before`."""
        kept = frozenset(accounts_kept)

        def work(db: sqlite3.Connection) -> None:
            states.forget(db, kept, before)
            failovers.forget(db)

        self._database.write(work)

    def failovers(self) -> Mapping[str, FailoverState]:
        """What is remembered of the credentials of each account; of one that cannot be read nothing is, with a line."""
        found = {}
        for account, text in self._database.read(failovers.load).items():
            try:
                found[account] = decode_failover(text)
            except UnreadableError as error:
                self._on_trouble(f"The stored state of {account} cannot be read ({error}): it begins anew.")
        return found

    def switches(self, most: int) -> Sequence[Switch]:
        """The audit of switches, the newest first."""
        return [
            Switch(account, origin, target, Why(why), datetime.fromisoformat(at), bool(dry_run))
            for at, account, origin, target, why, dry_run in self._database.read(lambda db: failovers.newest(db, most))
            if why in set(Why)
        ]

    # Outbox

    def told(self, episode: str) -> Sequence[str]:
        """The channels that were told of it or may have been, also those that have left the settings lately."""
        return self._database.read(lambda db: outbox.told(db, episode))

    def next_delivery(
        self,
        channel: str,
        compose: Compose | None = None,
        quiet_since: float | None = None,
        refused: Collection[tuple[int, str]] = (),
    ) -> Delivery | None:
        """See `core.ports.Outbox`. A row that cannot be read is given up, with a line."""
        most = 1 if compose is None else MOST_TOGETHER
        while rows := self._database.read(lambda db: outbox.pick(db, channel, most, quiet_since, refused)):
            parts = [part for row in rows if (part := self._delivery(channel, row)) is not None]
            if len(parts) < len(rows):
                continue
            if compose is None or parts[0].attempted_at is not None:
                return together(parts, rows[0][-1])
            return compose(parts)
        return None

    def _delivery(self, channel: str, row: outbox.Row) -> Delivery | None:
        number, text, created, failures, hopeless_since, attempted_at, _ = row
        try:
            message = decode_message(text)
        except UnreadableError as error:
            self._give_up(row, channel, error)
            return None
        return Delivery(number, channel, message, created, failures, hopeless_since, attempted_at)

    def begin(self, delivery: Delivery, now: float) -> bool:
        """Record that an attempt starts, before it does; False if part of it is owed no longer."""
        return self._write(lambda db: outbox.begin(db, delivery, now), now)

    def dissolve(self, delivery: Delivery) -> None:
        """Have the members of a group go one by one from now on."""
        self._database.write(lambda db: outbox.dissolve(db, delivery))

    def sent(self, delivery: Delivery, now: float) -> None:
        """Record the acknowledgement."""

        def work(db: sqlite3.Connection) -> None:
            outbox.settle(db, delivery, Fate.SENT, None, now)
            outbox.record_error(db, delivery.channel, None)

        self._write(work, now)

    def failed(self, delivery: Delivery, error: ChannelError, now: float) -> None:
        """Record a failed attempt, and the `failures` and `hopeless_since` of `delivery`; it stays pending."""
        self._write(lambda db: outbox.failed(db, delivery, error), now)

    def bury(self, delivery: Delivery, error: ChannelError, why: str, now: float) -> None:
        """Record a failed attempt that was the last."""

        def work(db: sqlite3.Connection) -> None:
            outbox.failed(db, delivery, error)
            outbox.settle(db, delivery, Fate.DEAD, why, now)

        self._write(work, now)

    def passed_since(self, delivery: Delivery, since: float) -> int:
        """How many deliveries of other subjects this channel has sent since."""
        return self._database.read(lambda db: outbox.passed_since(db, delivery, since))

    def attempts(self, channel: str, since: float) -> Sequence[float]:
        """When something was attempted after `since`, the latest attempt of each delivery; the oldest first."""
        return self._database.read(lambda db: outbox.attempts(db, channel, since))

    def hold(self, channel: str, until: float) -> None:
        """Remember that the receiver asked not to be called before `until`."""
        self._database.write(lambda db: channel_table.hold(db, channel, until))

    def held_until(self, channel: str) -> float:
        """The steady time until which the receiver asked to be left alone; 0 if it did not."""
        return self._database.read(lambda db: channel_table.held_until(db, channel))

    def backlogs(self) -> Mapping[str, Backlog]:
        """By channel: those there are, and others that owe something or gave something up."""
        return self._database.read(channel_table.backlogs)

    def adopt(self, channels: Iterable[str], now: float) -> None:
        """These are the channels there are: park the deliveries of others, take up those of returned ones."""
        names = frozenset(channels)
        self._write(lambda db: channel_table.adopt(db, names, now), now)

    def prune(self, now: float) -> None:
        """Bury what was parked for 24 hours, drop what was finished 7 days ago and notes of no more use."""

        def work(db: sqlite3.Connection) -> None:
            channel_table.prune(db, now)
            notes.prune(db, now)

        self._write(work, now)

    # EpisodeNotes

    def note(self, channel: str, episode: str) -> str | None:
        """What was kept last; None if nothing was."""
        return self._database.read(lambda db: notes.read(db, channel, episode))

    def keep_note(self, channel: str, episode: str, text: str, now: float) -> None:
        """Remember `text`, in place of what was there."""
        self._write(lambda db: notes.keep(db, channel, episode, text, now), now)

    def _give_up(self, row: outbox.Row, channel: str, error: UnreadableError) -> None:
        now = row[2]
        self._database.write(lambda db: outbox.finish(db, row[0], Fate.DEAD, "unreadable", now))
        self._on_trouble(f"A stored alert for channel {channel} cannot be read ({error}): it is given up.")

    def _write(self, work: Callable[[sqlite3.Connection], _T], now: float) -> _T:
        def timed(db: sqlite3.Connection) -> _T:
            result = work(db)
            states.record_steady(db, now)
            return result

        return self._database.write(timed)


def _ignore(line: str) -> None:
    """Where nobody listens."""


def open_monitor_db(
    folder: Path | None,
    on_trouble: Say = _ignore,
    on_recovery: Say = _ignore,
    *,
    wait: float = LOCK_WAIT,
    pause: Callable[[float], object] = time.sleep,
) -> MonitorDb:
    """The store in `folder`, or one in memory: if `folder` is None, or cannot be used (then with a line).

    on_trouble, on_recovery: get a line for people when the file fails or was damaged, and when it is used again.
    wait, pause: how long to wait for another daemon to leave, in seconds, and what waits; a true answer of `pause`
    ends the waiting early (an `Event.wait` fits).
    Raises StoreLockedError: another daemon uses the folder. StoreError: a newer version wrote the database.
    """
    database = Database(folder, on_trouble, on_recovery)
    database.open(wait, pause)
    return MonitorDb(database, on_trouble)
