"""An alert as an e-mail."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from attrs import evolve

from support.messages import low
from token_monitor.core.mail import Mailbox, compose, html, subject
from token_monitor.core.message import Message
from token_monitor.core.words import Kind, Reason, State

SENDER = Mailbox.parse("Token Monitor <monitor@example.com>")
TO = [Mailbox.parse("ops@example.com"), Mailbox.parse("值班 <night@example.org>")]


def read(message: Message) -> EmailMessage:
    """As a receiver reads it."""
    raw = compose(message, SENDER, TO).as_bytes()
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    assert body.get_content_charset() in ("utf-8", "us-ascii")
    return str(body.get_content()).replace("\r\n", "\n")


def test_a_mail_says_whose_it_is_and_how_bad() -> None:
    mail = read(low())
    assert mail["Subject"] == "[WARNING] facefusion: Token balance low"
    assert mail["From"] == "Token Monitor <monitor@example.com>"
    assert mail["To"] == "ops@example.com, 值班 <night@example.org>"
    assert mail["Date"].datetime == low().alert.at
    assert mail["Auto-Submitted"] == "auto-generated"


def test_text_and_html_say_the_same_and_the_html_has_every_field() -> None:
    mail = read(low())
    assert mail.get_content_type() == "multipart/alternative"
    assert part(mail, "plain") == low().text + "\n"
    shown = part(mail, "html")
    assert low().text in shown
    for name, value in low().alert.fields().items():
        assert (f">{name}</td>" in shown) == (value is not None)
        assert value is None or f">{value}</td>" in shown


@pytest.mark.parametrize(
    ("state", "reason", "color"),
    [
        (State.LOW, Reason.FIRST, "#b26a00"),
        (State.CRITICAL, Reason.ESCALATED, "#c62828"),
        (State.OK, Reason.RECOVERED, "#2e7d32"),
    ],
)
def test_the_colour_follows_the_level(state: State, reason: Reason, color: str) -> None:
    assert color in html(evolve(low(), alert=evolve(low().alert, state=state, reason=reason)))


def test_a_chinese_account_and_text_arrive_whole() -> None:
    alert = evolve(low().alert, account="人脸融合" * 10, subject="人脸融合/balance")
    mail = read(Message(alert, "【警告】人脸融合：余额不足。"))
    assert mail["Subject"] == f"[WARNING] {'人脸融合' * 10}: Token balance low"
    assert part(mail, "plain") == "【警告】人脸融合：余额不足。\n"
    assert "余额不足" in part(mail, "html")


@pytest.mark.parametrize("text", ["<b>&\"'", "\ud800\x00\x1b[31m", "x" * 200_000, ".\n..\nFrom me\n"])
def test_any_text_arrives(text: str) -> None:
    mail = read(low(text))
    fit = text.replace("\ud800", "�").replace("\x00", "�").replace("\x1b", "�")
    assert part(mail, "plain") == fit + "\n"
    assert "<b>" not in part(mail, "html")


def test_no_value_begins_a_header_of_its_own() -> None:
    alert = evolve(low().alert, account="a\r\nBcc: x@example.com", id="i>\r\nBcc: x@example.com")
    mail = read(Message(alert, "text"))
    assert mail["Bcc"] is None
    assert mail["Message-ID"].startswith("<")


def test_the_message_id_is_the_messages_and_a_thread_is_an_episode() -> None:
    assert read(low())["Message-ID"] == "<e-1@example.com>"
    assert read(evolve(low(), group="group-7"))["Message-ID"] == "<group-7@example.com>"
    assert read(low())["References"] == read(low(number=2))["References"] == "<episode.e@example.com>"
    odd = [read(evolve(low(), group=group))["Message-ID"] for group in ("a b", "a\ud800b", "a b")]
    assert odd[0] == odd[2] != odd[1]


def test_a_group_says_that_there_is_more() -> None:
    group = Message(low().alert, "first\nsecond", "group-7", alerts=2)
    assert subject(group) == "[WARNING] facefusion: Token balance low (and more)"
    assert "The gravest of them:" in html(group)
    for single in (low(), evolve(group, alerts=1)):  # as in a digest of what was held
        assert "The gravest of them:" not in html(single)
        assert "more" not in subject(single)


def test_a_second_currency_and_a_test_are_named_in_the_subject() -> None:
    measured = low().alert.measured
    assert measured is not None
    alert = evolve(low().alert, measured=evolve(measured, quantity="balance_cny"))
    assert subject(Message(alert, "")) == "[WARNING] facefusion (balance_cny): Token balance low"
    test = evolve(low().alert, kind=Kind.TEST, state=State.OK, measured=None)
    assert subject(Message(test, "")) == "[INFO] facefusion: Test alert"


@pytest.mark.parametrize("text", ["ops@example.com", "Ops <ops@example.com>", "a.b+c@x-y.example", "root@localhost"])
def test_an_address_is_read_and_shown(text: str) -> None:
    assert str(Mailbox.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "ops", "@example.com", "a@b@c", "ops@", "a b@example.com", "a@exa mple", "值班@example.com",
             "a@example.com, b@example.com", "a@x\nBcc: b@x", "a..b@example.com", "a@-x"]
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="an address such as"):
        Mailbox.parse(text)
