"""A mail server, and a program."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from support.campaign.counterpart import Counterpart, Fault, serials
from support.mail_server import MailServer


class _Post(MailServer):
    """Says which mails it took as it takes them."""

    counterpart: "EmailCounterpart"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        now = time.time()
        counterpart = self.counterpart
        self.hang_up_after_data = counterpart.luck.random() < counterpart.forgets
        self.delay = counterpart.luck.uniform(0, counterpart.late)
        try:
            return await super().handle_DATA(server, session, envelope)
        finally:
            if any(envelope is mail for mail in self.mails):
                counterpart.read(envelope, now)


class EmailCounterpart(Counterpart):
    """SMTP has no status 429: it is a 452 here, and a 5xx is a 451, for an SMTP 5xx is final."""

    name = "email"
    what = "aiosmtpd, a real mail server"

    def begin(self) -> int:
        self.forgets = 0.0
        self.late = 0.0
        self.server = _Post()
        self.server.counterpart = self
        self.opened.enter_context(self.server)
        return self.server.port

    def settings(self) -> Mapping[str, Any]:
        where = {"host": "127.0.0.1", "port": self.gate.port, "security": "none", "timeout": "3s"}
        return {**where, "sender": "monitor@example.com", "to": ["ops@example.com"]}

    def faults(self) -> Mapping[str, Fault]:
        return {
            "stop": self.stopped,
            "451": lambda: self.refusing("DATA", "451 4.3.0 try again later"),
            "452": lambda: self.refusing("MAIL", "452 4.3.1 too much at once"),
            "delay": lambda: self.moody(late=5.0),
            "reset": lambda: self.moody(forgets=0.7),
        }

    @contextmanager
    def refusing(self, command: str, words: str) -> Iterator[None]:
        self.server.answers[command] = words
        try:
            yield
        finally:
            del self.server.answers[command]

    @contextmanager
    def moody(self, *, forgets: float = 0.0, late: float = 0.0) -> Iterator[None]:
        self.forgets, self.late = forgets, late
        try:
            yield
        finally:
            self.forgets, self.late = 0.0, 0.0

    def read(self, envelope: Envelope, at: float) -> None:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        plain = mail.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
        self.take(serials(text), json.dumps([mail["Message-ID"], mail["Subject"], mail["Date"], *parts]), at)


_SCRIPT = """
said=$(cat)
case $(cat "$1/mood") in
    again) exit 75 ;;
    slow) sleep 0.5 ;;
    stuck) sleep 60 ;;
esac
printf '%s %s\\n' "$(date +%s.%N)" "$said" >>"$1/taken"
case $(cat "$1/mood") in forgetful) exit 75 ;; esac
"""


class ExecCounterpart(Counterpart):
    """A program has no port and no status: it exits with 75, hangs until it is ended, or writes and then fails."""

    name = "exec"
    what = "a shell script that appends to a file"
    last = "exit 75"

    def begin(self) -> int:
        (self.folder / "script").write_text(_SCRIPT, encoding="utf-8")
        self.says("well")
        return 9  # nobody is asked there

    def settings(self) -> Mapping[str, Any]:
        return {"command": ["/bin/sh", f"{self.folder}/script", str(self.folder)], "timeout": "1s"}

    def faults(self) -> Mapping[str, Fault]:
        moods = {"exit 75": "again", "delay": "slow", "hang": "stuck", "fail late": "forgetful"}
        return {name: lambda mood=mood: self.moody(mood) for name, mood in moods.items()}  # type: ignore[misc]

    @contextmanager
    def moody(self, mood: str) -> Iterator[None]:
        self.says(mood)
        try:
            yield
        finally:
            self.says("well")

    def says(self, mood: str) -> None:
        fresh = self.folder / "mood.new"
        fresh.write_text(mood, encoding="utf-8")
        fresh.replace(self.folder / "mood")

    def finish(self) -> None:
        with suppress(FileNotFoundError):
            for line in (self.folder / "taken").read_text(encoding="utf-8").splitlines():
                at, _, body = line.partition(" ")
                self.take([json.loads(body)["alert"]["id"]], body, float(at))
