"""From the provider's answer that crosses the threshold to the webhook's arrival. Target: p99 of 100 ms.

Every answer is another state (low, critical, ok), so that every poll raises an alert. State and alert are on the disk
before the webhook is called.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator

from processes import daemon, warm_up_bytecode
from servers import Server, Stamps, balance


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=500)
    wanted = parser.parse_args().alerts
    warm_up_bytecode()
    answers, arrivals = Stamps(), Stamps()
    values: Iterator[int] = itertools.count(1)

    def provider(_path: str, _body: bytes) -> bytes:
        # each answer is critical with a number of its own, and with a cooldown of 0 each is announced
        value = next(values)
        answers.add(str(value))
        return balance(value)

    def receiver(_path: str, body: bytes) -> bytes:
        arrivals.add(str(json.loads(body)["alert"]["balance"]))
        return b"{}"

    settings = {
        "BALANCE_CHECK_ENDPOINT": Server(provider).url + "/v1/balance",
        "ALERT_WEBHOOK_URL": Server(receiver).url + "/alerts",
        "WARNING_THRESHOLD": "1000000",
        "ALERT_COOLDOWN": "0",
        "CHECK_INTERVAL": "0.05",
    }
    with daemon(settings):
        assert arrivals.wait_for(wanted, 60 + wanted / 5)
    answered = dict(answers.times)
    delays = sorted(1000 * (at - answered[key]) for key, at in arrivals.times[20:])
    p99 = delays[int(len(delays) * 0.99) - 1]
    print(
        f"threshold crossed to webhook received: median {statistics.median(delays):.1f} ms, p99 {p99:.1f} ms,"
        f" worst {delays[-1]:.1f} ms of {len(delays)} (p99 <= 100 ms)"
    )
    return p99 <= 100


if __name__ == "__main__":
    started = time.monotonic()
    raise SystemExit(0 if main() else 1)
