"""The exec channel against real programs."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from support.delivering import CHANNEL, DeliveryBench, NoTelemetry
from support.messages import low
from token_monitor.app.registry import REGISTRY
from token_monitor.channels import process
from token_monitor.channels.exec import Exec, ExecChannel
from token_monitor.config.load import load
from token_monitor.config.show import show
from token_monitor.core.argument import Argument
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.payload import payload
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds
from token_monitor.delivery import ChannelWorker

Script = Callable[..., ExecChannel]


def command(*words: str) -> Exec:
    return Exec([Argument(word) for word in words])


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A channel that runs a shell script, which finds the test's folder in `$1`."""

    def make(text: str, timeout: float = 20.0, program: str = "/bin/sh") -> ExecChannel:
        file = tmp_path / "script"
        file.write_text(f"#!{program}\n{text}\n")
        file.chmod(0o755)
        return ExecChannel(evolve(command(str(file), str(tmp_path)), timeout=Seconds(timeout)))

    return make


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


def children() -> set[str]:
    """Zombies too."""
    return {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


def failure(channel: ExecChannel) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        channel.send(low())
    assert caught.value.reason.isprintable()
    return caught.value


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_exit_status_0_is_delivered_and_the_first_line_is_the_answer(script: Script) -> None:
    channel = script("echo paged the night shift; echo more")
    assert channel.send(low()).endswith("/script exited with 0: paged the night shift")
    assert script("exit 0").send(low()).endswith("/script exited with 0")


def test_the_alert_is_on_standard_input_as_the_webhook_sends_it(script: Script, tmp_path: Path) -> None:
    script('cat > "$1/stdin"').send(low())
    assert (tmp_path / "stdin").read_bytes() == payload(low())
    assert json.loads((tmp_path / "stdin").read_text())["alert"]["balance"] == 5


def test_the_environment_is_the_alert_and_path_home_and_lang_and_nothing_of_the_daemon(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEFUSION_API_TOKEN", "secret-canary")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HOME", "/somewhere")
    script('env -0 > "$1/env"').send(low())
    found = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().split("\0") if line)
    for name in ("PWD", "SHLVL", "_", "OLDPWD"):
        found.pop(name, None)  # the shell's own
    assert found == {
        "PATH": os.environ["PATH"], "HOME": "/somewhere", "LANG": "C.UTF-8",
        "TM_ID": "e-1", "TM_KIND": "account", "TM_SUBJECT": "facefusion/balance", "TM_ACCOUNT": "facefusion",
        "TM_QUANTITY": "balance", "TM_STATE": "low", "TM_LEVEL": "warning", "TM_REASON": "first",
        "TM_TRIGGER": "threshold", "TM_BALANCE": "5", "TM_THRESHOLD": "10", "TM_LIMIT": "", "TM_UNIT": "calls",
        "TM_RUNWAY_SECONDS": "", "TM_CREDENTIAL_LABEL": "", "TM_CREDENTIAL_FROM": "", "TM_CREDENTIAL_TO": "",
        "TM_CREDENTIAL_WHY": "", "TM_EPISODE": "e", "TM_AT": "2026-04-05T10:00:00.000Z",
        "TM_HEADLINE": "Token balance low", "TM_TEXT": low().text,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["余额不足", "two\nlines", "\ud800 \x00", "$(touch hacked) `id` '\"; exit 1", "x" * 300_000]
)
def test_any_text_reaches_the_program(script: Script, tmp_path: Path, text: str) -> None:
    script('cat > "$1/stdin"; printf %s "$TM_TEXT" > "$1/text"').send(low(text))
    assert isinstance(json.loads((tmp_path / "stdin").read_text())["text"], str)
    told = (tmp_path / "text").read_text()
    assert told == text or (len(told) < 20_000 and told[0] == text[0]) or "\ud800" in text


