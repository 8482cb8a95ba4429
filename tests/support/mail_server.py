"""A real SMTP server (aiosmtpd) that records what it gets and refuses as it is told."""

import asyncio
import ssl
import threading
import warnings
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

OK = "250 OK"
T = TypeVar("T")


class MailServer:
    """Listens on a free loopback port while it is entered.

    tls: a server-side context. implicit: TLS from the first byte; else STARTTLS. password: AUTH with `monitor` and it.
    login: whether it offers any way to.
    answers: by command, what it says instead of accepting; `RCPT` may be a
    function of the address. delay: seconds before the answer to DATA. mails: what was accepted.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        implicit: bool = False,
        password: str | None = None,
        size: int = 33_554_432,
        login: bool = True,
        **answers: str | Callable[[str], str],
    ) -> None:
        self.mails: list[Envelope] = []
        self.logins: list[str] = []
        self.answers = dict(answers)
        self.delay = 0.0
        self.hang_up_after_data = False
        self._password = password
        options: dict[str, Any] = {"data_size_limit": size, "ident": "mail.test"}
        if password is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options |= {"auth_require_tls": tls is not None and not implicit}
        if not login:
            options["auth_exclude_mechanism"] = ["LOGIN", "PLAIN"]
        if tls is not None and not implicit:
            options |= {"tls_context": tls, "require_starttls": True}
        self._options = options
        self._tls = tls if implicit else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail server")
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(self._protocol, "127.0.0.1", 0, ssl=self._tls)

    def _protocol(self) -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about AUTH without TLS
            return SMTP(self, loop=self._loop, **self._options)

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        self.logins.append(mechanism)
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self._said("AUTH"))
        assert isinstance(data, LoginPassword)
        good = (data.login, data.password) == (b"monitor", str(self._password).encode())
        return AuthResult(success=good, handled=False)

    def _said(self, command: str, address: str = "") -> str:
        answer = self.answers.get(command, OK)
        return answer if isinstance(answer, str) else answer(address)

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._said("MAIL")

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said = self._said("RCPT", address)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        said = self._said("DATA")
        if said.startswith("250"):
            self.mails.append(envelope)
        if self.hang_up_after_data:
            assert server.transport is not None
            server.transport.abort()
        await asyncio.sleep(self.delay)
        return said
