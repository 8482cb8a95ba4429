"""docs/reliability.md: the words of page.md around a table of what was measured."""

from collections.abc import Sequence
from pathlib import Path

from support.campaign.run import Outcome
from support.campaign.verdict import Verdict

_HEAD = (
    "channel", "against", "what happened to it", "alerts", "lost", "out of order", "given up", "came twice",
    "slowest after a return",
)  # fmt: skip

_PAGE = Path(__file__).with_name("page.md").read_text(encoding="utf-8")


def table(verdicts: Sequence[Verdict]) -> str:
    """One row a channel."""
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, verdicts)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows).replace("| --- ", "|---").replace("---|", "---|")


def page(outcome: Outcome) -> str:
    """The whole file."""
    return filled(table(outcome.verdicts), outcome.kills)


def filled(rows: str, kills: int) -> str:
    """The page around a table."""
    return _PAGE.format(table=rows, kills=kills)


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (
        f"`{verdict.channel}`",
        verdict.what,
        ", ".join(f"{fault} {times}" for fault, times in sorted(verdict.faults.items())),
        str(verdict.alerts),
        str(len(verdict.lost)),
        str(len(verdict.disordered)),
        str(len(verdict.dead)),
        _twice(verdict),
        f"{verdict.slowest:.1f} s",
    )


def _twice(verdict: Verdict) -> str:
    if not verdict.twice:
        return "0"
    said = f"{len(verdict.twice)}, in {verdict.again} message{'s' * (verdict.again != 1)}"
    return f"{said}; {len(verdict.altered)} not the same" if verdict.altered else said
