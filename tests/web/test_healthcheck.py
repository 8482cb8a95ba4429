"""`python -m token_monitor.healthcheck`, as a container runs it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.web import Daemon, account, serving, snapshot

ROOT = Path(__file__).parents[2]


def check(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The exit status and the line, run in `folder` with nothing in the environment but what is given."""
    done = subprocess.run(
        [sys.executable, "-m", "token_monitor.healthcheck", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.returncode, done.stdout.strip()


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with serving(Daemon(snapshot(account("a")))) as daemon:
        yield daemon


def test_a_healthy_daemon_is_exit_0(daemon: Daemon, tmp_path: Path) -> None:
    assert check(tmp_path, TOKEN_MONITOR_LISTEN=f"127.0.0.1:{daemon.server.address[1]}") == (0, "healthy")


def test_an_unhealthy_daemon_is_exit_1_with_its_reasons_in_one_line(daemon: Daemon, tmp_path: Path) -> None:
    daemon.shown = snapshot(problems=["thread stdout has died", "the scheduler is overdue"])
    answer = check(tmp_path, TOKEN_MONITOR_LISTEN=f"127.0.0.1:{daemon.server.address[1]}")
    assert answer == (1, "unhealthy: thread stdout has died; the scheduler is overdue")


def test_a_report_says_the_same_and_is_always_exit_0(daemon: Daemon, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{daemon.server.address[1]}"
    assert check(tmp_path, "--report", TOKEN_MONITOR_LISTEN=listen) == (0, "healthy")
    daemon.shown = snapshot(problems=["thread stdout has died"])
    assert check(tmp_path, "--report", TOKEN_MONITOR_LISTEN=listen) == (0, "unhealthy: thread stdout has died")
    assert check(tmp_path, "--report", TOKEN_MONITOR_LISTEN="nonsense")[0] == 0


@pytest.mark.parametrize(
    ("bound", "host"), [("0.0.0.0", "0.0.0.0"), ("::", "[::]"), ("::1", "[::1]"), ("::", "0.0.0.0")]
)
def test_a_daemon_that_listens_everywhere_is_asked_on_loopback(bound: str, host: str, tmp_path: Path) -> None:
    with serving(Daemon(snapshot()), host=bound) as daemon:
        assert check(tmp_path, TOKEN_MONITOR_LISTEN=f"{host}:{daemon.server.address[1]}") == (0, "healthy")


def test_the_setting_is_found_in_a_file_and_in_dot_env_and_the_environment_wins(daemon: Daemon, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{daemon.server.address[1]}"
    (tmp_path / "listen").write_text(listen + "\n")
    assert check(tmp_path, TOKEN_MONITOR_LISTEN_FILE=str(tmp_path / "listen")) == (0, "healthy")
    (tmp_path / ".env").write_text(f"TOKEN_MONITOR_LISTEN={listen}\n")
    assert check(tmp_path) == (0, "healthy")
    assert check(tmp_path, TOKEN_MONITOR_LISTEN="off")[0] == 0
    assert check(tmp_path, TOKEN_MONITOR_LISTEN="127.0.0.1:1")[0] == 1


def test_no_daemon_is_exit_1(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        status, line = check(tmp_path, TOKEN_MONITOR_LISTEN=f"127.0.0.1:{unheard.getsockname()[1]}")
    assert status == 1
    assert line.startswith("unhealthy: ")
    assert "refused" in line


def test_a_daemon_that_takes_the_connection_and_hangs_is_exit_1_within_about_3_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        started = time.monotonic()
        answer = check(tmp_path, TOKEN_MONITOR_LISTEN=f"127.0.0.1:{hanging.getsockname()[1]}")
        assert answer == (1, "unhealthy: no answer within 3 s")
        assert time.monotonic() - started < 6


@pytest.mark.parametrize("off", ["off", "OFF"])
def test_with_the_http_off_it_says_so_and_exits_0(tmp_path: Path, off: str) -> None:
    assert check(tmp_path, TOKEN_MONITOR_LISTEN=off) == (0, "not checked: TOKEN_MONITOR_LISTEN is off")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TOKEN_MONITOR_LISTEN": "everywhere"}, "host:port or off is allowed"),
        ({"TOKEN_MONITOR_LISTEN": "127.0.0.1:99999"}, "host:port or off is allowed"),
        ({"TOKEN_MONITOR_LISTEN_FILE": "/nonexistent/listen"}, "No such file"),
        ({"TOKEN_MONITOR_LISTEN": "off", "TOKEN_MONITOR_LISTEN_FILE": "/x"}, "both set"),
    ],
)
def test_a_setting_that_cannot_be_used_is_exit_1_with_the_cause(
    environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    status, line = check(tmp_path, **environment)
    assert status == 1
    assert said in line


def test_it_imports_nothing_heavy() -> None:
    heavy = '{"attrs", "cattrs", "requests", "starlette", "uvicorn", "yaml", "dotenv", "prometheus_client", "asyncio"}'
    code = f"import sys, token_monitor.healthcheck; assert not {heavy} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
