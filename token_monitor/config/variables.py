"""The variables: the real environment over `.env`, each variable in one of two forms."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from attrs import frozen
from dotenv.parser import parse_stream

from token_monitor.config.credential import read_value
from token_monitor.config.problems import ConfigError, Findings, Problem
from token_monitor.config.tree import Table, Text


@frozen
class Variables:
    """folder: where relative paths start."""

    environ: Mapping[str, str]
    dotenv: Mapping[str, str]
    folder: Path

    def present(self, name: str) -> bool:
        """Whether it is set, in either form, readable or not."""
        return any(place.get(form) for place in (self.environ, self.dotenv) for form in (name, f"{name}_FILE"))

    def get(self, name: str) -> Text | None:
        """The value; an empty text if its file is empty; None if it is not set.

        Raises ConfigError: both forms in one place, or the file cannot be read.
        """
        for place, values in (("the environment", self.environ), (".env", self.dotenv)):
            value, file = values.get(name), values.get(f"{name}_FILE")
            if value and file:
                raise ConfigError([Problem(name, f"both {name} and {name}_FILE in {place}", "one of them")])
            if value:
                return Text(value, name)
            if file:
                return self._read(f"{name}_FILE", file)
        return None

    def table(self, names: Mapping[str, str], found: Findings) -> Table:
        """What is set of the variables `names`, which are by key."""
        table = Table("the environment", names=names)
        for key, name in names.items():
            with found.caught():
                if value := self.get(name):
                    table[key] = value
        return table

    def _read(self, name: str, written: str) -> Text:
        file = self.folder / written
        try:
            return Text(read_value(file), name, shown=f"the content of {file}", file=file)
        except ValueError as error:
            raise ConfigError([Problem(name, str(error), "a readable text file")]) from None


def read_variables(environ: Mapping[str, str], folder: Path, found: Findings) -> Variables:
    """The variables of `environ` and of `.env` in `folder`, if there is one. Nothing is interpolated."""
    return Variables(environ, _dotenv(folder / ".env", found), folder)


def _dotenv(file: Path, found: Findings) -> Mapping[str, str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        found.add(".env", f"{file} cannot be read: {why}", "a readable UTF-8 file, or none")
        return {}
    values = {}
    for binding in parse_stream(StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            written = binding.original.string
            blank_lines = written[: len(written) - len(written.lstrip())].count("\n")
            found.add(f".env line {binding.original.line + blank_lines}", "not an assignment", "NAME=value")
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values
