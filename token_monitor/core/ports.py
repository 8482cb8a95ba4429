"""What the core asks of the world. Adapters implement these; the wiring is in `app`."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

from token_monitor.core.alert import Alert, Switch
from token_monitor.core.errors import ChannelError
from token_monitor.core.failover import FailoverState
from token_monitor.core.judge import Subject, SubjectState
from token_monitor.core.message import Backlog, Delivery, Message
from token_monitor.core.pace import Pace
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.core.time import Now


class Clock(Protocol):
    """Gives both times at once."""

    def now(self) -> Now: ...


class Source(Protocol):
    """Asks one provider about one account.

    quantities: their names, in order; the first stands for the account where only one can (an HTTP 402).
    host: polls of one host share a cap.
    """

    @property
    def quantities(self) -> Sequence[str]: ...

    @property
    def host(self) -> str: ...

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        """The readings of this moment, in the order of `quantities`; a quantity missing from the answer is left out.

        Raises SourceError: no reading, and why.
        """
        ...


class Channel(Protocol):
    """Takes alerts to one receiver. Called by one thread.

    pace: how often the receiver lets itself be called; None is as often as there is something to say.
    """

    @property
    def pace(self) -> Pace | None: ...

    def send(self, message: Message) -> str:
        """Deliver, and return what the receiver answered, in one line. Returning is the acknowledgement.

        Raises ChannelError: it was not acknowledged.
        """
        ...


@runtime_checkable
class GroupChannel(Channel, Protocol):
    """A channel whose messages people read: alerts that come together go as one message, as far as they fit.

    Every other channel is for machines and gets each alert by itself.
    """

    def fits(self, message: Message) -> bool:
        """Whether the receiver shows the whole of `message`, in the form that `send` gives it.

        What holds for several alerts holds for the first of them.
        """
        ...


@runtime_checkable
class Closable(Protocol):
    """A channel that holds what would outlive this process."""

    def close(self) -> None:
        """End it, at once and for good. Called by another thread, perhaps during `send`."""
        ...


class LevelChannel(Protocol):
    """Tells one receiver what stands, again and again: a receiver of states, not of transitions (rule O9).

    What is not told again ends at the receiver by itself within 5 minutes. Called by one thread.
    """

    def sync(self, firing: Sequence[Message], resolved: Sequence[Message]) -> str:
        """Tell everything, and return what the receiver answered, in one line.

        firing: all that stands; the `at` of each alert is when it began.
        resolved: what stood and no longer does; the `at` of each is when it ended, the rest as it stood.

        Raises ChannelError: not all of it was acknowledged; it will all be told again.
        """
        ...


@frozen
class Change:
    """What one poll changed, stored in one transaction together with the messages it raised.

    failures: of the account, the failed polls in a row.
    messages: each with the channels it goes to.
    failover: which credential is active now, and what is remembered of them; None: as before.
    switch: of credentials, for the audit.
    """

    account: str
    subjects: Mapping[Subject, SubjectState] = field(factory=dict)
    failures: int | None = None
    messages: Sequence[tuple[Message, Sequence[str]]] = ()
    failover: FailoverState | None = None
    switch: Switch | None = None


class StateStore(Protocol):
    """The memory of the judge."""

    def subjects(self) -> Mapping[Subject, SubjectState]: ...

    def failures(self) -> Mapping[str, int]:
        """Failed polls in a row, by account."""
        ...

    def failovers(self) -> Mapping[str, FailoverState]:
        """What is remembered of the credentials of each account."""
        ...

    def commit(self, change: Change, now: float) -> None:
        """Store state and messages: all of it or nothing. A closing message goes only where its episode was told."""
        ...

    def forget(self, accounts_kept: Iterable[str], before: float) -> None:
        """Drop the states of accounts that are gone, if untouched since `before`."""
        ...


Compose = Callable[[Sequence[Delivery]], Delivery]
"""Makes one delivery of a beginning of several."""


class Outbox(Protocol):
    """The deliveries owed. Times are steady seconds."""

    def next_delivery(
        self,
        channel: str,
        compose: Compose | None = None,
        quiet_since: float | None = None,
        refused: Collection[tuple[int, str]] = (),
    ) -> Delivery | None:
        """Of the oldest pending deliveries of each subject, the one attempted least recently.

        compose: makes one delivery of this and others that were never attempted, the oldest first. None: it goes alone.
            What was attempted together stays so.
        quiet_since: quiet hours began then; only subjects with something critical pass, and those whose episode was
            told since and has ended.
        refused: row and alert id of those whose turn it is not.
        """
        ...

    def dissolve(self, delivery: Delivery) -> None:
        """Have the members of a group go one by one from now on."""
        ...

    def begin(self, delivery: Delivery, now: float) -> bool:
        """Record that an attempt starts, before it does; False if part of it is owed no longer."""
        ...

    def sent(self, delivery: Delivery, now: float) -> None:
        """Record the acknowledgement."""
        ...

    def failed(self, delivery: Delivery, error: ChannelError, now: float) -> None:
        """Record a failed attempt, and the `failures` and `hopeless_since` of `delivery`; it stays pending."""
        ...

    def bury(self, delivery: Delivery, error: ChannelError, why: str, now: float) -> None:
        """Record a failed attempt that was the last."""
        ...

    def passed_since(self, delivery: Delivery, since: float) -> int:
        """How many deliveries of other subjects this channel has sent since."""
        ...

    def attempts(self, channel: str, since: float) -> Sequence[float]:
        """When something was attempted after `since`, the latest attempt of each delivery; the oldest first."""
        ...

    def hold(self, channel: str, until: float) -> None:
        """Remember that the receiver asked not to be called before `until`."""
        ...

    def held_until(self, channel: str) -> float: ...

    def backlogs(self) -> Mapping[str, Backlog]:
        """By channel."""
        ...

    def adopt(self, channels: Iterable[str], now: float) -> None:
        """These are the channels there are: park the deliveries of others, take up those of returned ones."""
        ...

    def prune(self, now: float) -> None:
        """Bury what was parked too long, drop what is done and past its retention."""
        ...


class EpisodeNotes(Protocol):
    """What a channel remembers of an episode, such as the number of a ticket. Times are steady seconds.

    Kept while the episode is open or the channel owes something of it, and for 7 days after.
    """

    def note(self, channel: str, episode: str) -> str | None:
        """What was kept last; None if nothing was."""
        ...

    def keep_note(self, channel: str, episode: str, text: str, now: float) -> None:
        """Remember `text`, in place of what was there."""
        ...


class Publisher(Protocol):
    """Writes files for the programs that the accounts serve."""

    def begin(self, account: str, active: Callable[[], Secret], others: Sequence[Callable[[], Secret]]) -> None:
        """Have what `active` reads published as the credential of `account`, which the provider has not taken yet.

        A file that holds what none of these reads stays as it is: the provider took that once, as far as anybody
        knows. active, others: raise ValueError with a message that does not hold the credential.
        """
        ...

    def credential(self, account: str, secret: Secret) -> None:
        """Have `secret` published as the active credential of `account`, if that is wanted at all."""
        ...

    def replace(self, account: str, secret: Secret) -> str | None:
        """The same, waiting for it for 2 seconds at most. What keeps `secret` from the file, for people; None: nothing.

        Where this says something, the file may hold `secret` later all the same, until `credential` says otherwise.
        """
        ...

    def changed(self) -> None:
        """There is something new to be seen of the accounts."""
        ...


class Telemetry(Protocol):
    """Counts what happens."""

    def polled(self, account: str, outcome: str, seconds: float) -> None: ...

    def alerted(self, alert: Alert) -> None: ...

    def delivered(self, channel: str, outcome: str) -> None: ...
