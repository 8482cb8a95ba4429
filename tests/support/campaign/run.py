"""The real daemon, all its receivers in trouble, and kill -9: what came of it."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from attrs import frozen

from support.campaign.agreement import LevelVerdict
from support.campaign.balances import Balances
from support.campaign.counterpart import Counterpart
from support.campaign.level_counterparts import AlertmanagerCounterpart
from support.campaign.verdict import Owed, Verdict, judge
from support.site import Site

Make = Callable[[Path, random.Random], Counterpart]
Say = Callable[[str], None]

DRAINED_WITHIN = 300.0


@frozen
class Plan:
    """alerts: at least as many are raised. seconds: how long a round of faults lasts at least."""

    alerts: int
    seed: int
    accounts: int = 24
    rounds: int = 2
    seconds: float = 45.0
    interval: float = 8.0


@frozen
class Outcome:
    """verdicts: of queues. levels: of receivers of states. kills: of the daemon. seconds: it took."""

    verdicts: Sequence[Verdict]
    levels: Sequence[LevelVerdict]
    kills: int
    seconds: float


class Trouble:
    """One fault after the other at one counterpart, in a thread of its own, until `end`; then a last one.

    back: when it was well again after a round, wall time. agree: what is done then.
    """

    def __init__(self, counterpart: Counterpart, seed: int, agree: Callable[[Counterpart], None]) -> None:
        self.counterpart = counterpart
        self._agree = agree
        self.counted: Counter[str] = Counter()
        self.back: list[float] = []
        self._luck = random.Random(seed)
        self._failed: list[BaseException] = []

    def begin(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"trouble at {self.counterpart.name}")
        self._thread.start()

    def end(self) -> None:
        self._ending.set()

    def join(self) -> None:
        """Raises what ended it before its time."""
        self._thread.join()
        if self._failed:
            raise self._failed[0]

    def verdict(self, owed: Sequence[Owed]) -> Verdict:
        one = self.counterpart
        return judge(one.name, one.what, owed, one.arrivals, self.back, self.counted)

    def _run(self) -> None:
        try:
            deck: list[str] = []
            while not self._ending.wait(self._luck.uniform(0.5, 4.0)):
                deck = deck or self._luck.sample(sorted(self.counterpart.faults()), len(self.counterpart.faults()))
                self._inflict(deck.pop(), self._luck.uniform(1.0, 6.0))
            self._inflict(self.counterpart.last, self._luck.uniform(3.0, 6.0))
            self.back.append(time.time())
            self._agree(self.counterpart)
        except BaseException as error:
            self._failed.append(error)

    def _inflict(self, fault: str, seconds: float) -> None:
        self.counted[fault] += 1
        with self.counterpart.faults()[fault]():
            time.sleep(seconds)


class Campaign:
    """Everything at once: one daemon, a channel to every counterpart, each alert goes to all of them."""

    def __init__(self, site: Site, balances: Balances, counterparts: Sequence[Counterpart], plan: Plan) -> None:
        self._site = site
        self._balances = balances
        self._plan = plan
        self._luck = random.Random(plan.seed)
        self._troubles = [Trouble(each, self._luck.randrange(1 << 32), self._agree) for each in counterparts]
        self._environment = site.yaml(self._config())
        self.kills = 0

    def run(self, say: Say) -> None:
        for number in range(1, self._plan.rounds + 1):
            self._suffer(self._plan.alerts * number / self._plan.rounds)
            say(f"round {number}: {self._balances.answers} balances, {self.kills} kills; all is well now, draining")
            self._drain()
            for trouble in self._troubles:
                trouble.counterpart.agree(self._status, 0.0)
            self._daemon.stop()
        for trouble in self._troubles:
            trouble.counterpart.finish()

    def _status(self) -> Any:
        return self._daemon.get("/api/v1/status").json

    def _agree(self, counterpart: Counterpart) -> None:
        """The daemon is not killed any more in this round. In so many polls every account raises an alert again."""
        counterpart.agree(self._status, 4 * self._plan.interval)

    def _suffer(self, answers: float) -> None:
        """One round of faults. At its end a daemon runs."""
        self._balances.calm = False
        self._daemon = self._site.start(self._environment)
        for trouble in self._troubles:
            trouble.begin()
        try:
            self._kill_again_and_again(answers)
        finally:
            for step in (Trouble.end, Trouble.join):
                for trouble in self._troubles:
                    step(trouble)

    def _kill_again_and_again(self, answers: float) -> None:
        until = time.monotonic() + self._plan.seconds
        while time.monotonic() < until or self._balances.answers < 1.4 * answers:
            self._wait_for_a_bad_moment()
            assert self._daemon.process.poll() is None, f"it ended by itself: {self._daemon.err.all}"
            self._daemon.kill()
            self.kills += 1
            time.sleep(self._luck.uniform(0, 1.0))
            self._daemon = self._site.start(self._environment)

    def _wait_for_a_bad_moment(self) -> None:
        """After some seconds: just when something arrived, or at any time."""
        time.sleep(self._luck.uniform(2.0, 7.0))
        seen, patience = self._arrived(), time.monotonic() + self._luck.choice((0.0, 5.0))
        while self._arrived() == seen and time.monotonic() < patience:
            time.sleep(0.001)
        time.sleep(self._luck.uniform(0, 0.02))

    def _arrived(self) -> int:
        return sum(len(trouble.counterpart.arrivals) for trouble in self._troubles)

    def _drain(self) -> None:
        self._balances.be_calm()

        def done() -> bool:
            pending = any(channel["pending"] for channel in self._status()["channels"])
            return self._balances.all_calm() and not pending

        self._daemon.watching().wait_until(done, DRAINED_WITHIN)

    def verdicts(self) -> Sequence[Verdict]:
        rows = self._site.query("SELECT channel, subject, alert_id, fate, why, message FROM outbox ORDER BY row")
        owed = [Owed.of(row) for row in rows]
        queued = [each for each in self._troubles if not isinstance(each.counterpart, AlertmanagerCounterpart)]
        return [each.verdict(owed) for each in queued]

    def levels(self) -> Sequence[LevelVerdict]:
        counterparts = [(each.counterpart, each.counted) for each in self._troubles]
        return [one.verdict(counted) for one, counted in counterparts if isinstance(one, AlertmanagerCounterpart)]

    def _config(self) -> str:
        accounts = [
            {"name": f"a{number}", "credential": "a-credential", "endpoint": f"{self._balances.url}/{number}"}
            for number in range(self._plan.accounts)
        ]
        # of this one little is announced, and all of it stands
        muted = {"name": "muted", "endpoint": f"{self._balances.url}/muted", "cooldown": "1h"}
        accounts.append({**accounts[0], **muted})
        defaults = {"interval": f"{self._plan.interval:g}s", "cooldown": "0"}
        channels = {
            each.counterpart.name: {"type": each.counterpart.name, **each.counterpart.settings()}
            for each in self._troubles
        }
        thresholds = {"warning": 10, "critical": 3}
        settings = {"defaults": {**defaults, "thresholds": thresholds}, "accounts": accounts, "channels": channels}
        return json.dumps(settings)


def campaign(folder: Path, makes: Sequence[Make], plan: Plan, say: Say) -> Outcome:
    """folder: an empty one. The same seed inflicts the same faults; how they meet the alerts is chance."""
    begun = time.monotonic()
    luck = random.Random(plan.seed)
    with ExitStack() as opened:
        balances = opened.enter_context(Balances())
        counterparts = []
        for number, make in enumerate(makes):
            own = folder / str(number)
            own.mkdir()
            counterparts.append(opened.enter_context(make(own, random.Random(luck.randrange(1 << 32)))))
        site = opened.enter_context(Site(folder))
        fight = Campaign(site, balances, counterparts, plan)
        fight.run(say)
        seconds = time.monotonic() - begun
        return Outcome(fight.verdicts(), fight.levels(), fight.kills, seconds)
