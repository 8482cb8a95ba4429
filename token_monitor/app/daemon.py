"""The daemon: settings → running objects and threads."""

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

import structlog

from token_monitor import __version__
from token_monitor.app import registry
from token_monitor.app.departed import close_departed
from token_monitor.app.publishing import make_publisher
from token_monitor.app.registry import STDOUT
from token_monitor.clock import SteadyClock
from token_monitor.config.settings import Settings
from token_monitor.core.alert import Alert
from token_monitor.core.http import HttpClient
from token_monitor.core.message import Backlog, Message
from token_monitor.core.ports import Closable
from token_monitor.core.view import Snapshot
from token_monitor.delivery import ChannelWorker
from token_monitor.http import RequestsClient
from token_monitor.level import LevelWorker
from token_monitor.monitor import AccountMonitor
from token_monitor.output import Output
from token_monitor.scheduler import Scheduler
from token_monitor.signals import STOPPING, Signals
from token_monitor.stores.errors import StoreLockedError
from token_monitor.stores.monitor_db import open_monitor_db
from token_monitor.watch import World
from token_monitor.web.access import Access
from token_monitor.web.metrics import Metrics
from token_monitor.web.server import WebServer

TICK: Final = 30.0
SWITCHES_SHOWN: Final = 20
PRUNE_EVERY: Final = 3600.0
DELIVERIES_STOP_WITHIN: Final = 2.0
OUTPUT_STOPS_WITHIN: Final = 0.2

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = structlog.get_logger()


