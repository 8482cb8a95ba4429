"""Where the next job is to run: prints `cloud`, or `local` if the account cannot pay for it.

    python choose_processor.py /shared/status.json facefusion 20

The last argument is how many calls the job takes. Whatever is unclear (no file, an old file, an unknown balance) is
`local`: that job may be slower, but it ends.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

OLDEST = timedelta(minutes=5)  # several intervals: then nobody is watching


def processor(file: Path, account: str, calls: Decimal) -> str:
    try:
        status = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
        found = status["accounts"][account]
        fresh = datetime.now(UTC) - datetime.fromisoformat(status["updated"]) < OLDEST
        if not (fresh and found["usable"]):
            return "local"
        if found["state"] == "unlimited":
            return "cloud"
        return "cloud" if found["balance"] >= calls else "local"
    except (OSError, ValueError, KeyError, TypeError):
        return "local"


if __name__ == "__main__":
    print(processor(Path(sys.argv[1]), sys.argv[2], Decimal(sys.argv[3])))
