"""Mail to several recipients, some of whom are refused for now."""

import time
from collections.abc import Callable, Iterator, Sequence
from email import message_from_bytes

import pytest

from support.clock import FakeClock
from support.mail_server import MailServer
from support.messages import low
from support.tools import make_tools
from token_monitor.channels import recipients
from token_monitor.channels.email import Email, EmailChannel, Security
from token_monitor.channels.recipients import MOST, PATIENCE, Latecomers, Refused
from token_monitor.channels.smtp import Code
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.mail import Mailbox
from token_monitor.core.message import Message

OPS, NIGHT, EVE = "ops@example.com", "night@example.com", "eve@example.com"
GREYLISTED, FULL = Code(450, "4.2.0"), Code(452, "4.2.2")


class Logged(list[tuple[str, str]]):
    """What is logged as incomplete: ids and reasons."""

    def take(self, message: str, reason: str) -> None:
        self.append((message, reason))


@pytest.fixture
def logged() -> Logged:
    return Logged()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def mail(server: MailServer, clock: FakeClock, logged: Logged) -> Iterator[EmailChannel]:
    to = [Mailbox(address) for address in (OPS, NIGHT, EVE)]
    settings = Email("127.0.0.1", Mailbox("monitor@example.com"), to, Security.NONE, server.port)
    made = EmailChannel(settings, make_tools(clock=clock, incomplete=logged.take))
    yield made
    made.close()


def refusing(answer: str, *addresses: str) -> Callable[[str], str]:
    return lambda to: answer if to in addresses else "250 OK"


def got(server: MailServer, address: str) -> list[str]:
    """The ids of what it got, in order."""
    contents = [mail.content for mail in server.mails if address in mail.rcpt_tos]
    ids = [message_from_bytes(content)["Message-ID"] for content in contents if isinstance(content, bytes)]
    return [name.strip("<").partition("@")[0] for name in ids]


def test_who_is_refused_for_now_gets_all_of_it_later_in_order_and_nobody_waits_or_gets_it_twice(
    server: MailServer, mail: EmailChannel, logged: Logged
) -> None:
    server.answers["RCPT"] = refusing("450 4.2.0 Greylisted", NIGHT)
    assert mail.send(low()).endswith(" answered 250; it does not take it yet for night@example.com (450 4.2.0)")
    mail._latecomers.retry()
    server.answers.clear()
    mail.send(low(number=2))
    assert (got(server, OPS), got(server, NIGHT)) == (["e-1", "e-2"], [])
    mail._latecomers.retry()
    assert got(server, NIGHT) == ["e-1", "e-2"]
    assert mail.send(low(number=3)).endswith(" answered 250")
    assert got(server, OPS) == got(server, NIGHT) == got(server, EVE) == ["e-1", "e-2", "e-3"]
    assert logged == []


def test_one_who_may_be_told_again_does_not_wait_for_another_who_may_not(
    server: MailServer, mail: EmailChannel
) -> None:
    server.answers["RCPT"] = refusing("450 4.2.0 Greylisted", NIGHT, EVE)
    mail.send(low())
    mail.send(low(number=2))
    server.answers["RCPT"] = refusing("450 4.2.0 Greylisted", NIGHT)
    mail._latecomers.retry()
    assert (got(server, EVE), got(server, NIGHT)) == (["e-1", "e-2"], [])
    server.answers.clear()
    mail._latecomers.retry()
    assert got(server, EVE) == got(server, NIGHT) == got(server, OPS) == ["e-1", "e-2"]


def test_a_mailbox_that_stays_full_delays_nobody_and_every_message_that_it_misses_is_logged(
    server: MailServer, mail: EmailChannel, clock: FakeClock, logged: Logged
) -> None:
    server.answers["RCPT"] = refusing("452 4.2.2 Full", NIGHT)
    mail.send(low())
    clock.advance(PATIENCE - 1)
    mail.send(low(number=2))
    mail._latecomers.retry()
    assert logged == []
    clock.advance(1)
    mail._latecomers.retry()
    reason = f"127.0.0.1:{server.port} did not take it for night@example.com (452 4.2.2) within 15 minutes"
    assert logged == [("e-1", reason)]
    clock.advance(PATIENCE)
    mail._latecomers.retry()
    assert logged == [("e-1", reason), ("e-2", reason)]
    assert got(server, OPS) == ["e-1", "e-2"]


