"""The documentation as data: what a Markdown file has in blocks, tables, headings, links and inline code."""

import re
from functools import cached_property
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
_FENCE = re.compile(r"^```(\S*)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@frozen
class Block:
    """A fenced block: ```language use. heading: of its section. where: for messages."""

    language: str
    use: str
    text: str
    heading: str
    where: str


@frozen
class Table:
    """Cells as written, less outer white space."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> list[str]:
        """The first column, less its marks of code."""
        return [row[0].strip("`") for row in self.rows]


@frozen(slots=False)
class Document:
    """One file, by its path from the root of the repository."""

    path: str

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """Without the fenced blocks."""
        return _FENCE.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        return [self._block(match) for match in _FENCE.finditer(self.text)]

    @property
    def headings(self) -> list[tuple[int, str]]:
        return [(len(marks), title) for marks, title in _HEADING.findall(self.prose)]

    @property
    def anchors(self) -> set[str]:
        """As GitHub names the headings."""
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in self.headings}

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @property
    def inline_code(self) -> list[str]:
        return [" ".join(code.split()) for code in _CODE.findall(self.prose)]

    @property
    def tables(self) -> list[Table]:
        found: list[list[tuple[str, ...]]] = []
        above = ""
        for line in self.prose.splitlines():
            if line.startswith("|"):
                if not above.startswith("|"):
                    found.append([])
                found[-1].append(tuple(cell.strip() for cell in line.strip().strip("|").split(" | ")))
            above = line
        return [Table(rows[0], tuple(rows[2:])) for rows in found]

    def table_with(self, name: str) -> Table:
        """The table that has `name` in its first column."""
        (table,) = [table for table in self.tables if name in table.names]
        return table

    def _block(self, match: re.Match[str]) -> Block:
        before = _FENCE.sub("", self.text[: match.start()])
        heading = _HEADING.findall(before)[-1][1]
        line = self.text.count("\n", 0, match.start()) + 1
        return Block(match[1], match[2], match[3], heading, f"{self.path}:{line}")


README, CHINESE = (Document(path) for path in READMES)
PAGES = ("sources", "channels", "failover", "operations", "prometheus", "kubernetes", "architecture")
SOURCES, CHANNELS, FAILOVER, OPERATIONS, PROMETHEUS, KUBERNETES, ARCHITECTURE = (
    Document(f"docs/{name}.md") for name in PAGES
)
DOCUMENTS = (README, CHINESE, SOURCES, CHANNELS, FAILOVER, OPERATIONS, PROMETHEUS, KUBERNETES, ARCHITECTURE)


def all_blocks(language: str, use: str | None = None) -> list[Block]:
    """Of all documents."""
    return [
        block
        for document in DOCUMENTS
        for block in document.blocks
        if block.language == language and use in (None, block.use)
    ]
