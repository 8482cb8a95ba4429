"""Spare credentials of one account, with scripted providers and a clock that stands still."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from attrs import evolve
from structlog.testing import capture_logs

from support.watching import CountingTelemetry, FakeClock, MemoryStore, make_watch, make_world, reading
from token_monitor.app.departed import close_departed
from token_monitor.clock import SteadyClock
from token_monitor.core.alert import Alert
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.failover import FailoverRule
from token_monitor.core.judge import Subject
from token_monitor.core.reading import Reading
from token_monitor.core.rules import Bound, Rule
from token_monitor.core.secret import Secret
from token_monitor.core.words import Kind, Reason, State, Why
from token_monitor.monitor import AccountMonitor
from token_monitor.scheduler import PER_HOST, WORKERS, Scheduler

REJECTED = SourceError(Failure.REJECTED, "HTTP 401: the provider refuses the credential")
THROTTLED = SourceError(Failure.RATE_LIMITED, "HTTP 429: the provider is asked too often")
DOWN = SourceError(Failure.CONNECTION, "no connection")


class Accounts:
    """A source: what it says depends on the credential. A list is a script, of which the last step stays."""

    quantities = ("balance",)
    host = "provider.test"

    def __init__(self, **says: object) -> None:
        self.says = says
        self.asked: list[str] = []
        self.refused: set[str] = set()

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        if credential.reveal() in self.refused:
            raise REJECTED
        label = credential.reveal().partition("-")[0]
        self.asked.append(label)
        said: Any = self.says[label]
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        if callable(said):
            said = said()
        if isinstance(said, BaseException):
            raise said
        return [said if isinstance(said, Reading) else reading(said)]


class Keeping:
    """A store that forgets nothing."""

    def __init__(self, store: MemoryStore) -> None:
        self.subjects, self.commit = store.subjects, store.commit

    def forget(self, accounts_kept: object, before: float) -> None: ...


class Bench:
    """One account with spares, that can be restarted on the same store."""

    def __init__(
        self, rule: FailoverRule | None = None, watch: dict[str, object] | None = None, **says: object
    ) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.telemetry = CountingTelemetry()
        self.source = Accounts(**says)
        self.rule = rule or FailoverRule("balance")
        self.more = watch or {}
        self.published: list[str] = []
        self.on_publish: Callable[[], None] = lambda: None
        self.rotated: dict[str, str] = {}
        self.problem: str | None = None
        self.stopping = False
        self.restart()

    def restart(self) -> None:
        resolve = {label: partial(self.resolve, label) for label in self.source.says}
        watch = make_watch(
            self.source,
            resolve=resolve.pop("primary"),
            spares=resolve,
            failover=self.rule,
            **{"timeout": 5.0, **self.more},
        )
        world = make_world(self.clock, self.store, self.telemetry)
        world = evolve(world, publisher=self, pause=lambda _seconds: self.stopping)
        failover = self.store.failovers().get("facefusion")
        self.monitor = AccountMonitor(watch, world, self.store.subjects(), 0, failover)

    def resolve(self, label: str) -> Secret:
        return Secret(self.rotated.get(label, f"{label}-secret"))

    def begin(self, account: str, active: Callable[[], Secret], others: Sequence[Callable[[], Secret]]) -> None:
        self.published.append(f"{active().reveal()} at first, not {', '.join(other().reveal() for other in others)}")

    def credential(self, account: str, secret: Secret) -> None:
        self.published.append(secret.reveal())

    def replace(self, account: str, secret: Secret) -> str | None:
        self.published.append(f"{secret.reveal()} waited")
        self.on_publish()
        return self.problem

    def changed(self) -> None: ...

    def poll(self, after: float = 300.0) -> float:
        self.clock.advance(after)
        return self.monitor.settle(self.monitor.fetch(scheduled=True))

    @property
    def active(self) -> str:
        return self.monitor.view().credential_label

    @property
    def told(self) -> list[str]:
        return [f"{alert.headline} ({alert.reason})" for alert in self.store.alerts]

    def alert(self, headline: str) -> Alert:
        (found,) = [alert for alert in self.store.alerts if alert.headline == headline]
        return found


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("primary", "why", "first"),
    [
        (0, Why.EXHAUSTED, "Token balance exhausted"),
        (reading(None), Why.EXHAUSTED, "Token balance exhausted"),
        (reading(9, available=False), Why.EXHAUSTED, "Token balance exhausted"),
        (-3, Why.ARREARS, "Token balance in arrears"),
        (REJECTED, Why.REJECTED, "Credential rejected"),
    ],
)
def test_a_credential_that_can_pay_no_more_is_left_at_once(primary: object, why: Why, first: str) -> None:
    bench = Bench(primary=primary, spare1=100)
    bench.poll()
    assert bench.active == "spare1"
    assert bench.told == [
        f"{first} (first)",
        "Credential switched (first)",
        "Token alert closed (credential_switched)",
    ]
    switched = bench.alert("Credential switched")
    assert switched.level == "warning"
    assert switched.subject == "facefusion/credential"
    fields = switched.fields()
    assert (fields["credential_from"], fields["credential_to"], fields["credential_why"]) == ("primary", "spare1", why)
    [switch] = bench.store.switches
    assert (switch.origin, switch.target, switch.why, switch.dry_run) == ("primary", "spare1", why, False)


def test_the_new_credential_is_asked_from_then_on_and_after_a_restart_too() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    bench.poll()  # looks at all of them once
    bench.source.asked.clear()
    bench.poll()
    assert bench.source.asked == ["spare1"]
    bench.restart()
    bench.source.asked.clear()
    bench.clock.advance(300)
    bench.monitor.fetch(scheduled=True)
    assert bench.source.asked == ["spare1"]
    [view] = bench.monitor.view().quantities
    assert (view.state, view.balance) == (State.OK, 100)
    assert len(bench.told) == 3


def test_a_switch_takes_one_poll_and_asks_the_two_concerned_twice() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    assert sorted(bench.source.asked) == ["primary", "primary", "spare1", "spare1"]


def test_a_balance_below_the_failover_threshold_is_left_too_and_a_spare_below_it_is_passed_over() -> None:
    bench = Bench(FailoverRule("balance", Bound(Decimal(20))), primary=15, spare1=19, spare2=21)
    bench.poll()
    assert bench.active == "spare2"
    assert bench.told == ["Credential switched (first)"]
    assert bench.store.switches[0].why is Why.BELOW


def test_a_credential_that_will_soon_be_empty_is_left_for_one_that_lasts_longer_and_not_returned_to_before() -> None:
    bench = Bench(FailoverRule("balance", runway=3600.0, back=True), primary=200, spare1=90, spare2=1000)
    for left in (195, 190, 185, 180):
        bench.source.says["primary"] = left
        bench.poll()
    assert bench.active == "primary"
    bench.source.says["primary"] = 110  # 85 in 20 minutes, so 26 minutes are left
    bench.poll()
    assert (bench.active, bench.store.switches[0].why) == ("spare2", Why.RUNWAY)
    for left in (990, 980, 960, 940):
        bench.source.says["spare2"] = left
        bench.poll()
    assert bench.active == "spare2"  # the primary would last as short as before
    bench.source.says["primary"] = 1000
    bench.poll()
    bench.poll()
    assert bench.active == "primary"


def test_a_night_without_spending_leads_nobody_back_to_a_primary_that_would_not_last() -> None:
    bench = Bench(FailoverRule("balance", runway=4 * 3600.0, back=True), primary=1000, spare1=100_000)
    left = {"primary": 1000, "spare1": 100_000}
    for number in range(3 * 288):
        if number // 144 % 2 == 0:  # twelve hours of spending, twelve of none
            left[bench.active] -= 10
        bench.source.says |= left
        bench.poll()
    assert [switch.target for switch in bench.store.switches] == ["spare1"]


@pytest.mark.parametrize("bad", [0, -1, REJECTED, DOWN, reading(None), reading(5, available=False), KeyError("x")])
def test_a_spare_that_is_not_healthy_is_passed_over(bad: object) -> None:
    bench = Bench(primary=0, spare1=bad, spare2=50)
    bench.poll()
    assert bench.active == "spare2"


def test_a_failed_poll_is_no_reason_to_switch() -> None:
    bench = Bench(primary=DOWN, spare1=100)
    for _ in range(6):
        bench.poll()
    assert bench.active == "primary"
    assert "spare1" not in bench.source.asked


def test_one_reading_alone_switches_nothing() -> None:
    bench = Bench(primary=[0, 100], spare1=100)
    with capture_logs() as logs:
        bench.poll()
    assert bench.active == "primary"
    assert [line["event"] for line in logs if line["log_level"] == "info"] == ["Credential failed once, not twice"]
    assert bench.store.switches == []


@pytest.mark.parametrize("bad", [0, REJECTED])
def test_a_second_reading_that_gives_no_answer_is_made_up_for_by_the_next_poll(bad: object) -> None:
    bench = Bench(primary=[bad, THROTTLED], spare1=100)
    bench.poll()
    assert bench.active == "primary"
    bench.poll()  # nothing is known
    bench.source.says["primary"] = [bad, DOWN]
    bench.poll()
    assert bench.active == "spare1"
    [view] = bench.monitor.view().quantities
    assert (view.balance, view.error) == (100, None)


def test_a_good_reading_in_between_takes_back_the_bad_one() -> None:
    bench = Bench(primary=[0, THROTTLED, 100, 0, THROTTLED], spare1=100)
    for _ in range(4):
        bench.poll()
    assert bench.active == "primary"
    bench = Bench(primary=[0, 100, 0, THROTTLED], spare1=100)  # the good one is a second reading
    for _ in range(2):
        bench.poll()
    assert bench.active == "primary"


def test_a_spare_that_answers_only_once_a_poll_is_changed_to_at_the_second_poll() -> None:
    bench = Bench(primary=0, spare1=[100, THROTTLED, 90, THROTTLED])
    bench.poll()
    assert bench.active == "primary"
    bench.poll()
    assert bench.active == "spare1"
    [view] = bench.monitor.view().quantities
    assert (view.balance, view.error) == (90, None)


def test_a_spare_that_fails_the_second_time_gives_way_to_the_next() -> None:
    bench = Bench(primary=0, spare1=[100, 0], spare2=100)
    bench.poll()
    assert bench.active == "spare2"


def test_a_spare_that_fails_the_second_time_gives_way_to_one_that_was_slower_to_answer() -> None:
    failed = threading.Event()

    def fails() -> int:
        failed.set()
        return 0

    bench = Bench(primary=0, spare1=[100, fails], spare2=lambda: 100 if failed.wait(4) else REJECTED)
    bench.poll()
    assert bench.active == "spare2"


def test_with_all_of_them_bad_there_is_one_critical_alert_and_its_end() -> None:
    bench = Bench(primary=0, spare1=0, spare2=REJECTED)
    for _ in range(4):
        bench.poll()
    assert bench.told == ["Token balance exhausted (first)", "No healthy credential (first)"]
    none = bench.alert("No healthy credential")
    assert (none.kind, none.level, none.subject) == (Kind.CREDENTIAL, "critical", "facefusion/credential")
    text = bench.store.messages[1][0].text
    assert "primary: exhausted, spare1: exhausted, spare2: rejected" in text
    assert bench.monitor.view().credential is State.EXHAUSTED
    bench.source.says["spare1"] = 100
    bench.poll()
    assert bench.told[2:] == [
        "Credential switched (first)",
        "Token alert closed (credential_switched)",
        "Credential accepted (recovered)",
    ]
    assert bench.monitor.view().credential is State.OK


LOW = Bound(Decimal(5))


def remarks(logs: Sequence[Any]) -> list[object]:
    return [line["found"] for line in logs if line["event"] == "No better credential"]


@pytest.mark.parametrize("spare", [0, -1, REJECTED, DOWN, 3])
def test_a_low_credential_that_can_pay_is_used_on_without_an_alert_while_no_other_is_better(spare: object) -> None:
    bench = Bench(FailoverRule("balance", LOW), primary=4, spare1=spare)
    with capture_logs() as logs:
        for _ in range(3):
            bench.poll()
    assert (bench.active, bench.told) == ("primary", ["Token balance low (first)"])
    assert bench.monitor.view().credential is State.OK
    [found] = remarks(logs)
    assert str(found).startswith("primary: below, spare1: ")


def test_a_short_runway_that_no_other_credential_makes_longer_is_no_alert() -> None:
    bench = Bench(FailoverRule("balance", runway=86400.0), primary=815, spare1=850)
    with capture_logs() as logs:
        for left in (812, 809, 806, 803, 800):
            bench.source.says["primary"] = left
            bench.poll()
    assert (bench.active, bench.told) == ("primary", [])
    assert bench.monitor.view().credential is State.OK
    assert remarks(logs) == ["primary: runway, spare1: runway"]


def test_that_none_is_better_is_in_the_log_again_only_when_it_changed_or_had_ended() -> None:
    bench = Bench(FailoverRule("balance", LOW), primary=4, spare1=0)
    with capture_logs() as logs:
        for primary, spare in ((4, 0), (DOWN, 0), (4, 0), (4, REJECTED), (4, REJECTED), (100, REJECTED), (4, REJECTED)):
            bench.source.says |= {"primary": primary, "spare1": spare}
            bench.poll()
    rejected = "primary: below, spare1: rejected"
    assert remarks(logs) == ["primary: below, spare1: exhausted", rejected, rejected]


def test_when_the_low_one_is_used_up_and_all_spares_are_bad_the_alert_comes_at_once_and_ends_when_one_can_pay() -> None:
    bench = Bench(FailoverRule("balance", LOW), primary=4, spare1=0)
    bench.poll()
    bench.source.says["primary"] = 0
    bench.poll()
    assert bench.told[1:] == ["Token balance exhausted (escalated)", "No healthy credential (first)"]
    bench.source.says["primary"] = 2
    bench.poll()
    assert bench.told[3:] == ["Credential accepted (recovered)"]


def test_a_merely_low_spare_that_was_changed_to_in_need_is_not_called_useless_afterwards() -> None:
    bench = Bench(FailoverRule("balance", LOW), primary=0, spare1=4)
    with capture_logs() as logs:
        for _ in range(3):
            bench.poll()
    assert bench.active == "spare1"
    assert "No healthy credential (first)" not in bench.told
    assert bench.monitor.view().credential is State.OK
    assert remarks(logs) == ["primary: exhausted, spare1: below"]


def test_a_credential_that_pays_again_at_the_second_reading_is_not_left_for_another_low_one() -> None:
    bench = Bench(FailoverRule("balance", LOW), primary=[0, 4], spare1=3)
    bench.poll()
    assert (bench.active, bench.told) == ("primary", ["Token balance exhausted (first)"])


def test_spares_that_give_no_answer_are_bad_news_only_when_the_next_poll_finds_the_same() -> None:
    bench = Bench(primary=0, spare1=DOWN, spare2=REJECTED)
    with capture_logs() as logs:
        bench.poll()
    [line] = [line for line in logs if line["event"] == "No other credential found yet"]
    assert line["found"] == "primary: exhausted, spare1: not known (no connection), spare2: rejected"
    assert bench.told == ["Token balance exhausted (first)"]
    bench.source.says["primary"] = THROTTLED
    bench.poll()
    assert len(bench.told) == 1
    bench.source.says["primary"] = 0
    for _ in range(2):
        bench.poll()
    assert bench.told[1:] == ["No healthy credential (first)"]
    assert f"What was found: {line['found']}." in bench.store.messages[-1][0].text
    bench.source.says["spare1"] = 100
    bench.poll()
    assert bench.told[-1] == "Credential accepted (recovered)"


def test_spares_that_give_no_answer_once_and_later_once_more_are_no_news() -> None:
    bench = Bench(primary=0, spare1=DOWN)
    bench.poll()
    bench.source.says["primary"] = 100
    bench.poll()
    bench.source.says["primary"] = 0
    bench.poll()
    assert "No healthy credential (first)" not in bench.told


def test_a_healthy_spare_that_could_not_be_asked_twice_in_time_is_not_called_bad() -> None:
    bench = Bench(primary=0, spare1=100)

    def slow() -> Reading:
        bench.clock.advance(11)  # the timeout is 5
        return reading(100)

    bench.source.says["spare1"] = [slow, THROTTLED]
    with capture_logs() as logs:
        bench.poll()
    assert [line["found"] for line in logs if "found" in line] == ["primary: exhausted, spare1: not known"]
    bench.source.says["spare1"] = [100, THROTTLED]
    bench.poll()
    assert (bench.active, bench.told[1:2]) == ("spare1", ["Credential switched (first)"])


def test_the_alert_about_all_of_them_also_ends_when_the_active_one_is_topped_up() -> None:
    bench = Bench(primary=0, spare1=0)
    bench.poll()
    bench.source.says["primary"] = 100
    bench.poll()
    assert bench.told[2:] == ["Token balance recovered (recovered)", "Credential accepted (recovered)"]
    assert bench.store.messages[-1][0].text == "[INFO] facefusion: a credential can be used again."
    assert bench.active == "primary"


def test_the_primary_is_returned_to_only_if_that_is_wanted_and_when_it_is_healthy_at_two_polls() -> None:
    for back, ends_on in ((False, "spare1"), (True, "primary")):
        bench = Bench(FailoverRule("balance", back=back), primary=0, spare1=100)
        bench.poll()
        bench.source.says["primary"] = 500
        bench.poll()
        assert bench.active == "spare1"
        bench.poll()
        assert bench.active == ends_on
        assert [switch.why for switch in bench.store.switches] == [Why.EXHAUSTED, Why.TOPPED_UP][: 1 + back]


def test_a_primary_whose_balance_comes_and_goes_is_not_returned_to() -> None:
    bench = Bench(FailoverRule("balance", back=True), primary=0, spare1=100)
    for seen in (1, 0, 1, DOWN, 1, 0, 1, REJECTED, 1):
        bench.poll()
        bench.source.says["primary"] = seen
    assert (bench.active, len(bench.store.switches)) == ("spare1", 1)


def test_a_return_takes_two_polls_after_a_restart_too() -> None:
    bench = Bench(FailoverRule("balance", back=True), primary=0, spare1=100)
    bench.poll()
    bench.source.says["primary"] = 500
    bench.poll()
    bench.restart()
    bench.poll()
    assert bench.active == "spare1"
    bench.poll()
    assert bench.active == "primary"


def test_a_top_up_of_the_primary_rescues_when_nothing_else_is_left_even_if_it_is_not_returned_to() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    bench.source.says |= {"primary": 500, "spare1": 0}
    bench.poll()
    assert bench.active == "primary"


def test_a_switch_is_no_recovery_and_no_top_up() -> None:
    """Rule J13."""
    bench = Bench(FailoverRule("balance", back=True, dwell=0), primary=[2, 0, 0], spare1=5)
    bench.poll()
    bench.poll()
    assert [alert.reason for alert in bench.store.alerts if alert.kind is Kind.ACCOUNT] == [
        Reason.FIRST,  # critical on the primary
        Reason.ESCALATED,  # exhausted
        Reason.CREDENTIAL_SWITCHED,
        Reason.FIRST,  # low on the spare
    ]
    of_spare = bench.store.alerts[-1]
    assert (of_spare.label, of_spare.subject) == ("spare1", "facefusion/balance")
    assert of_spare.fields()["credential_label"] == "spare1"
    assert bench.store.messages[-1][0].text.startswith("[WARNING] facefusion (spare1): 5 calls left")
    states = bench.store.states
    left = states[Subject(Kind.ACCOUNT, "facefusion", "balance", "primary")]
    used = states[Subject(Kind.ACCOUNT, "facefusion", "balance", "spare1")]
    assert left.standing.episode is None
    assert set(left.standing.last) == {State.CRITICAL, State.EXHAUSTED}
    assert set(used.standing.last) == {State.LOW}
    assert Reason.RECOVERED not in {alert.reason for alert in bench.store.alerts}


def test_the_stamps_of_a_credential_are_there_when_it_is_used_again() -> None:
    bench = Bench(FailoverRule("balance", back=True, dwell=0), primary=0, spare1=100)
    bench.poll(after=60)
    bench.source.says["primary"] = 100
    bench.poll(after=60)
    bench.poll(after=60)
    assert bench.active == "primary"
    bench.source.says |= {"primary": 0, "spare1": 0}
    bench.poll(after=60)
    exhausted = [alert for alert in bench.store.alerts if alert.state is State.EXHAUSTED and alert.kind is Kind.ACCOUNT]
    assert len(exhausted) == 1  # within the cooldown it is not said again


def test_two_switches_are_never_nearer_than_the_dwell() -> None:
    bench = Bench(FailoverRule("balance", dwell=60), primary=0, spare1=[100, 100, 0], spare2=100)
    bench.poll()
    bench.poll(after=59)
    assert bench.active == "spare1"
    bench.poll(after=1)
    assert bench.active == "spare2"


def test_a_dry_run_says_what_it_would_do_once_and_does_nothing() -> None:
    bench = Bench(FailoverRule("balance", dry_run=True), primary=0, spare1=100)
    with capture_logs() as logs:
        for _ in range(3):
            bench.poll()
    said = [line for line in logs if line["event"] == "Credential would be switched, this is a dry run"]
    assert len(said) == 1
    assert (said[0]["credential_from"], said[0]["credential_to"]) == ("primary", "spare1")
    assert bench.active == "primary"
    assert bench.told == ["Token balance exhausted (first)"]
    assert [switch.dry_run for switch in bench.store.switches] == [True]
    assert set(bench.published) == {"primary-secret"}


def test_a_dry_run_says_it_again_after_a_restart_only_if_it_happened_again() -> None:
    bench = Bench(FailoverRule("balance", dry_run=True), primary=0, spare1=100)
    bench.poll()
    bench.restart()
    bench.poll()
    assert len(bench.store.switches) == 1
    bench.source.says["primary"] = 100
    bench.poll()
    bench.restart()
    bench.source.says["primary"] = 0
    bench.poll()
    assert len(bench.store.switches) == 2


def test_a_dry_run_says_once_that_it_would_return_to_the_primary() -> None:
    bench = Bench(FailoverRule("balance", back=True), primary=0, spare1=100)
    bench.poll()
    bench.source.says["primary"] = 500
    bench.rule = evolve(bench.rule, dry_run=True)
    bench.restart()
    for _ in range(4):
        bench.poll()
    assert [(switch.why, switch.dry_run) for switch in bench.store.switches] == [
        (Why.EXHAUSTED, False),
        (Why.TOPPED_UP, True),
    ]


def test_spares_that_share_a_balance_are_said_to_once_and_shown() -> None:
    bench = Bench(FailoverRule("balance", Bound(Decimal(5))), primary=0, spare1=100, spare2=100)
    bench.poll()
    bench.source.says |= {"spare1": 4, "spare2": 4}
    with capture_logs() as logs:
        for _ in range(3):
            bench.poll()
    said = [line["credential_labels"] for line in logs if line["event"] == "Credentials share one balance"]
    assert said == [("spare1", "spare2")]
    assert bench.monitor.view().shared == (("spare1", "spare2"),)
    bench.source.says |= {"spare1": 0, "spare2": 0}
    bench.poll()
    assert bench.told[-1] == "No healthy credential (first)"
    assert "spare1 and spare2 share one balance" in bench.store.messages[-1][0].text
    bench.restart()
    assert bench.monitor.view().shared == (("spare1", "spare2"),)


def test_a_spare_that_hangs_holds_nobody_up_for_longer_than_one_timeout() -> None:
    release = threading.Event()

    def hang() -> Reading:
        release.wait(30)
        return reading(100)

    bench = Bench(watch={"timeout": 0.2}, primary=0, spare1=hang, spare2=100)
    try:
        bench.poll()
        assert bench.active == "spare2"
        assert bench.source.asked.count("spare1") == 1
        bench.source.says |= {"spare2": 0}
        bench.poll()
        assert bench.source.asked.count("spare1") == 1  # it is not asked again while it hangs
    finally:
        release.set()


def test_a_healthy_spare_is_not_kept_waiting_by_one_after_it() -> None:
    release = threading.Event()

    def hang() -> Reading:
        release.wait(30)
        return reading(100)

    bench = Bench(watch={"timeout": 30.0}, primary=0, spare1=100, spare2=hang)
    try:
        bench.poll()
        assert bench.active == "spare1"
    finally:
        release.set()


def test_after_the_start_a_spare_that_would_be_none_is_named_before_it_is_needed() -> None:
    bench = Bench(primary=100, spare1=REJECTED, spare2=0, spare3=70)
    with capture_logs() as logs:
        bench.poll()
        bench.poll()
    said = {
        line["credential_label"]: line["health"] for line in logs if line["event"] == "Spare credential cannot be used"
    }
    assert said == {"spare1": "rejected", "spare2": "exhausted"}
    assert bench.source.asked.count("spare3") == 1
    bench.poll(after=86400)
    assert bench.source.asked.count("spare3") == 2
    assert bench.told == []


def test_an_account_without_spares_asks_nothing_more_than_before() -> None:
    bench = Bench(primary=0)
    bench.poll()
    bench.poll()
    assert bench.source.asked == ["primary", "primary"]
    assert bench.told == ["Token balance exhausted (first)"]


REMOVED = "Credential switched (first)", "spare1", "primary", Why.REMOVED


def without_spare1(rule: FailoverRule | None = None) -> Bench:
    """Started again after spare1, which was in use, was taken out of the settings. Nothing told or published since."""
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    del bench.source.says["spare1"]
    bench.source.says |= {"primary": 100, "paul": 100}
    bench.rule = rule or bench.rule
    bench.restart()
    bench.monitor.start()
    bench.store.messages.clear()
    bench.store.switches.clear()
    bench.published.clear()
    return bench


def switches(bench: Bench) -> list[tuple[str, str, str, Why]]:
    """Those told, each of which must be in the audit too."""
    told = [alert for alert in bench.store.alerts if alert.switch is not None]
    assert [alert.switch for alert in told] == bench.store.switches
    return [
        (f"{alert.headline} ({alert.reason})", alert.switch.origin, alert.switch.target, alert.switch.why)
        for alert in told
        if alert.switch is not None
    ]


def test_a_label_that_left_the_settings_gives_way_to_the_primary() -> None:
    with capture_logs() as logs:
        bench = without_spare1()
    assert "Credential no longer in the settings" in [line["event"] for line in logs]
    assert bench.store.failovers()["facefusion"].label == "primary"
    bench.poll()
    assert bench.active == "primary"


@pytest.mark.parametrize("rule", [None, FailoverRule("balance", dry_run=True)])
def test_a_credential_that_was_removed_is_left_by_a_switch_that_is_told_once_its_file_has_the_other(
    rule: FailoverRule | None,
) -> None:
    bench = without_spare1(rule)
    told_when_published: list[int] = []
    bench.on_publish = lambda: told_when_published.append(len(bench.store.messages))
    bench.poll()
    assert switches(bench) == [REMOVED]
    assert bench.published == ["primary-secret waited", "primary-secret"]
    assert told_when_published == [0]
    [message, channels] = bench.store.messages[0]
    assert channels == bench.monitor.watch.channels
    assert "switched from credential spare1 to primary, because spare1 is no longer in the settings" in message.text
    bench.restart()
    bench.poll()
    assert switches(bench) == [REMOVED]


def test_what_the_provider_refuses_does_not_take_the_place_of_a_credential_that_was_removed() -> None:
    bench = without_spare1()
    bench.source.says |= {"primary": REJECTED, "paul": 0}
    for _ in range(2):
        bench.poll()
    assert (switches(bench), [said for said in bench.published if "waited" in said]) == ([], [])
    bench.restart()
    bench.source.says["primary"] = 100
    bench.poll()
    assert switches(bench) == [REMOVED]


def test_a_removed_credential_whose_heir_cannot_pay_is_followed_by_the_one_that_can() -> None:
    for bad in (0, REJECTED):
        bench = without_spare1()
        bench.source.says["primary"] = bad
        bench.poll()
        why = Why.EXHAUSTED if bad == 0 else Why.REJECTED
        assert switches(bench) == [REMOVED, ("Credential switched (first)", "primary", "paul", why)]
        assert bench.published == ["paul-secret waited", "paul-secret"]
        assert not any(state.standing.episode for state in bench.store.states.values())
        bench.restart()
        bench.poll()
        assert (bench.active, len(switches(bench))) == ("paul", 2)


def test_the_switch_from_a_removed_credential_waits_for_its_file_and_for_the_store() -> None:
    bench = without_spare1()
    bench.problem = FULL
    with capture_logs() as logs:
        bench.poll()
        bench.poll()
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [(line["error"], line["credential_from"], line["credential_why"]) for line in errors] == [
        (FULL, "spare1", "removed")
    ]
    bench.problem = None
    commit = bench.store.commit

    def refuse(*_: object) -> None:
        raise RuntimeError("no")

    bench.store.commit = refuse  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        bench.poll()
    assert switches(bench) == []
    bench.store.commit = commit  # type: ignore[method-assign]
    bench.restart()
    bench.poll()
    assert switches(bench) == [REMOVED]


def test_where_all_spares_were_removed_that_is_told_too() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    bench.source.says = {"primary": 100}
    bench.restart()
    bench.monitor.start()
    bench.poll()
    assert switches(bench)[1:] == [REMOVED]


def test_what_was_open_for_a_credential_that_left_the_settings_is_closed() -> None:
    bench = Bench(FailoverRule("balance", dwell=0), primary=0, spare1=5)
    bench.poll()
    bench.source.says["spare1"] = REJECTED
    bench.poll()
    assert bench.told[3:] == [
        "Token balance low (first)",
        "Credential rejected (first)",
        "No healthy credential (first)",
    ]
    watch = make_watch(bench.source)
    close_departed({"facefusion": watch}, Keeping(bench.store), bench.clock.now(), lambda _: ["stdout"])
    assert sorted(bench.told[6:]) == [
        "Token alert closed (credential_switched)",
        "Token alert closed (credential_switched)",
        "Token alert closed (rule_changed)",
    ]


def test_the_new_credential_is_published_before_anybody_is_told() -> None:
    bench = Bench(primary=0, spare1=100)
    messages_when_published: list[int] = []
    bench.on_publish = lambda: messages_when_published.append(len(bench.store.messages))
    bench.poll()
    assert bench.published == ["spare1-secret waited", "spare1-secret"]
    assert messages_when_published == [0]


FULL = "/shared/credential cannot be written: No space left on device"


def test_no_switch_is_made_or_told_whose_credential_cannot_be_published_and_it_is_tried_again() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.problem = FULL
    with capture_logs() as logs:
        bench.poll()
        bench.poll()
    assert (bench.active, bench.store.switches) == ("primary", [])
    assert bench.published == ["spare1-secret waited", "primary-secret"] * 2
    errors = [line for line in logs if line["log_level"] == "error"]
    assert [(line["event"], line["error"], line["credential_to"]) for line in errors] == [
        ("Credential not switched", FULL, "spare1")
    ]
    bench.problem = None
    bench.poll()
    assert bench.active == "spare1"
    assert bench.told[2:] == [
        "Credential switched (first)",
        "Token alert closed (credential_switched)",
        "Credential accepted (recovered)",
    ]


def test_people_are_told_when_the_active_one_cannot_pay_and_the_file_of_another_cannot_be_written() -> None:
    bench = Bench(FailoverRule("balance", Bound(Decimal(5))), primary=4, spare1=100)
    bench.problem = FULL
    bench.poll()
    assert bench.told == ["Token balance low (first)"]  # it can still pay
    bench.source.says["primary"] = 0
    bench.poll()
    assert bench.told[1:] == ["Token balance exhausted (escalated)", "No healthy credential (first)"]
    text = bench.store.messages[-1][0].text
    assert f"What was found: primary: exhausted, spare1: healthy; but {FULL}." in text
    bench.source.says["primary"] = 100
    bench.poll()
    assert bench.told[-1] == "Credential accepted (recovered)"


def test_a_return_that_cannot_be_published_says_nothing_of_the_credential_in_use() -> None:
    bench = Bench(FailoverRule("balance", back=True), primary=0, spare1=100)
    bench.poll()
    bench.source.says["primary"] = 500
    bench.problem = FULL
    for _ in range(3):
        bench.poll()
    assert bench.active == "spare1"
    assert "No healthy credential (first)" not in bench.told


def test_a_switch_that_the_end_of_the_program_cuts_short_is_nobodys_fault() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.problem, bench.stopping = "/shared/credential cannot be written: token-monitor is stopping", True
    with capture_logs() as logs:
        bench.poll()
    assert bench.told == ["Token balance exhausted (first)"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []


def test_at_the_start_what_the_store_remembers_is_published() -> None:
    bench = Bench(primary=0, spare1=100)
    bench.poll()
    bench.published.clear()
    bench.restart()
    bench.monitor.start()
    bench.source.says["spare1"] = DOWN
    bench.poll()
    bench.source.says["spare1"] = 100
    bench.poll()
    not_taken_yet = "spare1-secret at first, not primary-secret"
    assert bench.published == [not_taken_yet, not_taken_yet, "spare1-secret"]


def test_a_rotated_credential_is_published_when_the_provider_has_taken_it_and_not_before() -> None:
    bench = Bench(primary=50, spare1=100)
    bench.poll()
    bench.rotated["primary"] = "primary-wrong"
    bench.poll()
    bench.source.refused |= {"primary-secret", "primary-wrong"}
    bench.source.says["spare1"] = 0
    bench.poll()
    assert bench.active == "primary"
    assert set(bench.published) == {"primary-secret"}
    bench.rotated["primary"] = "primary-new"
    bench.poll()
    assert bench.published[-1] == "primary-new"


def test_a_spare_is_published_as_the_provider_took_it() -> None:
    bench = Bench(primary=100, spare1=100)
    bench.poll()  # looks at all of them
    bench.source.refused.add("spare1-secret")
    bench.rotated["spare1"] = "spare1-new"
    bench.source.says["primary"] = 0
    bench.on_publish = lambda: bench.rotated.update(spare1="spare1-wrong")
    bench.poll()
    assert bench.published[-2:] == ["spare1-new waited", "spare1-new"]


def test_a_store_that_fails_leaves_the_old_credential_in_use_and_it_is_published_again() -> None:
    bench = Bench(primary=0, spare1=100)

    def refuse(*_: object) -> None:
        raise RuntimeError("no")

    bench.store.commit = refuse  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        bench.poll()
    assert bench.active == "primary"
    del bench.store.commit
    bench.source.says["primary"] = DOWN
    bench.poll()
    assert bench.published[-1] == "primary-secret"
    assert bench.store.switches == []


def test_a_percentage_of_a_spare_that_reports_no_limit_makes_it_unreadable_and_nothing_worse() -> None:
    rules = {"balance": Rule(Bound(Decimal(15), percent=True))}
    full = reading(90, limit=Decimal(100))
    bench = Bench(watch={"rules": rules}, primary=reading(0, limit=Decimal(100)), spare1=90, spare2=full)
    bench.poll()
    assert bench.active == "spare2"


class Hanging:
    """A credential that gives no answer before `release`."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def answer(self) -> Reading:
        self.release.wait(30)
        return reading(100)

    @contextmanager
    def asked_by(self, scheduler: Scheduler) -> Iterator[None]:
        thread = threading.Thread(target=scheduler.run)
        thread.start()
        try:
            yield
        finally:
            self.release.set()
            scheduler.stop()
            thread.join(5)


