"""supervisord.conf under the real supervisord, beside a stand-in for the inference process."""

import os
import signal
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from fcntl import F_GETPIPE_SZ, fcntl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from support.draining import DRAINS, SECONDS
from support.supervised import CONF, Supervised, wait_until

INFERENCE = """
import sys, time
assert sys.argv[1:] == ["run", "--execution-providers", "cuda"], sys.argv
while True:
    print("frame", flush=True)
    time.sleep(0.1)
"""

CRASHING_MONITOR = """
import sys, time
with open("starts", "a") as starts:
    starts.write(f"{time.monotonic()}\\n")
sys.exit(1)
"""


class Balance(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"balance": 5}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[str]:
    """The URL of a provider with 5 calls left, below the default warning threshold."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Balance)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/balance"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def start(short_folder: Path, provider: str) -> Iterator[Callable[..., Supervised]]:
    """Start supervisord in an environment that is complete but for what the test changes."""
    (short_folder / "facefusion.py").write_text(INFERENCE, encoding="utf-8")
    running = []

    def start(pipe: int | None = None, **changes: str) -> Supervised:
        environment = {
            "FACEFUSION_API_TOKEN": "a-credential",
            "BALANCE_CHECK_ENDPOINT": provider,
            "TOKEN_MONITOR_DATA": str(short_folder / "data"),
            "TOKEN_MONITOR_LISTEN": "off",
        }
        running.append(Supervised(short_folder, environment | changes, pipe))
        return running[0]

    yield start
    for supervised in running:
        supervised.close()


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """The end to write to of a pipe that takes no more, since nobody reads it."""
    reader, writer = os.pipe()
    os.write(writer, bytes(fcntl(writer, F_GETPIPE_SZ)))
    yield writer
    os.close(reader)
    os.close(writer)


def alerts(supervised: Supervised) -> list[object]:
    return [line["msg"] for line in supervised.lines() if "alert_id" in line]


def frames_after(supervised: Supervised, count: int) -> None:
    """Wait until the inference process has worked on `count` more frames, a tenth of a second each."""
    seen = supervised.stderr.count("frame\n")
    wait_until(lambda: supervised.stderr.count("frame\n") >= seen + count)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_monitor_warns_on_stdout_while_the_inference_process_and_supervisord_talk_on_stderr(start):
    supervised = start()

    wait_until(lambda: alerts(supervised) == ["Token balance low"])
    wait_until(lambda: "frame\n" in supervised.stderr)
    supervised.terminate()

    assert all(isinstance(line, dict) for line in supervised.lines())
    assert supervised.stdout.endswith("\n")
    assert "spawned: 'token-monitor'" in supervised.stderr


def test_an_inference_process_that_is_killed_is_restarted_alone(start):
    supervised = start()
    wait_until(lambda: alerts(supervised))
    monitor, inference = supervised.pid("token-monitor"), supervised.pid("inference")

    os.kill(inference, signal.SIGKILL)
    wait_until(lambda: supervised.pid("inference") not in {0, inference})

    frames_after(supervised, 1)
    assert supervised.pid("token-monitor") == monitor


def test_a_monitor_that_is_killed_is_restarted_alone(start):
    supervised = start()
    wait_until(lambda: alerts(supervised))
    monitor, inference = supervised.pid("token-monitor"), supervised.pid("inference")

    os.kill(monitor, signal.SIGKILL)
    wait_until(lambda: supervised.pid("token-monitor") not in {0, monitor})
    said = len(supervised.lines())
    wait_until(lambda: len(supervised.lines()) > said)

    assert supervised.state("token-monitor") == "RUNNING"
    assert supervised.pid("inference") == inference


def test_a_wrong_configuration_is_said_once_and_leaves_the_inference_process_alone(start):
    supervised = start(CHECK_INTERVAL="-1")

    wait_until(lambda: supervised.state("token-monitor") == "EXITED")
    inference = supervised.pid("inference")
    frames_after(supervised, 30)

    assert supervised.state("token-monitor") == "EXITED"
    assert supervised.spawned("token-monitor") == 1
    assert "CHECK_INTERVAL" in supervised.stderr
    assert supervised.pid("inference") == inference
    assert supervised.spawned("inference") == 1


def test_a_monitor_that_crashes_at_once_is_started_again_but_not_more_than_once_a_second(start, short_folder):
    (short_folder / "token_monitor.py").write_text(CRASHING_MONITOR, encoding="utf-8")
    start()
    starts = short_folder / "starts"

    wait_until(lambda: starts.exists() and starts.read_text().count("\n") >= 4)

    times = [float(line) for line in starts.read_text().split()]
    assert min(later - sooner for sooner, later in pairwise(times)) >= 1.0


def test_an_inference_process_that_ends_at_once_is_never_given_up():
    told = ConfigParser(interpolation=None)
    told.read_string(CONF.read_text(encoding="utf-8"))

    assert (told["program:inference"]["autorestart"], told["program:inference"]["startretries"]) == ("true", "1000000")


def test_a_stdout_that_nobody_reads_stops_neither_the_inference_process_nor_its_end(start, short_folder, full_pipe):
    supervised = start(pipe=full_pipe)

    wait_until((short_folder / "data" / "monitor.db").exists)
    frames_after(supervised, 20)

    assert supervised.terminate() < 10
    assert supervised.spawned("token-monitor") == 1


def test_another_inference_command_is_taken_from_the_environment_with_its_quotes(start):
    supervised = start(INFERENCE_COMMAND="""sh -c 'echo "$0"; exec sleep 60' 'two  words'""")

    wait_until(lambda: "two  words\n" in supervised.stderr)

    assert supervised.spawned("inference") == 1


def test_sigterm_stops_everything_within_seconds_and_leaves_nothing(start, short_folder):
    supervised = start()
    wait_until(lambda: alerts(supervised))
    pids = [supervised.pid("token-monitor"), supervised.pid("inference")]

    assert supervised.terminate() < 5

    assert supervised.process.returncode == 0
    assert all(gone(pid) for pid in pids)
    assert not list(short_folder.glob("token-monitor-supervisord.*"))
    assert "SIGKILL" not in supervised.stderr


def test_the_inference_process_is_told_first_even_if_the_monitor_hangs_and_has_the_time_it_needs(start, short_folder):
    (short_folder / "facefusion.py").write_text(DRAINS + INFERENCE, encoding="utf-8")
    supervised = start()
    wait_until(lambda: alerts(supervised) and "frame\n" in supervised.stderr)
    monitor = supervised.pid("token-monitor")

    os.kill(monitor, signal.SIGSTOP)
    supervised.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining\n" in supervised.stderr, 2)
    os.kill(monitor, signal.SIGCONT)
    assert supervised.process.wait(SECONDS + 10) == 0

    assert "drained\n" in supervised.stderr
    assert "SIGKILL" not in supervised.stderr
    assert supervised.stderr.index("stopped: inference") < supervised.stderr.index("stopped: token-monitor")
