"""What a user wrote, as a tree of text in which every node knows where it was written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self, TypeAlias

NO_NAMES: Final[Mapping[str, str]] = {}


class Text(str):
    """A scalar. The empty one is unset.

    path: what problems call it: a place in the YAML file, or the name of a variable.
    shown: what problems print of it; not the value where that came from elsewhere, for it may be a secret.
    file: where the value can be read anew, if all of it came from one file.
    plain: it was written without quotes, and holds nothing from elsewhere.
    template: the same with the braces of what came from elsewhere doubled, for where braces mean something.
    """

    __slots__ = ("file", "path", "plain", "shown", "template")
    file: Path | None
    path: str
    plain: bool
    shown: str
    template: str

    def __new__(
        cls,
        value: str,
        path: str,
        *,
        shown: str | None = None,
        file: Path | None = None,
        plain: bool = False,
        template: str | None = None,
    ) -> Self:
        text = super().__new__(cls, value)
        text.path, text.file, text.plain = path, file, plain
        text.template = value if template is None else template
        text.shown = value if shown is None else shown
        return text


class Items(list["Tree"]):
    """A list."""

    def __init__(self, path: str, items: Iterable["Tree"] = ()) -> None:
        super().__init__(items)
        self.path = path


class Table(dict[str, "Tree"]):
    """A mapping.

    names: what problems call a key that is missing, where that is not its path.
    kind: the settings type that it is to become, where the key it stands under does not say.
    """

    def __init__(
        self,
        path: str,
        items: Mapping[str, "Tree"] | None = None,
        *,
        names: Mapping[str, str] = NO_NAMES,
        kind: type | None = None,
    ) -> None:
        super().__init__(items or {})
        self.path = path
        self.names = names
        self.kind = kind

    def at(self, key: str) -> str:
        """What problems call the value of `key`."""
        return self.names.get(key) or (f"{self.path}.{key}" if self.path else key)

    def given(self) -> dict[str, "Tree"]:
        """What is set: a key without a value is as good as absent."""
        return {key: value for key, value in self.items() if value or not isinstance(value, Text)}

    def take(self, keys: Iterable[str], kind: type | None = None) -> "Table":
        """The same place, with only those of `keys` that are set."""
        given = self.given()
        return Table(self.path, {key: given[key] for key in keys if key in given}, names=self.names, kind=kind)

    def without(self, keys: Iterable[str], kind: type | None = None) -> "Table":
        """The same place, with what is set but `keys`."""
        return self.take([other for other in self if other not in keys], kind)


Tree: TypeAlias = Text | Items | Table


def described(node: object) -> str:
    """The shape of a node, for a problem; never its content."""
    match node:
        case Table():
            return "a mapping"
        case Items():
            return "a list"
        case _:
            return "a single value"