def test_accounts_that_look_for_another_credential_do_not_fail_the_polls_of_others() -> None:
    clock, store, telemetry = SteadyClock(), MemoryStore(), CountingTelemetry()
    world, spare = make_world(clock, store, telemetry), Hanging()
    monitors = []
    for number in range(WORKERS + 1):
        source = Accounts(primary=0 if number < WORKERS else 50, spare1=spare.answer)
        source.host = f"host{number}"
        watch = make_watch(
            source,
            f"a{number:02}",
            resolve=lambda: Secret("primary-secret"),
            spares={"spare1": lambda: Secret("spare1-secret")} if number < WORKERS else {},
            failover=FailoverRule("balance"),
        )
        monitors.append(AccountMonitor(watch, world, {}, 0))
    scheduler = Scheduler(monitors, lambda: clock.now().steady)
    with spare.asked_by(scheduler):
        last = f"a{WORKERS:02}"
        eventually(lambda: sum("spare1" in monitor.watch.source.asked for monitor in monitors) == WORKERS)
        scheduler.poll_now(last)
        assert telemetry.outcomes(last) == []
        spare.release.set()
        telemetry.wait_for(lambda seen: seen.outcomes(last) != [])
        assert telemetry.outcomes(last) == ["ok"]


def test_only_so_many_accounts_of_one_host_look_for_another_credential_at_the_same_time() -> None:
    clock, store, telemetry = SteadyClock(), MemoryStore(), CountingTelemetry()
    world, spare = make_world(clock, store, telemetry), Hanging()
    asked: list[str] = []
    monitors = []
    for number in range(3 * PER_HOST):
        source = Accounts(primary=0, spare1=spare.answer)
        source.asked = asked
        spares = {"spare1": lambda: Secret("spare1-secret")}
        watch = make_watch(
            source, f"a{number:02}", resolve=lambda: Secret("primary-secret"), spares=spares,
            failover=FailoverRule("balance"),
        )  # fmt: skip
        monitors.append(AccountMonitor(watch, world, {}, 0))
    elsewhere = Accounts(primary=50)
    elsewhere.host = "elsewhere.test"
    last = make_watch(elsewhere, "last", resolve=lambda: Secret("primary-secret"))
    scheduler = Scheduler([*monitors, AccountMonitor(last, world, {}, 0)], lambda: clock.now().steady)
    with spare.asked_by(scheduler):
        eventually(lambda: asked.count("spare1") >= PER_HOST and telemetry.outcomes("last") == ["ok"])
        assert sorted(asked) == ["primary"] * PER_HOST + ["spare1"] * PER_HOST
        spare.release.set()
        telemetry.wait_for(lambda seen: len(seen.polls) == 3 * PER_HOST + 1)
        assert len(store.switches) == 3 * PER_HOST
