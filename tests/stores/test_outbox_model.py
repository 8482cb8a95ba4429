"""The outbox against a naive model of rules O1 to O6: a list that is searched from the beginning (property P5)."""

from attrs import define, evolve, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from support.stored import message, owing
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.words import Reason
from token_monitor.stores.monitor_db import open_monitor_db

CHANNELS = ["ops", "bus"]
SUBJECTS = ["a/balance", "b/balance", "c/balance"]
REASONS = st.sampled_from([Reason.FIRST, Reason.ESCALATED, Reason.REMINDER, Reason.RECOVERED])
ERRORS = st.sampled_from([ChannelError(scope, "no", ambiguous=maybe) for scope in Scope for maybe in (False, True)])


@define
class Owed:
    """One row of the model."""

    channel: str
    message: Message
    fate: str = "pending"
    attempted_at: float | None = None
    attempting: bool = False
    ambiguous: bool = False
    failures: int = 0
    sent_at: float = field(default=0.0)

    @property
    def known(self) -> bool:
        return self.fate in ("pending", "sent") or self.attempting or self.ambiguous


class OutboxMachine(RuleBasedStateMachine):
    @initialize()
    def begin_empty(self) -> None:
        self.store = open_monitor_db(None)
        self.rows: list[Owed] = []
        self.now = 0.0
        self.serial = dict.fromkeys(SUBJECTS, 0)
        self.episode = dict.fromkeys(SUBJECTS, 0)

    def teardown(self) -> None:
        self.store.close()

    @rule(subject=st.sampled_from(SUBJECTS), reason=REASONS, to=st.sets(st.sampled_from(CHANNELS)))
    def raise_message(self, subject: str, reason: Reason, to: set[str]) -> None:
        self.now += 1
        self.serial[subject] += 1
        raised = message(f"{subject[0]}{self.episode[subject]}-{self.serial[subject]}", reason, subject)
        self.store.commit(owing(raised, to=sorted(to)), self.now)
        for channel in to:
            self.expect(Owed(channel, raised))
        if reason.closes:
            self.episode[subject] += 1

    def expect(self, new: Owed) -> None:
        for row in self.pending(new.channel):
            same = row.message.alert.subject == new.message.alert.subject
            if same and row.message.alert.reason is Reason.REMINDER and row.attempted_at is None:
                row.fate = "superseded"
        episode = new.message.alert.episode
        told = any(row.known for row in self.rows if (row.channel, row.message.alert.episode) == (new.channel, episode))
        if told or not new.message.alert.reason.closes:
            self.rows.append(new)

    @rule(channel=st.sampled_from(CHANNELS), outcome=st.sampled_from(["sent", "dead", "failed", "crash"]), error=ERRORS)
    def attempt(self, channel: str, outcome: str, error: ChannelError) -> None:
        row, delivery = self.next_row(channel), self.store.next_delivery(channel)
        if row is None or delivery is None:
            return
        self.now += 1
        self.store.begin(delivery, self.now)
        row.attempted_at, row.ambiguous, row.attempting = self.now, row.ambiguous or row.attempting, True
        if outcome == "crash":
            return
        row.attempting = False
        if outcome == "sent":
            self.store.sent(delivery, self.now)
            row.fate, row.sent_at = "sent", self.now
            return
        row.ambiguous |= error.ambiguous
        row.failures += error.scope is Scope.RETRY
        delivery = evolve(delivery, failures=row.failures)
        if outcome == "dead":
            self.store.bury(delivery, error, "given up", self.now)
            row.fate = "dead"
        else:
            self.store.failed(delivery, error, self.now)

    @invariant()
    def the_next_of_each_channel_is_that_of_the_model(self) -> None:
        for channel in CHANNELS:
            row, delivery = self.next_row(channel), self.store.next_delivery(channel)
            found = delivery and (delivery.message, delivery.failures, delivery.attempted_at)
            assert found == (row and (row.message, row.failures, row.attempted_at))

    @invariant()
    def without_what_was_refused_it_is_that_of_the_model_too(self) -> None:
        for channel in CHANNELS:
            if head := self.store.next_delivery(channel):
                refused = {(head.row, head.message.alert.id)}
                row, delivery = self.next_row(channel, but=1), self.store.next_delivery(channel, refused=refused)
                assert (delivery and delivery.message) == (row and row.message)

    @invariant()
    def the_backlogs_are_those_of_the_model(self) -> None:
        backlogs = self.store.backlogs()
        for channel in CHANNELS:
            dead = sum(row.fate == "dead" for row in self.rows if row.channel == channel)
            found = backlogs.get(channel)
            assert ((found.pending, found.dead) if found else (0, 0)) == (len(self.pending(channel)), dead)

    @invariant()
    def what_passed_is_that_of_the_model(self) -> None:
        for channel in CHANNELS:
            if delivery := self.store.next_delivery(channel):
                subject = delivery.message.alert.subject
                passed = [row for row in self.rows if row.channel == channel and row.message.alert.subject != subject]
                since = self.now / 2
                assert self.store.passed_since(delivery, since) == sum(
                    row.fate == "sent" and row.sent_at > since for row in passed
                )

    def pending(self, channel: str) -> list[Owed]:
        return [row for row in self.rows if row.channel == channel and row.fate == "pending"]

    def next_row(self, channel: str, but: int = 0) -> Owed | None:
        """The next after `but` others."""
        heads: dict[str, Owed] = {}
        for row in self.pending(channel):
            heads.setdefault(row.message.alert.subject, row)
        order = sorted(heads.values(), key=lambda row: (row.attempted_at or 0.0, self.rows.index(row)))
        return order[but] if len(order) > but else None


TestOutbox = OutboxMachine.TestCase
TestOutbox.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
