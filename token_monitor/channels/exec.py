"""A program that is run for every alert, never through a shell."""

import errno
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from token_monitor.channels.process import Ended, Runner
from token_monitor.core.argument import Argument
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.fields import flat, written
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.payload import payload
from token_monitor.core.secret import redact
from token_monitor.core.time import Seconds

TRY_AGAIN: Final = 75  # EX_TEMPFAIL of sysexits.h
_TIMEOUT: Final = Seconds(10.0)
_INHERITED: Final = ("PATH", "HOME", "LANG")
_LONGEST_VALUE: Final = 16_000  # characters; Linux refuses to start a program with a variable of 128 KiB
_LONGEST_LINE: Final = 200
_BLANK: Final = re.compile(r"\s+")


@frozen
class Exec:
    """command: the program and its arguments. timeout: after which its whole process group is ended."""

    command: Sequence[Argument]
    timeout: Seconds = _TIMEOUT

    def __attrs_post_init__(self) -> None:
        if not self.command:
            raise ValueError("an empty command; a list such as [/usr/local/bin/page, --urgent]")
        if _located(self.command[0].value) is None:
            raise ValueError(f"command {str(self.command[0])!r}; an absolute path, or the name of a program in PATH")


class ExecChannel:
    """Delivered is exit status 0. 75, and what a signal ended, is tried again; any other gives this alert up."""

    pace: Final[Pace | None] = None

    def __init__(self, settings: Exec) -> None:
        self._timeout = settings.timeout
        program, *self._arguments = settings.command
        self._program = _located(program.value) or program.value
        self._argv = (self._program, *(argument.value for argument in self._arguments))
        self._runner = Runner()

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`. Takes up to 2 seconds longer than the timeout."""
        try:
            ended = self._runner.run(self._argv, payload(message), environment(message), self._timeout)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise ChannelError(Scope.CHANNEL, f"{self._program} cannot be run: {error.strerror}") from None
        except OSError as error:
            scope = Scope.CHANNEL if error.errno == errno.ENOEXEC else Scope.RETRY
            raise ChannelError(scope, f"{self._program} cannot be run: {error.strerror}") from None
        if ended.code == 0:
            said = self._line(ended.out)
            return f"{self._program} exited with 0" + (f": {said}" if said else "")
        raise self._failure(ended)

    def close(self) -> None:
        """See `core.ports.Closable`."""
        self._runner.close()

    def _failure(self, ended: Ended) -> ChannelError:
        said = self._line(ended.err) or self._line(ended.out)
        because = f": {said}" if said else ""
        if ended.code is None:
            reason = f"{self._program} had not ended after {self._timeout:g} s and was stopped{because}"
            return ChannelError(Scope.RETRY, reason, ambiguous=True)
        if (number := _ending_signal(ended.code)) is not None:
            # often the same that ends us: a service manager tells the whole group
            return ChannelError(Scope.RETRY, f"{self._program} was ended by {_signal(number)}{because}", ambiguous=True)
        scope = Scope.RETRY if ended.code == TRY_AGAIN else Scope.MESSAGE
        return ChannelError(scope, f"{self._program} exited with {ended.code}{because}")

    def _line(self, output: bytes) -> str:
        """The first line with something on it, in printable characters, without secrets."""
        text = redact(output.decode("utf-8", "replace"))
        for argument in self._arguments:
            text = argument.masked(text)
        first = next((line for line in map(str.strip, text.splitlines()) if line), "")
        shown = "".join(character if character.isprintable() else " " for character in _BLANK.sub(" ", first)).strip()
        return shown if len(shown) <= _LONGEST_LINE else shown[: _LONGEST_LINE - 1] + "…"


def _ending_signal(code: int) -> int | None:
    """The signal that ended it; a shell reports that of its child as 128 and more (POSIX, 2.8.2)."""
    if code < 0:
        return -code
    return code - 128 if 128 < code < 128 + signal.NSIG else None


def environment(message: Message) -> Mapping[str, str]:
    """All there is: PATH, HOME and LANG as they are here, and each flat field of the alert as TM_NAME."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {f"TM_{name.upper()}": _variable(written(value)) for name, value in flat(message).items()}


def _variable(text: str) -> str:
    """Without what no variable can hold, and not so long that the program cannot be started."""
    fit = text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return fit if len(fit) <= _LONGEST_VALUE else fit[: _LONGEST_VALUE - 1] + "…"


def _located(program: str) -> str | None:
    """Its absolute path. One that is given is taken as it is: the volume may come later."""
    if Path(program).is_absolute():
        return program
    return None if "/" in program or not program else shutil.which(program)


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
