"""Where a credential comes from, and how to read it anew."""

from pathlib import Path

from attrs import frozen

from token_monitor.config.tree import Text
from token_monitor.core.secret import Secret


def file_of(text: Text) -> Path | None:
    """The file that a credential is read from, as it is written; None: it is a literal."""
    # Only what is written in the file is a reference: a token of the environment may well begin with `file:`.
    return Path(text.removeprefix("file:")) if text.shown.startswith("file:") else text.file


class CredentialError(ValueError):
    """The credential cannot be used; the message says why, without it."""


@frozen
class Credential:
    """A literal, or a file whose content may change while we run (a mounted Kubernetes Secret does)."""

    literal: Secret | None = None
    file: Path | None = None

    def resolve(self) -> Secret:
        """The credential as it is now. Raises CredentialError: unreadable, empty, or more than one line."""
        if self.file is None:
            assert self.literal is not None
            return self.literal
        return checked(Secret(read_value(self.file)))


def checked(secret: Secret) -> Secret:
    """`secret`, if it can be sent in a header. Raises CredentialError: empty or with a control character."""
    value = secret.reveal()
    if not value:
        raise CredentialError("is empty")
    if not value.isprintable() or value != value.strip():
        raise CredentialError("holds a line break, a control character or outer white space")
    return secret


def read_value(path: Path) -> str:
    """A file's content less one trailing newline. Raises CredentialError: it cannot be read, or is no text."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CredentialError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CredentialError(f"{path} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
