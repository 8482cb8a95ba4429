"""Where the next job is to run: prints `cloud`, or `local` if it is not certain that the account can pay for it.

    python choose_processor.py /shared/status.json facefusion 20

The last argument is how many calls the job takes. Whatever is unclear (no file, a damaged or an old one, numbers that
were read too long ago) is `local`: that job may be slower, but it ends. Needs Python 3.8 and nothing else.
"""

import argparse
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path


def processor(file: Path, account: str, calls: float, oldest: timedelta) -> str:
    try:
        status = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal, parse_int=Decimal)
        found = status["accounts"][account]
        current = recent(status["updated"], oldest) and recent(found["last_success"], oldest)
        if not current or found["usable"] is not True or found["silent"] is not False:
            return "local"
        if found["state"] == "unlimited":
            return "cloud"
        return "cloud" if isinstance(found["balance"], Decimal) and found["balance"] >= calls else "local"
    except Exception:  # noqa: BLE001 - whatever is in that file, the job has to run somewhere
        return "local"


def recent(written: str, oldest: timedelta) -> bool:
    """A time to come is not recent: somebody's clock is wrong."""
    at = datetime.strptime(written, "%Y-%m-%dT%H:%M:%S.%f%z")
    return abs(datetime.now(timezone.utc) - at) < oldest  # noqa: UP017 - datetime.UTC needs Python 3.11


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("account")
    parser.add_argument("calls", type=float)
    parser.add_argument("--oldest", type=float, default=5, help="minutes; several intervals of the account")
    given = parser.parse_args()
    print(processor(given.file, given.account, given.calls, timedelta(minutes=given.oldest)))
