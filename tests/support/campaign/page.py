"""docs/reliability.md: the words of page.md around a table of what was measured."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from support.campaign.agreement import LevelVerdict
from support.campaign.run import Outcome
from support.campaign.verdict import Verdict

_HEAD = (
    "channel", "against", "what happened to it", "alerts", "lost", "out of order", "given up", "came twice",
    "slowest after a return",
)  # fmt: skip
_LEVEL_HEAD = (
    "channel", "against", "what happened to it", "alerts that stood", "of these ended", "lost", "left over",
    "slowest to hold what stands", "and nothing else",
)  # fmt: skip

_PAGE = Path(__file__).with_name("page.md").read_text(encoding="utf-8")


def table(verdicts: Sequence[Verdict]) -> str:
    """One row a channel."""
    return _table(_HEAD, map(_row, verdicts))


def level_table(verdicts: Sequence[LevelVerdict]) -> str:
    """One row a receiver of states."""
    return _table(_LEVEL_HEAD, map(_level_row, verdicts))


def page(outcome: Outcome, speed: float, pending: int) -> str:
    """The whole file. speed: alerts a second that one channel sustained until `pending` were delivered."""
    return filled(table(outcome.verdicts), level_table(outcome.levels), outcome.kills, round(speed), pending)


def filled(rows: str, levels: str, kills: int, speed: int, pending: int) -> str:
    """The page around its tables and figures."""
    return _PAGE.format(table=rows, levels=levels, kills=kills, speed=speed, pending=f"{pending:,}")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (
        f"`{verdict.channel}`",
        verdict.what,
        _faults(verdict.faults),
        str(verdict.alerts),
        str(len(verdict.lost)),
        str(len(verdict.disordered)),
        str(len(verdict.dead)),
        _twice(verdict),
        f"{verdict.slowest:.1f} s",
    )


def _level_row(verdict: LevelVerdict) -> tuple[str, ...]:
    return (
        f"`{verdict.channel}`",
        verdict.what,
        _faults(verdict.faults),
        str(verdict.begun),
        str(verdict.ended),
        str(len(verdict.lost)),
        str(len(verdict.left)),
        f"{verdict.held:.1f} s",
        f"{verdict.agreed:.1f} s",
    )


def _faults(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{fault} {times}" for fault, times in sorted(counted.items()))


def _twice(verdict: Verdict) -> str:
    if not verdict.twice:
        return "0"
    said = f"{len(verdict.twice)}, in {verdict.again} message{'s' * (verdict.again != 1)}"
    return f"{said}; {len(verdict.altered)} not the same" if verdict.altered else said