def test_a_refusal_of_days_ago_shortens_no_patience(
    server: MailServer, mail: EmailChannel, clock: FakeClock, logged: Logged
) -> None:
    server.answers["RCPT"] = refusing("452 4.2.2 Full", NIGHT)
    mail.send(low())
    clock.advance(PATIENCE)
    mail._latecomers.retry()
    logged.clear()
    clock.advance(4 * 86400)
    mail.send(low(number=2))
    mail._latecomers.retry()
    server.answers.clear()
    mail._latecomers.retry()
    assert (got(server, NIGHT), logged) == (["e-2"], [])


@pytest.mark.parametrize(
    ("command", "answer", "reason"),
    [
        ("RCPT", "550 5.1.1 Unknown", "refuses night@example.com (550 5.1.1); check to"),
        ("DATA", "554 5.7.1 Spam", "answered 554 5.7.1: it refuses the message, for night@example.com"),
    ],
)
def test_a_refusal_that_becomes_one_for_good_is_logged_and_concerns_nobody_else(
    server: MailServer, mail: EmailChannel, logged: Logged, command: str, answer: str, reason: str
) -> None:
    server.answers["RCPT"] = refusing("450 Later", NIGHT)
    mail.send(low())
    server.answers.clear()
    server.answers[command] = answer
    mail._latecomers.retry()
    assert logged == [("e-1", f"127.0.0.1:{server.port} {reason}")]
    server.answers.clear()
    mail._latecomers.retry()
    assert (got(server, OPS), got(server, NIGHT)) == (["e-1"], [])
    mail.send(low(number=2))
    assert got(server, NIGHT) == ["e-2"]


@pytest.mark.parametrize(("command", "answer"), [("MAIL", "553 5.1.8 Sender"), ("DATA", "451 Later")])
def test_a_failure_that_is_not_about_the_message_leaves_it_owed(
    server: MailServer, mail: EmailChannel, logged: Logged, command: str, answer: str
) -> None:
    server.answers["RCPT"] = refusing("450 Later", NIGHT)
    mail.send(low())
    mail.send(low(number=2))
    server.answers = {command: answer}
    mail._latecomers.retry()
    server.answers.clear()
    mail._latecomers.retry()
    assert (got(server, NIGHT), logged) == (["e-1", "e-2"], [])


def test_while_one_is_to_be_asked_later_the_refusal_of_all_others_is_tried_again(
    server: MailServer, mail: EmailChannel
) -> None:
    server.answers["RCPT"] = refusing("450 4.2.0 Greylisted", NIGHT)
    mail.send(low())
    server.answers["RCPT"] = "550 5.1.1 Unknown"
    with pytest.raises(ChannelError, match=r"450 4\.2\.0: it asks to try again later") as caught:
        mail.send(low(number=2))
    assert caught.value.scope is Scope.RETRY
    server.answers.clear()
    mail._latecomers.retry()
    assert got(server, NIGHT) == ["e-1"]
    mail.send(low(number=2))
    assert got(server, NIGHT) == ["e-1", "e-2"]


def test_a_stop_logs_what_is_owed(server: MailServer, mail: EmailChannel, logged: Logged) -> None:
    server.answers["RCPT"] = refusing("450 4.2.0 Greylisted", NIGHT, EVE)
    mail.send(low())
    mail.close()
    mail.send(low(number=2))
    who = "night@example.com (450 4.2.0), eve@example.com (450 4.2.0)"
    reason = f"127.0.0.1:{server.port} did not take it for {who} before the stop"
    assert logged == [("e-1", reason), ("e-2", reason)]
    assert mail._latecomers.waiting() == {}