def test_arguments_are_passed_as_they_are_and_no_shell_reads_them(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    rest = ["$HOME", "a b", "*", "; touch hacked", ""]
    ExecChannel(command(sys.executable, "-c", code, str(tmp_path / "argv"), *rest)).send(low())
    assert (tmp_path / "argv").read_text() == repr(rest)


def test_it_runs_in_the_root_folder_in_a_session_of_its_own_without_our_descriptors_and_masks(
    script: Script, tmp_path: Path
) -> None:
    code = """
import os, signal, sys
left = []
for fd in range(3, 200):
    try: os.fstat(fd); left.append(fd)
    except OSError: pass
ours = [number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN]
ours.remove(signal.SIGPIPE); ours.remove(signal.SIGXFSZ)  # Python's own
masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
open(sys.argv[1] + "/seen", "w").write(repr((os.getcwd(), os.getsid(0) == os.getpid(), left, ours, masked)))
"""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    old = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        script(code, program=sys.executable).send(low())
    finally:
        signal.signal(signal.SIGHUP, old)
        os.close(read)
        os.close(write)
    assert (tmp_path / "seen").read_text() == repr(("/", True, [], [], set()))


def test_status_75_is_tried_again(script: Script) -> None:
    error = failure(script("echo the pager is busy >&2; exit 75"))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert error.reason.endswith("/script exited with 75: the pager is busy")


@pytest.mark.parametrize("status", [1, 2, 74, 76, 126, 127, 128, 193, 255])
def test_any_other_status_gives_the_alert_up_with_the_first_line_of_standard_error(script: Script, status: int) -> None:
    error = failure(script(f"echo fine; printf '\\n  no such\\tpager\\nmore\\n' >&2; exit {status}"))
    assert error.scope is Scope.MESSAGE
    assert error.reason.endswith(f"/script exited with {status}: no such pager")


@pytest.mark.parametrize("end", ["kill -TERM $$", "exit 143"], ids=["by a signal", "as a shell reports one"])
def test_what_a_signal_ended_is_tried_again_for_it_may_have_ended_us_too(script: Script, end: str) -> None:
    error = failure(script(end))
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert "SIGTERM" in error.reason


def test_what_a_program_says_is_bounded_redacted_and_printable(script: Script) -> None:
    secret = Secret("the-pager-token")
    error = failure(
        script(f"printf 'bad token {secret.reveal()} \\033[31m' >&2; head -c 500000 /dev/zero | tr '\\0' x >&2; exit 1")
    )
    assert "bad token *** " in error.reason
    assert len(error.reason) < 400


def test_a_program_reads_the_whole_alert_even_if_token_monitor_is_killed_meanwhile(tmp_path: Path) -> None:
    begun, read = tmp_path / "begun", tmp_path / "read"
    program = f"touch {begun}; sleep 0.3; cat >{read}.part; mv {read}.part {read}"
    run = f"Runner().run(['sh', '-c', {program!r}], b'x' * 300000, {{}}, 9)"
    code = f"from token_monitor.channels.process import Runner; {run}"
    killed = subprocess.Popen([sys.executable, "-c", code])
    wait_for(begun.exists)
    killed.kill()
    killed.wait()
    wait_for(read.exists)

    assert read.stat().st_size == 300_000


def test_a_program_that_floods_its_output_and_reads_nothing_ends_in_its_own_time(script: Script) -> None:
    channel = script("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 0")
    assert channel.send(low("x" * 300_000))


def test_output_is_kept_up_to_4_kib() -> None:
    ended = process.Runner().run(["/bin/sh", "-c", "head -c 100000 /dev/zero; echo short >&2"], b"", {}, 20)
    assert (ended.code, len(ended.out), ended.err) == (0, 4096, b"short\n")


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "], ids=["ends at SIGTERM", "ignores SIGTERM"])
def test_at_the_timeout_the_whole_process_group_is_ended(
    script: Script, tmp_path: Path, trap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE", 0.3)
    body = f'{trap}(echo $$ > "$1/leader"; sh -c \'{trap}echo $$ > "$0/child"; while :; do sleep 0.1; done\' "$1")'
    started = time.monotonic()
    error = failure(script(f"echo on its way >&2; {body}", timeout=0.4))
    assert time.monotonic() - started < 8.0
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    assert error.reason.endswith("had not ended after 0.4 s and was stopped: on its way")
    pids = [int((tmp_path / name).read_text()) for name in ("leader", "child")]
    wait_for(lambda: not any(map(alive, pids)))


def test_a_program_may_clean_up_between_sigterm_and_sigkill(script: Script, tmp_path: Path) -> None:
    failure(script("trap 'echo cleaned > \"$1/cleaned\"; exit 0' TERM; while :; do sleep 0.05; done", timeout=0.3))
    assert (tmp_path / "cleaned").read_text() == "cleaned\n"


def test_a_grandchild_that_holds_the_pipes_does_not_hold_up_the_delivery_and_lives_on(
    script: Script, tmp_path: Path
) -> None:
    started = time.monotonic()
    channel = script('sleep 30 & echo $! > "$1/grandchild"; echo started')
    assert channel.send(low()).endswith("exited with 0: started")
    assert time.monotonic() - started < 5.0
    grandchild = int((tmp_path / "grandchild").read_text())
    assert alive(grandchild)
    os.kill(grandchild, signal.SIGKILL)


def test_the_end_is_noticed_at_once_without_and_with_process_descriptors(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_pid: int) -> int:
        raise PermissionError

    channel = script("sleep 30 & kill -9 $!; exit 0")
    channel.send(low())
    monkeypatch.setattr(os, "pidfd_open", forbidden)
    started = time.monotonic()
    channel.send(low())
    script("exec >&- 2>&- <&-; sleep 0.1").send(low())
    assert time.monotonic() - started < 8.0


def test_nothing_is_left_open(script: Script) -> None:
    channel = script("exit 0")
    channel.send(low())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        channel.send(low())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_that_is_not_there_or_cannot_run_is_the_fault_of_the_channel(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    unknown = tmp_path / "unknown"
    unknown.write_bytes(b"\x00\x01\x02 not a program")
    unknown.chmod(0o755)
    for path, why in (
        (tmp_path / "nothing", "No such file or directory"),
        (plain, "Permission denied"),
        (plain / "x", "Not a directory"),
        (unknown, "Exec format error"),
    ):
        error = failure(ExecChannel(command(str(path))))
        assert (error.scope, error.reason) == (Scope.CHANNEL, f"{path} cannot be run: {why}")


def test_a_program_is_named_by_its_path_or_found_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("page-the-shift", "./script", "bin/script", ""):
        with pytest.raises(ValueError, match="an absolute path, or the name of a program in PATH"):
            command(wrong)
    with pytest.raises(ValueError, match="an empty command"):
        command()
    program = tmp_path / "page-the-shift"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert ExecChannel(command("page-the-shift")).send(low()) == f"{program} exited with 0"


def test_closed_it_kills_the_group_that_runs_and_starts_nothing_more(script: Script, tmp_path: Path) -> None:
    channel = script('trap \'\' TERM; sleep 60 & echo $! > "$1/child"; mv "$1/child" "$1/pid"; wait')
    errors: list[ChannelError] = []
    sending = threading.Thread(target=lambda: errors.append(failure(channel)))
    sending.start()
    wait_for((tmp_path / "pid").exists)
    child = int((tmp_path / "pid").read_text())
    channel.close()
    sending.join(10)
    wait_for(lambda: not alive(child))
    [error] = errors
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    error = failure(channel)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, False)
    assert "Operation canceled" in error.reason


def test_closed_while_a_program_starts_it_ends_that_one(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = script("sleep 60")
    started = subprocess.Popen

    def start(*args: Any, **options: Any) -> Any:
        channel.close()
        return started(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", start)
    assert failure(channel).reason.endswith("was ended by SIGKILL")


def test_a_fault_while_it_runs_leaves_no_process(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(process._Talk, "_read", broken)
    with pytest.raises(MemoryError):
        script("echo; sleep 30").send(low())


def test_the_id_of_a_group_is_the_messages(script: Script, tmp_path: Path) -> None:
    script('printf %s "$TM_ID" > "$1/id"').send(evolve(low(), group="group-1"))
    assert (tmp_path / "id").read_text() == "group-1"


@pytest.mark.parametrize(
    ("end", "pending", "dead"),
    [("exit 0", 0, 0), ("exit 75", 1, 0), ("sleep 60", 1, 0), ("exit 143", 1, 0), ("exit 1", 0, 1), ("exit 127", 0, 1)],
)
def test_what_becomes_of_the_stored_alert(script: Script, end: str, pending: int, dead: int) -> None:
    bench = DeliveryBench()
    bench.worker = ChannelWorker(CHANNEL, script(end, timeout=0.3), bench.store, NoTelemetry(), bench.clock, None)
    bench.raise_alert("facefusion")
    bench.worker.step()
    assert (bench.pending, bench.dead) == (pending, dead)


def test_under_flock_a_program_never_runs_twice_at_a_time_and_the_alert_waits(tmp_path: Path) -> None:
    lock, ran = tmp_path / "lock", tmp_path / "ran"
    channel = ExecChannel(command("flock", "--nonblock", "--conflict-exit-code=75", str(lock), "/bin/touch", str(ran)))
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert failure(channel).scope is Scope.RETRY
        assert not ran.exists()
    channel.send(low())
    assert ran.exists()


@pytest.mark.usefixtures("no_other_secrets")
def test_an_argument_from_a_variable_is_not_shown_and_masked_in_what_the_program_says(tmp_path: Path) -> None:
    file = tmp_path / "tm.yaml"
    file.write_text(
        "accounts: [{name: a, credential: the-credential}]\nchannels:\n"
        "  page: {type: exec, command: [/bin/sh, -c, 'echo no $1 >&2; exit 1', sh, '${PAGER_TOKEN}']}\n"
    )
    environ = {"HOME": "/nowhere", "TOKEN_MONITOR_CONFIG": str(file), "PAGER_TOKEN": "argument-canary"}
    settings = load(environ, tmp_path, REGISTRY)
    assert "- sh\n    - '***'\n" in show(settings)
    assert "canary" not in show(settings) + repr(settings)
    options = settings.channels["page"].options
    assert isinstance(options, Exec)
    assert failure(ExecChannel(options)).reason == "/bin/sh exited with 1: no ***"
