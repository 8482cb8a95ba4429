"""1,000 accounts over TLS on a local provider: CPU share, memory per account, and how late polls start.

Lateness is what the scheduler itself sees: the moment a scheduled poll starts, less the moment it was due. Targets:
at most 50 KB an account after the first round; from the second round on no poll later than 2 s.
"""

import argparse
import json
import ssl
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import trustme
from processes import HERE, cpu_seconds, daemon, rss_kib, warm_up_bytecode
from servers import Server, balance

ACCOUNTS = 1000


class Rounds:
    """How often each account was asked for."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    def add(self, path: str) -> None:
        with self._changed:
            self._counts[path] += 1
            self._changed.notify_all()

    def wait_for(self, accounts: int, rounds: int, timeout: float) -> None:
        with self._changed:
            done = self._changed.wait_for(
                lambda: len(self._counts) >= accounts and min(self._counts.values()) >= rounds, timeout
            )
        assert done, f"round {rounds} is not complete after {timeout:.0f} s"


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interval", type=float, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warm_up_bytecode()
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(str(bundle))
        one = measure(1, bundle, tls, options.interval, rounds=1)
        all_of_them = measure(ACCOUNTS, bundle, tls, options.interval, options.rounds)
    each = (all_of_them["memory"] - one["memory"]) / (ACCOUNTS - 1)
    late = all_of_them["late"]
    print(
        f"{ACCOUNTS} accounts over TLS, every {options.interval:g} s, {options.rounds} rounds:"
        f" first round {all_of_them['first']:.1f} s, then {100 * all_of_them['cpu']:.2f} % of a core,"
        f" {each:.1f} KiB an account (<= 50), latest poll {late:.3f} s (<= 2 s)"
    )
    return each <= 50 and late <= 2


def measure(accounts: int, bundle: Path, tls: ssl.SSLContext, interval: float, rounds: int) -> dict[str, float]:
    seen = Rounds()

    def answer(path: str, _body: bytes) -> bytes:
        seen.add(path)
        return balance(100)

    url = Server(answer, tls).url
    config = bundle.parent / f"{accounts}.yaml"
    config.write_text(
        json.dumps(
            {
                "defaults": {"interval": f"{interval:g}", "thresholds": {"warning": 10}},
                "accounts": [
                    {"name": f"account {n}", "endpoint": f"{url}/{n}", "credential": f"credential-{n:04d}"}
                    for n in range(accounts)
                ],
            }
        )
    )
    settings = {"TOKEN_MONITOR_CONFIG": str(config), "REQUESTS_CA_BUNDLE": str(bundle)}
    started = time.monotonic()
    with daemon(settings, str(HERE / "fleet_daemon.py"), stdout=subprocess.PIPE) as process:
        seen.wait_for(accounts, 1, 120)
        first = time.monotonic() - started
        time.sleep(2)
        memory, cpu, since = rss_kib(process.pid), cpu_seconds(process.pid), time.monotonic()
        seen.wait_for(accounts, rounds, rounds * interval * 1.3 + 60)
        share = (cpu_seconds(process.pid) - cpu) / (time.monotonic() - since)
        process.terminate()
        assert process.stdout is not None
        last = process.stdout.read().decode().splitlines()[-1]
    return {"memory": memory, "cpu": share, "first": first, "late": json.loads(last)["latest"]}


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