def test_late_recipients_are_asked_every_minute_by_a_thread_that_ends_with_the_last_of_them(
    server: MailServer, mail: EmailChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipients, "RETRY_EVERY", 0.02)
    asked = 0

    def answer(to: str) -> str:
        nonlocal asked
        asked += to == NIGHT
        return "450 Later" if to == NIGHT and asked < 4 else "250 OK"

    server.answers["RCPT"] = answer
    mail.send(low())
    deadline = time.monotonic() + 10
    while not got(server, NIGHT) or mail._latecomers._timer is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (got(server, NIGHT), asked) == (["e-1"], 4)


class Asked:
    """Who was handed which message by latecomers that stand alone."""

    def __init__(self, logged: Logged) -> None:
        self.answer: Callable[[], Refused] = dict
        self.handed: list[str] = []
        self.latecomers = Latecomers("mail:25", self._deliver, make_tools(incomplete=logged.take))

    def _deliver(self, message: Message, to: Sequence[str]) -> Refused:
        self.handed.append(f"{message.id} {' '.join(to)}")
        return self.answer()


def test_more_than_a_hundred_are_not_owed(logged: Logged) -> None:
    latecomers = Asked(logged).latecomers
    for number in range(MOST + 2):
        latecomers.add(low(number=number), {NIGHT: FULL})
    reason = "mail:25 did not take it for night@example.com (452 4.2.2) before 100 others came"
    assert logged == [("e-0", reason), ("e-1", reason)]
    latecomers.close()


def test_a_server_that_opens_again_is_handed_ten_mails_a_minute(logged: Logged) -> None:
    asked = Asked(logged)
    for number in range(25):
        asked.latecomers.add(low(number=number), {NIGHT: GREYLISTED})
    for handed in (10, 20, 25, 25):
        asked.latecomers.retry()
        assert len(asked.handed) == handed
    asked.latecomers.close()
    assert asked.handed == [f"e-{number} {NIGHT}" for number in range(25)]
    assert logged == []


def test_those_who_are_refused_again_leave_room_for_others(logged: Logged) -> None:
    asked = Asked(logged)
    for number in range(12):
        asked.latecomers.add(low(number=number), {f"{number}@example.com": FULL})
    asked.answer = lambda: {f"{len(asked.handed) - 1}@example.com": FULL}
    asked.latecomers.retry()
    assert len(asked.handed) == 12
    asked.latecomers.close()


def test_what_is_refused_again_is_not_overtaken(logged: Logged) -> None:
    asked = Asked(logged)
    for number in (1, 2):
        asked.latecomers.add(low(number=number), {NIGHT: FULL})
    asked.answer = lambda: {NIGHT: FULL} if len(asked.handed) == 1 else {}
    asked.latecomers.retry()
    assert asked.handed == [f"e-1 {NIGHT}"]
    asked.latecomers.retry()
    assert asked.handed[1:] == [f"e-1 {NIGHT}", f"e-2 {NIGHT}"]
    asked.latecomers.close()


def test_what_is_given_up_while_it_is_handed_over_is_logged_once(logged: Logged) -> None:
    asked = Asked(logged)
    asked.latecomers.add(low(), {NIGHT: GREYLISTED})

    def answer() -> Refused:
        asked.latecomers.close()
        return {NIGHT: Code(550)}

    asked.answer = answer
    asked.latecomers.retry()
    assert [message for message, _ in logged] == ["e-1"]
    assert asked.latecomers.waiting() == {}


def test_the_latest_answer_is_told(logged: Logged) -> None:
    asked = Asked(logged)
    asked.latecomers.add(low(), {NIGHT: GREYLISTED})
    asked.latecomers.add(low(number=2), {NIGHT: GREYLISTED})
    asked.answer = lambda: {NIGHT: FULL}
    asked.latecomers.retry()
    assert asked.latecomers.waiting() == {NIGHT: FULL}
    asked.latecomers.close()
