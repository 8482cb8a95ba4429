"""Secrets that do not print."""

import json
import re
from collections.abc import Iterator
from typing import Final, NoReturn, final
from urllib.parse import quote, quote_plus
from weakref import WeakValueDictionary

MASK: Final = "***"
MIN_LENGTH: Final = 6

# By identity: a set would hold one of two equal secrets, and forget both when that one dies. Without a lock: each step
# is atomic under the interpreter's own, and a signal handler that logs would wait for ours forever.
_alive: Final["WeakValueDictionary[int, Secret]"] = WeakValueDictionary()

_WRITTEN_ALIKE_EVERYWHERE: Final = re.compile(r"[A-Za-z0-9_.~-]*")
_KEPT_IN_URLS: Final = "!#$%&'()*+,/:;=?@[]~"


@final
class Secret:
    """A value that every way of printing shows as ``***``; only `reveal` gives it out."""

    __slots__ = ("__weakref__", "_forms", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._forms: frozenset[str] | None = None
        _alive[id(self)] = self

    def reveal(self) -> str:
        """The value itself. Call it where it leaves for the wire, nowhere else."""
        return self._value

    def _spellings(self) -> frozenset[str]:
        """The ways in which others write it; none of a value so short that it would mask ordinary words."""
        if self._forms is None:
            self._forms = frozenset(_forms(self._value)) if len(self._value) >= MIN_LENGTH else frozenset()
        return self._forms

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
    """`text` with the value of every living secret masked, also as URLs, JSON and `repr` write it.

    A safety net for texts we did not write (an exception's message, a traceback): our own texts never hold one.
    Values shorter than 6 characters are left alone.
    """
    living = (reference() for reference in _alive.valuerefs())
    forms = {form for secret in living if secret is not None for form in secret._spellings()}
    for form in sorted(filter(text.__contains__, forms), key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _forms(value: str) -> Iterator[str]:
    """The ways in which others write `value`."""
    yield value
    if _WRITTEN_ALIKE_EVERYWHERE.fullmatch(value):
        return
    for quoted in (
        *(quote(value, safe, errors="replace") for safe in ("", "/", _KEPT_IN_URLS)),
        quote_plus(value, errors="replace"),
    ):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda escape: escape[0].lower(), quoted)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]
    yield ascii(value)[1:-1]
