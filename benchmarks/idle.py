"""Memory and CPU of the idle daemon, beside a bare requests-polling script in the same run.

The daemon has served /metrics and /api/v1/status before it is measured. CPU at the default interval of 300 s is what
the idle daemon burns, plus what one poll costs every 300 s. Targets: at most 1.7 times the memory; at most 0.1 % of a
core.
"""

import argparse
import http.client
import statistics
import time

from processes import bare, cpu_seconds, daemon, free_port, rss_kib, warm_up_bytecode
from servers import Server, Stamps, balance

POLLS = 30


def main() -> bool:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to watch the idle daemon")
    seconds = parser.parse_args().seconds
    warm_up_bytecode()
    polls = Stamps()

    def answer(path: str, _body: bytes) -> bytes:
        polls.add(path)
        return balance(100)

    url = Server(answer).url + "/v1/balance"
    port = free_port()
    with (
        bare(url) as peer,
        daemon({"BALANCE_CHECK_ENDPOINT": url, "TOKEN_MONITOR_LISTEN": f"127.0.0.1:{port}"}) as ours,
    ):
        assert polls.wait_for(2, 20)
        time.sleep(2)
        for path in ("/metrics", "/api/v1/status"):
            ask(port, "GET", path)
        time.sleep(1)
        before = cpu_seconds(ours.pid)
        time.sleep(seconds)
        idle = (cpu_seconds(ours.pid) - before) / seconds
        memory, peer_memory = rss_kib(ours.pid), rss_kib(peer.pid)
        per_poll = cost_of_a_poll(port, ours.pid, polls)
    ratio = memory / peer_memory
    share = idle + per_poll / 300
    print(
        f"memory: daemon {memory / 1024:.1f} MiB, bare script {peer_memory / 1024:.1f} MiB, ratio {ratio:.2f} (<= 1.7)"
    )
    print(
        f"CPU: idle {100 * idle:.4f} %, one poll {1000 * per_poll:.2f} ms,"
        f" at 300 s together {100 * share:.4f} % of a core (<= 0.1 %)"
    )
    return ratio <= 1.7 and share <= 0.001


def cost_of_a_poll(port: int, pid: int, polls: Stamps) -> float:
    """CPU seconds of one poll, the request for it included."""
    costs = []
    for _ in range(POLLS):
        before, seen = cpu_seconds(pid), len(polls.times)
        ask(port, "POST", "/api/v1/accounts/facefusion/poll")
        assert polls.wait_for(seen + 1, 10)
        time.sleep(0.05)
        costs.append(cpu_seconds(pid) - before)
    return statistics.median(costs)


def ask(port: int, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path)
    assert connection.getresponse().read()
    connection.close()


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
