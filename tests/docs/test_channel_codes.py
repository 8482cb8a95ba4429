"""The table of what robots answer says what the code does."""

import re

import pytest

from support.markdown import CHANNELS
from token_monitor.channels import dingtalk, feishu, wecom
from token_monitor.core.errors import Scope

# The words of the second column that go with a scope.
THEN = {Scope.RETRY: "tried again", Scope.CHANNEL: "wait", Scope.MESSAGE: "given up, with an error line"}


def told() -> dict[tuple[str, int], str]:
    """What happens, by brand and code; without a brand a code is of all."""
    [table] = [table for table in CHANNELS.tables if table.head[0] == "what the robot answers"]
    found: dict[tuple[str, int], str] = {}
    for answer, then in table.rows:
        for group in answer.split(";"):
            brand = next((name for name in ("DingTalk", "WeCom", "Feishu") if name in group), "")
            for first, last in re.findall(r"(?<![\w-])(-?\d+)(?: to (\d+))?", group):
                for code in range(int(first), int(last or first) + 1):
                    found.setdefault((brand, code), then)
    return found


@pytest.mark.parametrize("module", [dingtalk, wecom, feishu])
def test_every_code_is_in_the_table_with_what_follows(module: object) -> None:
    dialect = module._DIALECT  # type: ignore[attr-defined]
    table = told()
    for code, verdict in dialect.verdicts.items():
        if code == 9499:  # it depends on its words, and is there twice
            continue
        then = table.get((dialect.brand, code)) or table.get(("", code))
        assert then is not None, code
        assert THEN[verdict.scope] in then, code


def test_every_code_of_the_table_is_one_that_the_code_knows() -> None:
    known = {
        (module._DIALECT.brand, code) for module in (dingtalk, wecom, feishu) for code in module._DIALECT.verdicts
    } | {("DingTalk", 310000), ("Feishu", 19021), ("Feishu", 19022)}
    assert {(brand, code) for brand, code in told() if brand} == known - {("DingTalk", -1), ("WeCom", -1)}
