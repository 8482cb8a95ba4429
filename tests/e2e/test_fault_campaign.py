"""The fault campaign of benchmarks/faults.py: in small, whole, and whether it would notice."""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path

import pytest
from attrs import evolve

from support.campaign.agreement import Agreement, agreement, judge_level
from support.campaign.counterpart import Arrival
from support.campaign.everything import COUNTERPARTS, missing
from support.campaign.page import filled, page
from support.campaign.run import Outcome, Plan, campaign
from support.campaign.verdict import Owed, Verdict, judge
from support.markdown import ROOT

Record = Callable[[str, object], None]


def suffer(folder: Path, names: Sequence[str], plan: Plan, record: Record) -> None:
    outcome = campaign(folder, [COUNTERPARTS[name] for name in names], plan, print)
    for verdict in outcome.verdicts:
        assert verdict.good, verdict
        assert verdict.dead == []
        assert verdict.alerts >= plan.alerts
        record(
            "figure",
            f"faults at {verdict.channel}: {verdict.alerts} alerts, 0 lost; {len(verdict.twice)} came twice; slowest "
            f"{verdict.slowest:.1f} s after a return; {outcome.kills} kills; seed {plan.seed}",
        )
    for level in outcome.levels:
        assert level.good, level
        assert level.begun + level.ended >= plan.alerts
        record(
            "figure",
            f"faults at {level.channel}: {level.begun} stood, 0 lost, 0 left over; all held {level.held:.1f} s and "
            f"nothing else {level.agreed:.1f} s after a return; {outcome.kills} kills; seed {plan.seed}",
        )


@pytest.mark.timeout(240)
def test_a_webhook_kafka_and_alertmanager_in_trouble_lose_nothing(tmp_path: Path, record_property: Record) -> None:
    plan = Plan(30, random.randrange(1 << 32), accounts=8, rounds=1, seconds=8.0, interval=1.0)
    suffer(tmp_path, ["webhook", "kafka", "alertmanager"], plan, record_property)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_every_channel_in_trouble_loses_nothing(tmp_path: Path, record_property: Record) -> None:
    names = [name for name in COUNTERPARTS if missing(name) is None]
    suffer(tmp_path, names, Plan(200, random.randrange(1 << 32)), record_property)


def owed(number: int, subject: str = "a/balance", fate: str = "sent", at: float = 0.0) -> Owed:
    return Owed("ops", subject, f"e-{number}", fate, None, f"a: 5.{number:06d}7 left", at)


def verdict(rows: Sequence[Owed], *arrivals: Arrival, returns: Sequence[float] = ()) -> Verdict:
    return judge("ops", "nothing", rows, arrivals, returns, Counter())


def came(*numbers: int, at: float = 0.0, body: str = "") -> Arrival:
    """As people read it: without ids."""
    return Arrival(at, [f"{number:06d}" for number in numbers], body or str(numbers))


def test_a_stored_alert_that_did_not_come_is_lost_unless_it_was_superseded() -> None:
    rows = [owed(1), owed(2), owed(3, fate="superseded"), owed(4, fate="dead"), owed(5, fate="pending")]
    found = verdict(rows, came(1))
    assert found.lost == ["e-2", "e-4", "e-5"]
    assert (found.alerts, found.superseded, found.good) == (4, 1, False)


def test_what_came_and_was_not_owed_is_noticed() -> None:
    assert verdict([owed(1)], came(1), came(7)).strange == ["000007"]
    assert verdict([owed(1, fate="superseded")], Arrival(0, ["e-1"], "")).strange == ["e-1"]


def test_a_duplicate_is_counted_and_one_that_changed_is_noticed() -> None:
    same = verdict([owed(1), owed(2)], came(1, 2), came(1, 2))
    assert (same.twice, same.again, same.altered, same.good) == (["e-1", "e-2"], 1, [], True)
    changed = verdict([owed(1)], came(1, body="x"), came(1, body="y"))
    assert (changed.twice, changed.altered, changed.good) == (["e-1"], ["e-1"], False)


def test_order_is_that_of_first_arrivals_within_a_subject() -> None:
    rows = [owed(1), owed(2), owed(3, "b/balance")]
    assert verdict(rows, came(3), came(1), came(2), came(1)).disordered == []
    assert verdict(rows, came(2), came(1), came(3)).disordered == ["e-2"]
    assert verdict(rows, came(2, 1, 3)).good is False


