"""The documents hold together: links lead somewhere, both languages say the same, no example goes unexecuted."""

import re
from pathlib import Path

import pytest

import token_monitor
from support.markdown import ARCHITECTURE, CHINESE, DOCUMENTS, README, ROOT, Document

PACKAGE = Path(token_monitor.__file__).parent
EXECUTED = {
    ("json", "alert-line"), ("json", "answer"), ("json", "webhook"), ("json", "status"),
    ("yaml", "config"), ("yaml", "values"),
    ("text", "check"), ("text", "figures"), ("http", "request"), ("sh", ""), ("console", ""), ("python", ""),
}  # fmt: skip
DRAWINGS = {("text", "")}
CHINESE_TEXT = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(document: Document) -> None:
    relative = [link for link in document.links if "://" not in link]
    assert relative
    for link in relative:
        path, _, anchor = link.partition("#")
        target = (ROOT / document.path).parent / path if path else ROOT / document.path
        assert target.is_file(), link
        if anchor:
            assert anchor in Document(str(target.resolve().relative_to(ROOT))).anchors, link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_every_fenced_block_is_of_a_kind_that_a_test_executes(document: Document) -> None:
    for block in document.blocks:
        assert (block.language, block.use) in EXECUTED | DRAWINGS, block.where


def test_the_start_is_within_the_first_ten_lines() -> None:
    assert any("## One-minute start" in line for line in README.text.splitlines()[:10])


def test_both_readmes_have_the_same_sections() -> None:
    assert [level for level, _ in CHINESE.headings] == [level for level, _ in README.headings]


def test_both_readmes_have_the_same_blocks() -> None:
    assert [(block.language, block.use, block.text) for block in CHINESE.blocks] == [
        (block.language, block.use, block.text) for block in README.blocks
    ]


def test_both_readmes_have_tables_with_the_same_first_columns() -> None:
    compared = 0
    for ours, theirs in zip(README.tables, CHINESE.tables, strict=True):
        for mine, other in zip(ours.rows, theirs.rows, strict=True):
            assert len(mine) == len(other)
            if mine[0].startswith("`"):
                assert re.findall(r"`[^`]+`", other[0]) == re.findall(r"`[^`]+`", mine[0])
                compared += 1
    assert compared > 60


def test_both_readmes_link_to_the_same_files() -> None:
    ours, theirs = ({link.partition("#")[0] for link in document.links} for document in (README, CHINESE))
    assert theirs - {"README.md"} == ours - {"README.zh-CN.md"}


def test_the_chinese_readme_is_chinese_in_every_paragraph() -> None:
    for paragraph in CHINESE.prose.split("\n\n"):
        told = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)|<!--.*?-->|^#+ .*$", "", paragraph, flags=re.MULTILINE)
        assert len(re.findall(r"[A-Za-z]{2,}", told)) < 8 or CHINESE_TEXT.search(told), paragraph


def test_the_english_documents_are_english() -> None:
    for document in DOCUMENTS:
        if document is not CHINESE:
            assert CHINESE_TEXT.findall(document.text.replace("[中文](README.zh-CN.md)", "")) == []


def test_no_line_is_far_too_long_to_review() -> None:
    for document in DOCUMENTS:
        for line in document.prose.splitlines():
            assert line.startswith("|") or len(line) <= 330, line


def test_every_file_that_a_document_names_exists() -> None:
    names = re.compile(r"(?:examples|docs|deploy|scripts|tests|benchmarks|token_monitor)/[\w./-]*\w/?")
    for document in (*DOCUMENTS, Document("examples/webhook_receiver.py"), Document("examples/config.yaml")):
        for name in names.findall(document.text):
            place = PACKAGE.parent if name.startswith("token_monitor/") else ROOT
            assert (place / name).exists(), f"{document.path}: {name}"


def test_the_architecture_has_every_part_of_the_package() -> None:
    parts = {file.name for file in PACKAGE.glob("*.py") if not file.name.startswith("__")}
    parts |= {f"{file.parent.name}/" for file in PACKAGE.glob("*/__init__.py")}
    told = {name for row in ARCHITECTURE.table_with("core/").rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert told == parts


def test_every_quoted_message_is_one_that_the_package_writes() -> None:
    written = "\n".join(file.read_text(encoding="utf-8") for file in sorted(PACKAGE.rglob("*.py")))
    checked = 0
    for document in DOCUMENTS:
        for code in document.inline_code:
            if re.match(r"[A-Z][a-z]+ ", code):
                parts = [part.strip() for part in code.split("…")]
                assert all(part in written for part in parts), f"{document.path}: {code}"
                checked += 1
    assert checked > 30
