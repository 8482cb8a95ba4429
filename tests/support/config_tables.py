"""Tables of bad settings: what was written, and after `=>` each line that the user must get."""

from pathlib import Path


def bad_cases(file: Path) -> list[tuple[str, list[str]]]:
    """The cases of `file`, which blank lines separate."""
    blocks = [block for block in file.read_text().split("\n\n") if not block.startswith("#")]
    return [_case(block.strip("\n").split("\n")) for block in blocks]


def _case(lines: list[str]) -> tuple[str, list[str]]:
    written = [line for line in lines if not line.startswith("=> ")]
    return "\n".join(written), [line.removeprefix("=> ") for line in lines if line.startswith("=> ")]
