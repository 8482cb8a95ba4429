"""What a monitor is told: of its account, of the world that all monitors share, and of what came of a poll."""

from collections.abc import Callable, Collection, Mapping, Sequence

from attrs import field, frozen

from token_monitor.core.alert import Alert
from token_monitor.core.errors import SourceError
from token_monitor.core.failover import FailoverRule
from token_monitor.core.ports import Clock, Publisher, Source, StateStore, Telemetry
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Rule
from token_monitor.core.secret import Secret
from token_monitor.core.words import PRIMARY, Language


@frozen
class Watch:
    """What to watch of one account. Durations in seconds.

    resolve: reads the credential anew; raises ValueError with a message that does not hold it.
    rules: by quantity.
    channels: where its alerts go.
    spares: for each spare credential, by label, what reads it anew.
    failover: when to change to one of them; None: never.
    """

    account: str
    source: Source
    resolve: Callable[[], Secret]
    rules: Mapping[str, Rule]
    channels: Sequence[str]
    interval: float
    timeout: float
    cooldown: float
    max_failures: int
    notify_when_blind: bool
    language: Language
    spares: Mapping[str, Callable[[], Secret]] = field(factory=dict)
    failover: FailoverRule | None = None

    @property
    def credentials(self) -> Mapping[str, Callable[[], Secret]]:
        """What reads each credential, by label, the primary first."""
        return {PRIMARY: self.resolve, **self.spares}


@frozen
class World:
    """What the monitors of all accounts share.

    pause: waits that many seconds, and says whether the daemon is stopping.
    wake: tells these channels that there is something to deliver.
    route: the channels that take an alert of an account that names these.
    publisher: None where nothing is published.
    """

    clock: Clock
    store: StateStore
    telemetry: Telemetry
    pause: Callable[[float], bool]
    wake: Callable[[Collection[str]], None]
    route: Callable[[Alert, Sequence[str]], Sequence[str]] = lambda _alert, channels: channels
    publisher: Publisher | None = None


@frozen
class Poll:
    """What came of asking: readings, or an error.

    started: steady seconds; the sequence number of the readings (rule J10).
    scheduled: only scheduled polls count towards silent mode (rule J12).
    """

    started: float
    ended: float
    scheduled: bool
    readings: Sequence[Reading] = ()
    error: SourceError | None = None
