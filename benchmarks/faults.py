"""The fault campaign: alerts from the real daemon while every receiver fails and the daemon is killed.

Targets: no alert lost, none out of order within its subject, none changed when it comes twice; Alertmanager holds what
stands and nothing else. With `--write` the tables become docs/reliability.md. Takes about five minutes.
"""

import argparse
import io
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from delivery import TARGET, real_daemon  # noqa: E402

from support.campaign.agreement import LevelVerdict  # noqa: E402
from support.campaign.everything import COUNTERPARTS, missing  # noqa: E402
from support.campaign.page import level_table, page, table  # noqa: E402
from support.campaign.run import Outcome, Plan, campaign  # noqa: E402
from support.campaign.verdict import Verdict  # noqa: E402

SUSTAINED = 5000


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=200, help="at least as many for each channel")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--channels", default=",".join(COUNTERPARTS), help="names, separated by commas")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    asked = options.channels.split(",")
    if unknown := set(asked) - set(COUNTERPARTS):
        parser.error(f"no such channel: {', '.join(sorted(unknown))}")
    absent = {name: why for name in asked if (why := missing(name)) is not None}
    for name, why in absent.items():
        print(f"{name} is left out: {why}")
    names = [name for name in asked if name not in absent]
    print(f"seed {options.seed}", flush=True)
    outcome = run(names, Plan(options.alerts, options.seed))
    print(table(outcome.verdicts), level_table(outcome.levels), sep="\n\n", end="\n\n")
    print(
        f"kill -9: {outcome.kills} times; {outcome.seconds:.0f} s; seed {options.seed}"
        " (lost 0, altered 0, out of order 0)"
    )
    good = [explained(verdict, options.alerts) for verdict in outcome.verdicts]
    good += [level_explained(verdict, options.alerts) for verdict in outcome.levels]
    if options.write:
        if set(names) != set(COUNTERPARTS):
            print("docs/reliability.md is not written: it takes every channel")
            return False
        speed = real_daemon(SUSTAINED)
        print(f"{SUSTAINED} pending alerts, sustained: {speed:.0f} alerts/s (>= {TARGET})")
        good.append(speed >= TARGET)
        (ROOT / "docs" / "reliability.md").write_text(page(outcome, speed, SUSTAINED), encoding="utf-8")
    return all(good)


def run(names: Sequence[str], plan: Plan) -> Outcome:
    """What the daemons wrote is shown only if the campaign cannot be finished."""
    written = io.StringIO()
    try:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(written):
            makes = [COUNTERPARTS[name] for name in names]
            return campaign(Path(folder), makes, plan, lambda line: print(line, file=sys.stderr, flush=True))
    except BaseException:
        print(written.getvalue()[-20_000:], file=sys.stderr)
        raise


def explained(verdict: Verdict, alerts: int) -> bool:
    """Says what is not as it should be; whether all is."""
    found = {
        "lost": verdict.lost,
        "given up": verdict.dead,
        "arrived and not owed": verdict.strange,
        "came twice and not the same": verdict.altered,
        "out of order": verdict.disordered,
    }
    tell(verdict.channel, found)
    return enough(verdict.channel, verdict.alerts, alerts) and verdict.good


def level_explained(verdict: LevelVerdict, alerts: int) -> bool:
    """The same of a receiver of states, of which a beginning and an end are one alert each elsewhere."""
    tell(verdict.channel, {"stands and is not held": verdict.lost, "is held and does not stand": verdict.left})
    return enough(verdict.channel, verdict.begun + verdict.ended, alerts) and verdict.good


def tell(channel: str, found: Mapping[str, Sequence[str]]) -> None:
    for what, ids in found.items():
        if ids:
            print(f"{channel}: {what}: {', '.join(ids)}")


def enough(channel: str, seen: int, wanted: int) -> bool:
    if seen < wanted:
        print(f"{channel}: only {seen} alerts, not {wanted}: too few to say anything")
    return seen >= wanted


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
