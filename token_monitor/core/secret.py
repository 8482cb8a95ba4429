"""Secrets that do not print."""

from threading import Lock
from typing import NoReturn, final
from urllib.parse import quote
from weakref import WeakSet

MASK = "***"

_alive: "WeakSet[Secret]" = WeakSet()
_lock = Lock()


@final
class Secret:
    """A value that every way of printing shows as ``***``; only `reveal` gives it out."""

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        with _lock:
            _alive.add(self)

    def reveal(self) -> str:
        """The value itself. Call it where it leaves for the wire, nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied")


def redact(text: str) -> str:
    """`text` with the value of every living secret masked.

    A safety net for texts we did not write (an exception's message, a traceback): our own texts never hold one.
    Values shorter than 6 characters are left alone, they would mask ordinary words.
    """
    with _lock:
        values = {secret.reveal() for secret in _alive}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= 6:
            for form in {value, quote(value, safe=""), quote(value)}:
                text = text.replace(form, MASK)
    return text
