"""The YAML file: every scalar stays the text that was written, `${NAME}` is filled in, nothing is guessed."""

import re
from pathlib import Path

import yaml
from attrs import field, frozen
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from token_monitor.config.problems import ConfigError, Findings, Problem
from token_monitor.config.tree import Items, Table, Text, Tree
from token_monitor.config.variables import Variables
from token_monitor.core.secret import MASK

MAX_BYTES = 1024 * 1024
_TAGS = [f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map")]
_NULLS = ("", "~", "null", "Null", "NULL")
_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)(\}?)")
_QUOTED = re.compile(r"'([^']*)'")
_HARMLESS = re.compile(r".|\\.|<[a-z ]+>")


def yaml_tree(file: Path, variables: Variables, found: Findings) -> tuple[Table, set[str]]:
    """What the file says, and the names of the variables it uses. Raises ConfigError: it is not one YAML mapping."""
    root = _parse(_content(file), file.name)
    if root is None:
        return Table(""), set()
    if not isinstance(root, MappingNode):
        raise ConfigError([Problem(file.name, "not a mapping", "a YAML mapping with accounts")])
    reader = _Reader(file.name, variables, found)
    tree = reader.tree(root, "")
    assert isinstance(tree, Table)
    return tree, reader.used


def _content(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError([Problem(str(file), "more than 1 MiB", "a file of at most 1 MiB")])
        return content.decode("utf-8-sig")
    except OSError as error:
        why = f"it cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        why = "it is not UTF-8"
    raise ConfigError([Problem(str(file), why, "a readable YAML file in UTF-8")])


def _parse(content: str, name: str) -> Node | None:
    """The nodes, with no type guessed and nothing constructed."""
    allowed = "YAML in one document"
    try:
        # Not the C loader: deep nesting crashes the process there.
        loader = yaml.BaseLoader(content)
        try:
            node: Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        # What it quotes may be a piece of a secret that was not put in quotes.
        what = _QUOTED.sub(_masked, error.problem or "not YAML")
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([Problem(f"{name} line {line}", what, allowed)]) from None
    except yaml.reader.ReaderError as error:
        line = content.count("\n", 0, error.position) + 1
        raise ConfigError([Problem(f"{name} line {line}", "a control character", "printable text")]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "nested too deeply", allowed)]) from None
    return node


def _doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _masked(quoted: re.Match[str]) -> str:
    return quoted[0] if _HARMLESS.fullmatch(quoted[1]) else f"'{MASK}'"


@frozen
class _Reader:
    """name: of the file.
    seen: the nodes met; one met twice is an alias, which would let a small file become a huge tree.
    """

    name: str
    variables: Variables
    found: Findings
    used: set[str] = field(factory=set)
    seen: set[int] = field(factory=set)

    def tree(self, node: Node, path: str) -> Tree:
        if id(node) in self.seen:
            self.found.add(path, "an alias", "the value, written out")
            return Text("", path)
        self.seen.add(id(node))
        if node.tag not in _TAGS:
            self.found.add(path, "a tag", "a value without a tag")
        match node:
            case MappingNode():
                return self._table(node, path)
            case SequenceNode():
                return Items(path, [self.tree(item, f"{path}[{index}]") for index, item in enumerate(node.value)])
            case _:
                assert isinstance(node, ScalarNode)
                return self._text(node, path)

    def _table(self, node: MappingNode, path: str) -> Table:
        table = Table(path)
        lines: dict[str, int] = {}
        for key_node, value in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, ScalarNode) else None
            if not isinstance(key, str):
                self.found.add(f"{self.name} line {line}", "a key that is a list or a mapping", "a name")
            elif key in table:
                self.found.add(table.at(key), f"given twice, in lines {lines[key]} and {line}", "once")
            else:
                lines[key] = line
                table[key] = self.tree(value, table.at(key))
        return table

    def _text(self, node: ScalarNode, path: str) -> Text:
        written: str = node.value
        if node.style is None and written in _NULLS:
            return Text("", path, plain=True)
        if (whole := _REFERENCE.fullmatch(written)) and whole[2]:
            value = self._variable(whole[2], path)
            file = value.file if value else None
            return Text(value or "", path, shown=written, file=file, template=_doubled(value or ""))
        filled = _REFERENCE.sub(lambda match: self._filled(match, path), written)
        if filled == written:
            return Text(written, path, plain=node.style is None)
        template = _REFERENCE.sub(lambda match: "${{" if match[1] else _doubled(self._filled(match, path)), written)
        return Text(filled, path, shown=written, template=template)

    def _filled(self, match: re.Match[str], path: str) -> str:
        if match[1]:
            return "${"
        return self._variable(match[2] if match[3] else "", path) or ""

    def _variable(self, name: str, path: str) -> Text | None:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            self.found.add(path, "${ without a name", "${NAME}, or $${ for the characters ${")
            return None
        self.used.add(name)
        with self.found.caught():
            value = self.variables.get(name)
            if value:
                return value
            self.found.add(path, f"${{{name}}}, which is not set", f"a variable that is set, or {name}_FILE")
        return None
