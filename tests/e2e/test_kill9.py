"""kill -9 at random moments while alerts flow: none is lost, and a duplicate is the same alert again."""

import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

from support.daemon import Daemon
from support.site import Answer, Received, Receiver, Site

CHANNELS = 3
ACCOUNTS = 9
UPS_AND_DOWNS = (100, 5, 2, 100, 0, -1, 100, 9)

Record = Callable[[str, object], None]


class MoodyReceiver(Receiver):
    """Takes its time, refuses some, hangs up on some.

    whole: the requests that came to their end. taken: those of them it has answered 200 to, or was about to.
    """

    def __init__(self, luck: random.Random) -> None:
        super().__init__()
        self._luck = luck
        self.moody = True
        self.whole: list[Received] = []
        self.taken: list[Received] = []

    def take(self, request: Received) -> Answer:
        super().take(request)
        if len(request.body) < int(request.headers["content-length"]):
            return Answer(close=True)  # its sender was killed in the middle of it
        self.whole.append(request)
        mood = self._luck.random() if self.moody else 1.0
        if mood < 0.01:
            return Answer(503)
        if mood < 0.02:
            return Answer(close=True)
        self.taken.append(request)
        return Answer(delay=self._luck.uniform(0, 0.02) if self.moody else 0)


def oscillate(site: Site, luck: random.Random) -> None:
    """Every account goes up and down from poll to poll."""
    for number in range(ACCOUNTS):
        turn = luck.randrange(len(UPS_AND_DOWNS))

        def answer(turns: list[int] = [turn]) -> Answer:  # noqa: B006 - each account its own
            turns[0] += 1
            return Answer(body=b'{"balance": %d}' % UPS_AND_DOWNS[turns[0] % len(UPS_AND_DOWNS)])

        site.provider.at(f"/{number}", answer)


def config(site: Site, receiver: Receiver) -> dict[str, str]:
    accounts = "\n".join(
        f"- {{name: a{number}, credential: a-credential, endpoint: PROVIDER/{number}, "
        f"channels: [c{number % CHANNELS}]}}"
        for number in range(ACCOUNTS)
    )
    channels = "\n".join(
        f'  c{number}: {{type: webhook, url: "{receiver.url}/c{number}"}}' for number in range(CHANNELS)
    )
    return site.yaml(
        "defaults: {interval: 0.15, cooldown: 0, thresholds: {warning: 10, critical: 3}}\n"
        f"accounts:\n{accounts}\nchannels:\n{channels}\n"
    )


def run_and_kill(site: Site, environment: dict[str, str], receiver: MoodyReceiver, luck: random.Random) -> Daemon:
    """Start it and kill it: three times out of four just after a request came, else at any moment."""
    seen = len(receiver.requests)
    daemon = site.start(environment)
    if luck.random() < 0.75:
        receiver.wait_for(seen + luck.randint(1, 40), timeout=20)
        time.sleep(luck.uniform(0, 0.03))
    else:
        time.sleep(luck.uniform(0, 1.2))
    daemon.kill()
    return daemon


def drain(site: Site, environment: dict[str, str], receiver: MoodyReceiver) -> Daemon:
    """With everything well again, let it deliver what it owes."""
    receiver.moody = False
    site.provider._paths.clear()
    site.provider.says(100)
    daemon = site.start(environment).watching()

    def done() -> bool:
        status = daemon.get("/api/v1/status").json
        return status["ready"] and not any(channel["pending"] for channel in status["channels"])

    daemon.wait_until(done, timeout=60)
    daemon.stop()
    return daemon


def check_receiver(site: Site, receiver: MoodyReceiver) -> tuple[int, int]:
    """Every stored alert was taken, in order, and what came twice is the same. Returns alerts and duplicates."""
    bodies: dict[tuple[str, str], bytes] = {}
    for request in receiver.whole:
        key = request.path.removeprefix("/"), request.headers["idempotency-key"]
        assert request.json()["alert"]["id"] == key[1]
        assert bodies.setdefault(key, request.body) == request.body
    firsts: dict[tuple[str, str], list[str]] = defaultdict(list)
    duplicates = 0
    for request in receiver.taken:
        alert = request.json()["alert"]
        told = firsts[request.path.removeprefix("/"), alert["subject"]]
        duplicates += alert["id"] in told
        told.extend([alert["id"]] * (alert["id"] not in told))
    stored: dict[tuple[str, str], list[str]] = defaultdict(list)
    fates = site.query(
        "SELECT channel, subject, alert_id, fate, reason FROM outbox WHERE channel <> 'stdout' ORDER BY row"
    )
    for channel, subject, alert_id, fate, reason in fates:
        if fate == "superseded":
            assert reason == "reminder"
            assert alert_id not in firsts[channel, subject]
        else:
            assert fate == "sent"
            stored[channel, subject].append(alert_id)
    assert {key: ids for key, ids in firsts.items() if ids} == stored
    return sum(map(len, stored.values())), duplicates


def check_stdout(site: Site, daemons: Sequence[Daemon]) -> int:
    """Every alert is on standard output, every line whole. Returns how many came twice."""
    lines = []
    for daemon in daemons:
        assert daemon.out is not None
        daemon.out.finish()
        assert daemon.out.rest == b""
        lines += [entry["alert_id"] for entry in daemon.entries() if "alert_id" in entry and "state" in entry]
    stored = {row[0] for row in site.query("SELECT alert_id FROM outbox WHERE channel = 'stdout' AND fate = 'sent'")}
    assert set(lines) == stored
    return len(lines) - len(stored)


def campaign(site: Site, kills: int, record: Record) -> None:
    seed = random.randrange(1 << 32)
    luck = random.Random(seed)
    begun = time.monotonic()
    with MoodyReceiver(random.Random(seed)) as receiver:
        environment = config(site, receiver)
        oscillate(site, luck)
        killed = [run_and_kill(site, environment, receiver, luck) for _ in range(kills)]
        last = drain(site, environment, receiver)
        alerts, duplicates = check_receiver(site, receiver)
        twice = check_stdout(site, [*killed, last])
        assert alerts > 5 * kills, "too few alerts to say anything"
        assert duplicates <= kills * CHANNELS
        assert twice <= kills
        record(
            "figure",
            f"kill -9 {kills} times: {alerts} alerts, 0 lost; {duplicates} duplicates at the receiver, {twice} on "
            f"stdout, each with its first id; {len(receiver.requests)} requests; "
            f"{time.monotonic() - begun:.0f} s; seed {seed}",
        )


@pytest.mark.timeout(240)
def test_20_kills_lose_no_alert(site: Site, record_property: Record) -> None:
    campaign(site, 20, record_property)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_200_kills_lose_no_alert(site: Site, record_property: Record) -> None:
    campaign(site, 200, record_property)
