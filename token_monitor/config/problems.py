"""A user's mistakes: one line each, all of them in one run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

MISSING: Final = "missing"
MAX_FOUND: Final = 200


@frozen
class Problem:
    """One mistake: where, what was found (never a secret), what is allowed."""

    path: str
    found: str
    allowed: str = ""

    def __str__(self) -> str:
        line = f"{self.path}: {_shortened(self.found) or 'nothing'}" + (f"; {self.allowed}" if self.allowed else "")
        return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)


class ConfigError(Exception):
    """The settings cannot be used.

    problems: every one that was found.
    file: the YAML file their paths are of; None where they name environment variables.
    """

    def __init__(self, problems: Sequence[Problem], file: Path | None = None) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(map(str, self.problems)))
        self.file = file


class Findings(list[Problem]):
    """Problems, gathered so that one does not hide the next."""

    def add(self, path: str, found: str, allowed: str = "") -> None:
        self.append(Problem(path, found, allowed))

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Keeps the problems of a ConfigError raised inside, and goes on after the block."""
        try:
            yield
        except ConfigError as error:
            self.extend(error.problems)

    def conclude(self, file: Path | None = None) -> None:
        """Raises ConfigError if there are any."""
        told: dict[str, Problem] = {}
        for problem in self:
            told.setdefault(problem.path, problem)
        # What is wrong is not missing as well.
        kept = [item for item in self if item.found != MISSING or told[item.path] is item]
        if kept:
            raise ConfigError(sorted(kept, key=_place), file)


def choice(found: str, allowed: Iterable[str]) -> str:
    """What is allowed instead of `found`: the nearest if one is near, else all."""
    from difflib import get_close_matches  # 0.6 MB that only a mistake needs

    names = sorted(allowed)
    near = get_close_matches(found, names, n=1)
    return f"did you mean {near[0]}?" if near else "one of " + ", ".join(names)


def _place(problem: Problem) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", problem.path, flags=re.ASCII)]


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_FOUND else text[: MAX_FOUND - 1] + "…"