class Daemon:
    """Everything that runs. Made, started and stopped by one thread.

    pause: waits that many seconds for the data folder; a true answer gives up waiting.
    Raises StoreError: the data folder belongs to another daemon, or to a later version.
    """

    def __init__(self, settings: Settings, output: Output, pause: Callable[[float], object] = time.sleep) -> None:
        self._settings = settings
        self._output = output
        self._stopping = threading.Event()
        self._store = open_monitor_db(settings.daemon.data, log.error, log.info, pause=pause)
        self.clock = SteadyClock(self._store.steady())
        self._metrics = Metrics(self.snapshot, __version__)
        http = RequestsClient()
        self._channels = registry.make_channels(settings, http, self.clock, self._store, output)
        self._workers = self._make_workers()
        self._levels = self._make_levels(http)
        self._publisher = make_publisher(settings, self.snapshot, self.clock.now)
        self._monitors = self._make_monitors(http)
        self._store.adopt(self._workers, self._time())
        watches = {monitor.watch.account: monitor.watch for monitor in self._monitors}
        close_departed(watches, self._store, self.clock.now(), lambda alert: self._route(alert, ()))
        self._store.prune(self._time())
        self._scheduler = Scheduler(self._monitors, self._time)
        self._threads: list[threading.Thread] = []
        self.web = self._make_web()
        self._web_complained = False

    def start(self) -> None:
        """Begin to publish, poll, deliver and serve. The polls early: serving costs a third of the start."""
        for monitor in self._monitors:
            monitor.start()
        self._spawn("scheduler", self._scheduler.run)
        for name, worker in self._every_worker().items():
            self._spawn(f"channel {name}", worker.run)
        self._serve()
        self._spawn("housekeeping", self._keep_house)

    def stop(self) -> None:
        """End within 2 s, whatever hangs. What was not delivered is in the store."""
        self._stopping.set()
        deadline = time.monotonic() + DELIVERIES_STOP_WITHIN
        self._scheduler.stop()
        if self._publisher is not None:
            self._publisher.stop()
        if self.web is not None:
            threading.Thread(target=self.web.stop, name="web stop", daemon=True).start()
        for worker in self._every_worker().values():
            worker.stop()
        for thread in self._threads:
            if thread.name.startswith("channel "):
                thread.join(max(0.0, deadline - time.monotonic()))
        for channel in self._channels.values():
            if isinstance(channel, Closable):
                channel.close()

    def snapshot(self) -> Snapshot:
        """Everything at one moment."""
        backlogs = dict.fromkeys(self._workers, Backlog()) | dict(self._store.backlogs())
        backlogs |= {name: worker.backlog() for name, worker in self._levels.items()}
        views = [monitor.view() for monitor in self._monitors]
        return Snapshot(views, backlogs, self._store.durable, self._problems(), self._store.switches(SWITCHES_SHOWN))

    def poll_now(self, account: str) -> bool:
        """Poll an account outside its schedule. False: there is none of that name."""
        return self._scheduler.poll_now(account)

    def _time(self) -> float:
        return self.clock.now().steady

    def _make_workers(self) -> dict[str, ChannelWorker]:
        quiet = {name: settings.route.quiet_hours for name, settings in self._settings.channels.items()}
        return {
            name: ChannelWorker(name, channel, self._store, self._metrics, self.clock, quiet.get(name))
            for name, channel in self._channels.items()
        }

    def _make_levels(self, http: HttpClient) -> dict[str, LevelWorker]:
        channels = registry.make_level_channels(self._settings, http, self.clock, self._store)
        return {
            name: LevelWorker(name, channel, self._standing(name), self._metrics, self.clock)
            for name, channel in channels.items()
        }

    def _make_monitors(self, http: HttpClient) -> list[AccountMonitor]:
        store, wait = self._store, self._stopping.wait
        world = World(self.clock, store, self._metrics, wait, self._wake, self._route, self._publisher)
        return registry.make_monitors(self._settings.accounts, world, http)

    def _make_web(self) -> WebServer | None:
        listen = self._settings.daemon.listen
        if listen is None:
            return None
        host, port = listen

        def app() -> "ASGIApp":
            from token_monitor.web.app import make_app

            access = Access.at(host, self._settings.daemon.api_key)
            return make_app(self.snapshot, self._metrics.render, self.poll_now, access)

        return WebServer(app, host, port)

    def _route(self, alert: Alert, channels: Sequence[str]) -> Sequence[str]:
        """The queues that take an alert for `channels`. An end is for all that were told, the parked too (O6, O8)."""
        settings = self._settings.channels
        told = self._store.told(alert.episode) if alert.reason.closes else ()
        queued = [name for name in dict.fromkeys((*channels, *told)) if name not in self._levels]
        return [name for name in queued if name not in settings or settings[name].route.takes(alert)]

    def _standing(self, channel: str) -> Callable[[], list[Message]]:
        """What stands and concerns a receiver of states."""
        route = self._settings.channels[channel].route

        def standing() -> list[Message]:
            monitors = [monitor for monitor in self._monitors if channel in monitor.watch.channels]
            messages = [message for monitor in monitors for message in monitor.standing()]
            return [message for message in messages if route.takes(message.alert)]

        return standing

    def _every_worker(self) -> Mapping[str, ChannelWorker | LevelWorker]:
        return {**self._workers, **self._levels}

    def _wake(self, channels: Collection[str]) -> None:
        for name, worker in self._every_worker().items():
            if name in channels:
                worker.wake()

    def _spawn(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _serve(self) -> None:
        """Take the port; if it is taken, say so once and leave it to the housekeeping to try again."""
        if self.web is None or self.web.alive:
            return
        assert self._settings.daemon.listen is not None
        host, port = self._settings.daemon.listen
        try:
            self.web.start()
        except OSError as error:
            if not self._web_complained:
                self._web_complained = True
                hint = "watching goes on; TOKEN_MONITOR_LISTEN names another address, or off"
                cause = os.strerror(error.errno) if error.errno else str(error)
                log.error("HTTP port not available", listen=f"{host}:{port}", error=cause, hint=hint)
            return
        self._web_complained = False

    def _keep_house(self) -> None:
        pruned = self._time()
        ticks = 0
        while not self._stopping.wait(TICK):
            ticks += 1
            try:
                self._store.heal()
                if self._time() - pruned > PRUNE_EVERY:
                    pruned = self._time()
                    self._store.prune(pruned)
                if ticks % 2 == 0:
                    self._serve()
            except Exception:
                log.exception("Internal error", thread="housekeeping")

    def _problems(self) -> list[str]:
        dead = [f"thread {thread.name} has died" for thread in self._threads if not thread.is_alive()]
        if not self._output.alive:
            dead.append("thread output has died")
        stuck = [
            f"channel {name}: a delivery hangs"
            for name, worker in self._every_worker().items()
            if name != STDOUT and worker.overdue()
        ]
        late = ["the scheduler is overdue"] if self._scheduler.overdue() else []
        return dead + stuck + late


def run(settings: Settings, signals: Signals, output: Output) -> int:
    """The daemon, from start to SIGTERM or SIGINT; the exit status. Raises StoreError."""
    try:
        daemon = Daemon(settings, output, signals.stopping)
    except StoreLockedError:
        if signals.stopping(0):
            return 0
        raise
    for notice in settings.notices:
        log.warning(notice)
    daemon.start()
    accounts = [account.name for account in settings.accounts]
    log.info("Watching", accounts=accounts[:20], count=len(accounts), listen=_listening(daemon), version=__version__)
    for number in signals:
        if number in STOPPING:
            break
        log.info("SIGHUP: reloading the settings is not part of this version; restart to apply them")
    log.info("Stopping", signal=signal.Signals(number).name)
    daemon.stop()
    output.close(OUTPUT_STOPS_WITHIN)
    return 0


def leave(status: int) -> NoReturn:
    """End the process now: threads that hang in a system call must not keep it."""
    os._exit(status)


def _listening(daemon: Daemon) -> str:
    if daemon.web is None:
        return "off"
    if not daemon.web.alive:
        return "not available"
    host, port = daemon.web.address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
