"""E-mail against a real mail server."""

import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from support.authority import Authority
from support.mail_server import MailServer
from support.messages import low
from support.tools import make_tools
from token_monitor.channels.email import Email, EmailChannel, Security
from token_monitor.channels.smtp import Session
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.mail import Mailbox
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.core.tools import Tools

PASSWORD = "password-canary"
SENDER = Mailbox("monitor@example.com", "Token Monitor")
OPS, NIGHT = Mailbox("ops@example.com"), Mailbox("night@example.com")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Trusted through the environment."""
    made = Authority()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.write(tmp_path / "ca.pem")))
    return made


def channel(
    server: MailServer | int, security: Security = Security.NONE, tools: Tools | None = None, **more: Any
) -> EmailChannel:
    port = server if isinstance(server, int) else server.port
    settings = Email(host="127.0.0.1", sender=SENDER, to=[OPS], security=security, port=port)
    return EmailChannel(evolve(settings, **more), tools or make_tools())


def refusal(sender: EmailChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        sender.send(low())
    error = caught.value
    assert error.reason.isprintable()
    assert error.reason.startswith("127.0.0.1:")
    told = "".join([error.reason, repr(error), repr(sender), *traceback.format_exception(error)])
    assert PASSWORD not in told
    return error


@contextmanager
def talking(script: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with each connection what `script` says; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.settimeout(10)
                        script(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_mail_is_delivered_when_the_server_has_taken_all_of_it() -> None:
    with MailServer() as server:
        sender = channel(server, to=[OPS, NIGHT])
        assert sender.send(low()) == f"127.0.0.1:{server.port} answered 250"
        [mail] = server.mails
    assert (mail.mail_from, mail.rcpt_tos) == ("monitor@example.com", ["ops@example.com", "night@example.com"])
    assert isinstance(mail.content, bytes)
    read = message_from_bytes(mail.content, policy=policy.default)
    assert read["Subject"] == "[WARNING] facefusion: Token balance low"
    assert read["To"] == "ops@example.com, night@example.com"


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
def test_a_mail_goes_over_verified_tls_with_a_login(authority: Authority, security: Security) -> None:
    implicit = security is Security.TLS
    with MailServer(authority.server(), implicit=implicit, password=PASSWORD) as server:
        sender = channel(server, security, username="monitor", password=Secret(PASSWORD))
        sender.send(low())
        sender.send(low())
        assert len(server.mails) == len(server.logins) == 2


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
@pytest.mark.parametrize("trouble", ["unknown", "expired", "another name"])
def test_a_certificate_that_does_not_hold_gets_neither_password_nor_mail(
    authority: Authority, security: Security, trouble: str
) -> None:
    contexts: dict[str, Callable[[], ssl.SSLContext]] = {
        "unknown": lambda: Authority().server(),
        "expired": lambda: authority.server(expired=True),
        "another name": lambda: authority.server("mail.example.com"),
    }
    with MailServer(contexts[trouble](), implicit=security is Security.TLS, password=PASSWORD) as server:
        error = refusal(channel(server, security, username="monitor", password=Secret(PASSWORD)))
        assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
        assert "the server's certificate is refused: " in error.reason
        assert server.mails == server.logins == []


def test_a_bundle_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    error = refusal(channel(1, Security.TLS))
    assert error.scope is Scope.RETRY
    assert "REQUESTS_CA_BUNDLE names no readable file" in error.reason


def test_a_server_without_starttls_gets_nothing() -> None:
    with MailServer() as server:
        error = refusal(channel(server, Security.STARTTLS))
        assert error.scope is Scope.CHANNEL
        assert "offers no STARTTLS; set security to tls" in error.reason
        assert server.mails == []


def test_a_wrong_password_is_the_fault_of_the_channel(authority: Authority) -> None:
    with MailServer(authority.server(), password="another") as server:
        error = refusal(channel(server, Security.STARTTLS, username="monitor", password=Secret(PASSWORD)))
    assert error.scope is Scope.CHANNEL
    assert " answered 535 5.7.8: it rejects the login; check username and password" in error.reason


def test_a_login_that_cannot_be_checked_now_is_tried_again(authority: Authority) -> None:
    with MailServer(authority.server(), password=PASSWORD, AUTH="454 4.7.0 Temporary failure") as server:
        error = refusal(channel(server, Security.STARTTLS, username="monitor", password=Secret(PASSWORD)))
    assert error.scope is Scope.RETRY
    assert " answered 454 4.7.0: " in error.reason


def test_a_server_that_offers_no_login_is_the_fault_of_the_channel(authority: Authority) -> None:
    with MailServer(authority.server(), login=False) as server:
        error = refusal(channel(server, Security.STARTTLS, username="monitor", password=Secret(PASSWORD)))
    assert error.scope is Scope.CHANNEL
    assert "offers no login by password" in error.reason


def test_a_server_that_wants_a_login_is_the_fault_of_a_channel_without_one(authority: Authority) -> None:
    with MailServer(authority.server(), password=PASSWORD) as server:
        error = refusal(channel(server, Security.STARTTLS))
    assert error.scope is Scope.CHANNEL
    assert " answered 530 5.7.0: " in error.reason


@pytest.mark.parametrize(
    ("command", "answer", "scope", "hint"),
    [
        ("MAIL", "451 4.3.0 Later", Scope.RETRY, "451 4.3.0: it asks to try again later"),
        ("MAIL", "553 5.1.8 Sender", Scope.CHANNEL, "553 5.1.8: it refuses the sender; check sender"),
        ("MAIL", "552 Size", Scope.MESSAGE, "552: it finds the message too large"),
        ("RCPT", "450 4.2.0 Greylisted", Scope.RETRY, "450 4.2.0: it asks to try again later"),
        ("RCPT", "550 5.1.1 Unknown", Scope.CHANNEL, "550 5.1.1: it refuses every recipient; check to"),
        ("DATA", "451 Later", Scope.RETRY, "451: it asks to try again later"),
        ("DATA", "421 4.3.2 Closing", Scope.RETRY, "421 4.3.2: it asks to try again later"),
        ("DATA", "554 5.7.1 Spam", Scope.MESSAGE, "554 5.7.1: it refuses the message"),
        ("DATA", "503 5.5.1 RCPT first", Scope.CHANNEL, "503 5.5.1: it expects no message; check to"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_it_means_for_the_next_message(command: str, answer: str, scope: Scope, hint: str) -> None:
    with MailServer(**{command: answer}) as server:
        error = refusal(channel(server))
        assert (error.scope, error.ambiguous) == (scope, False)
        assert error.reason == f"127.0.0.1:{server.port} answered {hint}"
        assert server.mails == []


def test_a_message_larger_than_the_server_announces_is_given_up() -> None:
    with MailServer(size=1000) as server:
        error = refusal(channel(server))
    assert (error.scope, "too large" in error.reason) == (Scope.MESSAGE, True)


def refusing(address: str, answer: str) -> Callable[[str], str]:
    return lambda to: answer if to == address else "250 OK"


class Logged(list[str]):
    """What is logged as incomplete."""

    def take(self, message: str, reason: str) -> None:
        self.append(f"{message}: {reason}")


def test_what_one_recipient_is_refused_for_good_the_others_get_and_an_error_is_logged() -> None:
    logged = Logged()
    with MailServer(RCPT=refusing("ops@example.com", "550 5.1.1 Unknown")) as server:
        sender = channel(server, tools=make_tools(incomplete=logged.take), to=[OPS, NIGHT])
        assert sender.send(low()).endswith(" answered 250; it refused ops@example.com (550 5.1.1)")
        assert received(server) == [["night@example.com"]]
    assert logged == [f"e-1: 127.0.0.1:{server.port} refuses ops@example.com (550 5.1.1); check to"]


def test_an_address_that_is_given_twice_is_one_recipient_and_waits_for_a_greylist_as_one() -> None:
    again = [OPS, Mailbox("ops@EXAMPLE.com", "Ops"), Mailbox("Ops@example.com"), NIGHT, OPS]
    with MailServer(RCPT="450 4.2.0 Greylisted") as server:
        sender = channel(server, to=again)
        assert refusal(sender).scope is Scope.RETRY
        server.answers.clear()
        sender.send(low())
        assert received(server) == [["ops@example.com", "Ops@example.com", "night@example.com"]]


def test_a_session_hands_no_mail_over_that_nobody_takes() -> None:
    with MailServer(RCPT="450 4.2.0 Greylisted") as server:
        session = Session("127.0.0.1", 5.0, make_tools().addresses)
        session.open(server.port, None)
        assert session.deliver("a@b.c", ["ops@example.com"] * 2, b"mail").keys() == {"ops@example.com"}
        session.close()


def received(server: MailServer) -> list[list[str]]:
    return [mail.rcpt_tos for mail in server.mails]


def test_all_recipients_refused_is_tried_again_if_one_of_them_may_be_taken_later() -> None:
    with MailServer(RCPT=lambda to: "550 Unknown" if to == "ops@example.com" else "450 Later") as server:
        assert refusal(channel(server, to=[OPS, NIGHT])).scope is Scope.RETRY


@pytest.mark.parametrize("greeting", [b"554 5.3.2 not here\r\n", b"421 busy\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_server_that_greets_otherwise(greeting: bytes) -> None:
    with talking(lambda connection: connection.sendall(greeting)) as port:
        error = refusal(channel(port))
    if greeting.startswith(b"421"):
        assert error.scope is Scope.RETRY
    else:
        assert error.scope is Scope.CHANNEL
        assert "check host" in error.reason


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refusal(channel(unused.getsockname()[1]))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert error.reason.endswith(": no connection: Connection refused")


def test_a_host_name_that_does_not_resolve_is_tried_again() -> None:
    sender = EmailChannel(Email("no-such-host.invalid", SENDER, [OPS], timeout=Seconds(5.0)), make_tools())
    with pytest.raises(ChannelError) as caught:
        sender.send(low())
    assert (caught.value.scope, caught.value.ambiguous) == (Scope.RETRY, False)


def test_a_resolver_that_hangs_holds_a_delivery_no_longer_than_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])
    sender = EmailChannel(Email("mail.example.com", SENDER, [OPS], timeout=Seconds(0.3)), make_tools())
    started = time.monotonic()
    with pytest.raises(ChannelError, match=r"no connection within 0\.3 s") as caught:
        sender.send(low())
    release.set()
    assert time.monotonic() - started < 5.0
    assert (caught.value.scope, caught.value.ambiguous) == (Scope.RETRY, False)


def test_a_connection_that_breaks_before_the_mail_has_left_did_not_deliver() -> None:
    with talking(lambda connection: connection.sendall(b"220 hello\r\n")) as port:
        error = refusal(channel(port))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)


def test_a_connection_that_breaks_after_the_mail_has_left_may_have_delivered() -> None:
    with MailServer() as server:
        server.hang_up_after_data = True
        error = refusal(channel(server))
        assert len(server.mails) == 1
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert "the connection broke" in error.reason


def test_an_acknowledgement_that_comes_too_late_may_have_delivered() -> None:
    with MailServer() as server:
        server.delay = 30.0
        started = time.monotonic()
        error = refusal(channel(server, timeout=Seconds(0.5)))
        assert time.monotonic() - started < 6.0
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert error.reason.endswith(": no whole answer within 0.5 s")


def dripping(connection: socket.socket) -> None:
    while True:
        for byte in b"220-welcome\r\n":
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def silent(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


@pytest.mark.parametrize("security", [Security.NONE, Security.TLS])
@pytest.mark.parametrize("how", ["silent", "dripping"])
def test_the_timeout_is_one_deadline(security: Security, how: str, authority: Authority) -> None:
    with talking({"silent": silent, "dripping": dripping}[how]) as port:
        started = time.monotonic()
        error = refusal(channel(port, security, timeout=Seconds(0.5)))
        assert time.monotonic() - started < 6.0
        assert time.monotonic() - started > 0.4 or (security, how) == (Security.TLS, "dripping")
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)


def test_a_message_sent_again_has_the_same_id() -> None:
    with MailServer() as server:
        sender = channel(server)
        server.answers["DATA"] = "451 later"
        refusal(sender)
        server.answers.clear()
        sender.send(low())
        sender.send(low())
        contents = [mail.content for mail in server.mails]
    ids = {message_from_bytes(content)["Message-ID"] for content in contents if isinstance(content, bytes)}
    assert ids == {"<e-1@example.com>"}


def test_a_large_text_with_leading_dots_arrives_whole() -> None:
    text = "\n".join(f".{number} 余额" for number in range(20_000))
    with MailServer() as server:
        channel(server).send(low(text))
        content = server.mails[0].content
    assert isinstance(content, bytes)
    body = message_from_bytes(content, policy=policy.default).get_body(("plain",))  # type: ignore[attr-defined]
    assert body.get_content().replace("\r\n", "\n") == text + "\n"


def test_settings_and_channel_print_no_password() -> None:
    settings = Email("mail.example.com", SENDER, [OPS], username="monitor", password=Secret(PASSWORD))
    for shown in (repr(settings), str(settings), repr(EmailChannel(settings, make_tools()))):
        assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"host": "mail example"}, "a host name such as"),
        ({"port": 0}, "a port from 1 to 65535"),
        ({"to": []}, "at least one address"),
        ({"username": "monitor"}, "both, or neither"),
        ({"password": Secret("pass-of-a-bad-setting")}, "both, or neither"),
        ({"username": "u", "password": Secret("pass-of-a-bad-one"), "security": Security.NONE}, "in the clear"),
        ({"username": "u", "password": Secret("密码")}, "printable ASCII"),
        ({"username": "u\n", "password": Secret("x")}, "printable ASCII"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any], allowed: str) -> None:
    good = {"host": "mail.example.com", "sender": SENDER, "to": [OPS]}
    with pytest.raises(ValueError, match=allowed):
        Email(**(good | wrong))


def test_the_port_follows_the_security() -> None:
    ports = {security: EmailChannel(Email("h", SENDER, [OPS], security), make_tools())._server for security in Security}
    assert ports == {Security.STARTTLS: "h:587", Security.TLS: "h:465", Security.NONE: "h:25"}