def test_the_slowest_is_the_last_that_waited_when_the_receiver_returned() -> None:
    rows = [owed(1, at=1), owed(2, at=9), owed(3, at=11)]
    arrivals = came(1, at=2), came(2, at=14), came(3, at=30)
    assert verdict(rows, *arrivals, returns=[10.0]).slowest == 4.0
    assert verdict(rows, *arrivals, returns=[10.0, 20.0]).slowest == 10.0


def says(*episodes: str, state: str = "low") -> dict[str, object]:
    """A status in which these stand."""
    entries = [{"account": "a", "quantity": "balance", "state": state, "episode": each} for each in (*episodes, None)]
    return {"accounts": entries}


def held(*episodes: str, severity: str = "warning") -> frozenset[str]:
    return frozenset(f"a/balance {severity} {each}" for each in episodes)


def test_what_stands_and_is_not_held_is_lost_and_what_is_held_and_does_not_stand_is_left_over() -> None:
    found = agreement(lambda: says("e-1", "e-2"), lambda: held("e-2", "e-3"), within=0)
    assert (found.lost, found.left) == (held("e-1"), held("e-3"))
    found = agreement(lambda: says("e-1", state="arrears"), lambda: held("e-1"), within=0)
    assert (found.lost, found.left) == (held("e-1", severity="critical"), held("e-1"))
    assert not judge_level("am", "nothing", set(), [agreement(says, lambda: held("e-1"), within=0)], Counter()).good


def test_a_look_during_which_something_changed_does_not_count() -> None:
    statuses = chain([says("e-1"), says("e-1", "e-2")], repeat(says("e-2")))
    found = agreement(lambda: next(statuses), lambda: held("e-2"), within=0)
    assert (found.lost, found.left) == (held(), held())


def test_an_alert_that_is_not_held_later_on_is_lost_though_all_agreed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.campaign.agreement.AT_ONCE", 0.3)
    looks = chain([held("e-1")] * 2, repeat(held()))
    assert agreement(lambda: says("e-1"), lambda: next(looks), watched=0.8).lost == held("e-1")
    looks = chain([held("e-1")] * 2, [held()], repeat(held("e-1")))
    assert agreement(lambda: says("e-1"), lambda: next(looks), watched=0.8).lost == held()


def test_all_that_stands_may_be_held_before_what_ended_is_gone() -> None:
    looks = chain([held(), held("e-1", "e-0")], repeat(held("e-1")))
    found = agreement(lambda: says("e-1"), lambda: next(looks), within=10)
    assert 0 < found.held < found.agreed < 10


def test_an_end_counts_for_an_alert_that_was_told_to_stand() -> None:
    told = {("e-1", True), ("e-1", False), ("e-2", True), ("e-3", False)}
    slow, fast = Agreement(held(), held(), 2.0, 40.0), Agreement(held(), held(), 3.0, 3.0)
    found = judge_level("am", "nothing", told, [slow, fast], Counter(kill=2))
    assert (found.begun, found.ended, found.held, found.agreed, found.good) == (2, 1, 3.0, 40.0, True)


def test_the_document_is_what_the_command_writes() -> None:
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    rows, levels = re.findall(r"^\| channel .*?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    kills = re.search(r"`kill -9` (\d+) times meanwhile", text)
    sustained = re.search(r"of ([\d,]+) pending alerts the daemon delivered (\d+) a\nsecond", text)
    assert kills is not None
    assert sustained is not None
    pending, speed = int(sustained[1].replace(",", "")), int(sustained[2])
    assert text == filled(rows, levels, int(kills[1]), speed, pending)
    assert speed >= 200
    named = [line.split("`")[1] for table in (rows, levels) for line in table.splitlines()[2:]]
    assert named == list(COUNTERPARTS)


def test_a_page_says_what_was_lost() -> None:
    lost = evolve(verdict([owed(1)], came(1)), lost=["e-9"] * 7, slowest=1.25)
    kept = judge_level("am", "all", {("e-1", True)}, [Agreement(held("e-1"), held("e-2"), 1.0, 2.0)], Counter(kill=2))
    written = page(Outcome([lost], [kept], 3, 1.0), 612.4, 5000)
    assert "| `ops` | nothing |  | 1 | 7 | 0 | 0 | 0 | 1.2 s |" in written
    assert "of 5,000 pending alerts the daemon delivered 612 a\nsecond" in written
    assert "| `am` | all | kill 2 | 1 | 0 | 1 | 1 | 1.0 s | 2.0 s |" in written
