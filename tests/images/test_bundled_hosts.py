"""The image `bundled` where its base or its host is not kind: libraries for every program, root, sockets, mistakes."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fcntl import F_GETPIPE_SZ, fcntl
from pathlib import Path

import pytest

from support.beside import mapped
from support.containers import Engine

PRELOADED = "/lib/x86_64-linux-gnu/libresolv.so.2"
RESERVED_BY_LIBC = 0b11 << 31  # SIGCANCEL, SIGSETXID: posix_spawn of glibc 2.36 leaves both ignored in what it starts
COUNT = """import time
for step in range(9000):
    print("step", step, flush=True)
    time.sleep(0.1)"""
ROOTS = ("--cap-drop=ALL", "--cap-add=CHOWN", "--cap-add=KILL", "--cap-add=SETGID", "--cap-add=SETUID")


def user(pid: int) -> tuple[str, str, str]:
    """Of a process: its user, its group and its further groups."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    said = {name: value.split() for name, _colon, value in (line.partition(":") for line in lines)}
    return said["Uid"][0], said["Gid"][0], " ".join(said["Groups"])


def test_over_a_base_that_is_newer_than_the_monitor_both_work_each_on_its_own_libraries(beside, bundled_newer):
    both = beside(image=bundled_newer).working()
    hello = both.hello()

    assert (hello["python"].rpartition(".")[0], hello["libc"]) == ("3.13", "2.41")
    for pid in (both.monitor, both.container.pid):
        assert {path for path in mapped(pid) if not path.startswith("/opt/token-monitor/")} == set()
    assert both.container.health() == (0, "healthy")


@pytest.mark.parametrize("image", ["bundled", "bundled_newer"])
def test_what_the_base_loads_into_every_program_is_loaded_into_inference_alone(image, beside, request):
    """LD_PRELOAD and /etc/ld.so.preload of both bases name a library of theirs."""
    both = beside(image=request.getfixturevalue(image)).working()
    environment = both.hello()["environment"]

    assert environment["LD_PRELOAD"] == PRELOADED
    assert not {"LD_AUDIT", "INFERENCE_LD_PRELOAD", "INFERENCE_LD_AUDIT"} & environment.keys()
    assert any("libresolv" in path for path in mapped(both.inference))
    assert "ld.so" not in both.container.said().err
    assert "GLIBC" not in both.container.said().err


def test_another_library_can_be_loaded_into_inference_alone(beside):
    library = "/lib/x86_64-linux-gnu/libutil.so.1"
    both = beside(INFERENCE_LD_PRELOAD=library).working()

    assert both.hello()["environment"]["LD_PRELOAD"] == library


def test_the_stop_signal_of_the_base_is_not_kept(engine: Engine, bundled, beside):
    both = beside().working()

    engine.podman("stop", "--time=20", both.container.id)

    assert both.container.ended() == 0


def test_the_user_may_be_any(engine: Engine, beside, folder):
    """Another than the image's needs a data folder of its own."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    data.chmod(0o700)
    subprocess.run(["chown", "1234:1234", data], check=True)
    both = beside("--user=1234:1234", f"--volume={data}:/data", TOKEN_MONITOR_DATA="/data").working()

    assert user(both.monitor)[0] == user(both.inference)[0] == "1234"
    assert (data / "monitor.db").stat().st_uid == 1234


def test_where_inference_is_root_the_monitor_is_not_and_keeps_its_state(engine: Engine, beside, volume, provider):
    """Also where it was root before, and the files are root's."""
    both = beside("--user=0:0", confined=ROOTS).working()
    assert user(both.inference)[0] == "0"
    assert user(both.monitor) == ("65532", "65532", "")
    both.container.stop()
    data = Path(engine.podman("volume", "inspect", "--format={{.Mountpoint}}", volume).stdout.strip())
    for path in (data, *data.iterdir()):
        os.chown(path, 0, 0)

    asked = len(provider.requests)
    again = beside("--user=0:0", confined=ROOTS)
    provider.wait_for(asked + 3)

    assert again.container.said().alerts() == []
    assert "Cannot use the data folder" not in again.container.said().out
    assert {path.stat().st_uid for path in (data, *data.iterdir())} == {65532}


def test_another_data_folder_becomes_the_monitors_too_and_nothing_else_in_it(beside, folder):
    data = folder / "data"
    data.mkdir()
    (data / "model.onnx").touch()
    beside("--user=0:0", f"--volume={data}:/data", confined=ROOTS, TOKEN_MONITOR_DATA="/data").working()

    assert data.stat().st_uid == (data / "monitor.db").stat().st_uid == 65532
    assert (data / "model.onnx").stat().st_uid == 0


def test_a_data_folder_that_cannot_be_made_its_own_keeps_no_monitor_from_watching(beside, folder):
    data = folder / "data"
    data.mkdir()
    both = beside("--user=0:0", f"--volume={data}:/data:ro", confined=ROOTS, TOKEN_MONITOR_DATA="/data").working()

    assert user(both.monitor)[0] == "65532"
    assert "Cannot use the data folder" in both.container.said().out


def test_inference_begins_as_its_base_would_begin_it(beside):
    """With no variable and no ignored signal of our interpreter or of supervisord."""
    code = "tr '\\0' '\\n' </proc/$$/environ; grep SigIgn /proc/$$/status; sleep 600"
    both = beside(command=["sh", "-c", code])
    both.container.until(lambda: "SigIgn" in both.container.said().err)
    said = both.container.said().err

    ignored = int(said.partition("SigIgn:\t")[2][:16], base=16)
    assert ignored & ~RESERVED_BY_LIBC == 0
    assert "LC_CTYPE" not in said
    assert "SUPERVISOR_" not in said


def test_low_limits_keep_nothing_from_starting(beside):
    both = beside("--ulimit=nofile=256:256").working()
    assert both.container.health() == (0, "healthy")


def test_a_monitor_that_cannot_leave_root_says_so_and_does_not_run(beside):
    both = beside("--user=0:0", confined=["--cap-drop=ALL"])
    both.container.until(lambda: "error: token-monitor cannot leave root" in both.container.said().err)
    both.container.until(both.frames)

    assert user(both.inference)[0] == "0"
    assert both.container.said().out == ""


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("", "error: INFERENCE_COMMAND: names no program\n"),
        ("python 'facefusion.py", "error: INFERENCE_COMMAND: cannot be split into words: No closing quotation\n"),
    ],
)
def test_an_inference_command_that_is_none_is_one_line_and_exit_status_2(command, complaint, beside):
    both = beside(INFERENCE_COMMAND=command)

    assert both.container.ended() == 2
    assert both.container.said().err == complaint
    assert both.container.said().out == ""


def test_an_inference_program_that_is_not_there_is_said_at_every_try_and_the_monitor_goes_on(beside):
    both = beside(INFERENCE_COMMAND="pyhton facefusion.py")
    line = "error: inference cannot start, pyhton: No such file or directory"

    both.container.until(lambda: both.container.said().err.splitlines().count(line) >= 2)
    both.container.until(lambda: both.container.said().alerts())


def test_words_after_the_image_are_the_inference_command_as_they_are(beside):
    code = "import sys, time; print(sys.argv[1:], flush=True); time.sleep(60)"
    both = beside(command=["python", "-c", code, "two  words", "100%", "it's", ""])

    both.container.until(lambda: """['two  words', '100%', "it's", '']""" in both.container.said().err)


@pytest.fixture
def given(engine: Engine, bundled, provider, volume, listen) -> Callable[[int, int], AbstractContextManager[None]]:
    """Run the image on these standard streams themselves; inference counts on standard error, ten a second."""
    provider.balance = 5
    told = {
        "FACEFUSION_API_TOKEN": "tok-77aa",
        "BALANCE_CHECK_ENDPOINT": provider.url,
        "TOKEN_MONITOR_LISTEN": listen,
        "INFERENCE_COMMAND": f"python -c '{COUNT}'",
    }
    settings = [f"--env={name}={value}" for name, value in told.items()]
    limits = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=1024:1024", f"--volume={volume}:/var/lib/token-monitor"]
    options = ["--rm", f"--name={volume}", "--log-driver=passthrough", "--network=host", *limits, *settings]

    @contextmanager
    def run(out: int, err: int) -> Iterator[None]:
        command = [*engine.command("podman"), "run", *options, bundled]
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            yield
        finally:
            started.terminate()
            try:
                assert started.wait(30) == 0
            finally:
                engine.podman("rm", "--force", "--ignore", "--time=0", volume)

    return run


def test_standard_streams_that_are_sockets_are_written_to(given):
    """As systemd gives them to a service, and podman with the log driver `passthrough`."""
    (out, out_given), (err, err_given) = (socket.socketpair() for _stream in range(2))
    with out, err, given(out_given.fileno(), err_given.fileno()):
        out_given.close()
        err_given.close()
        assert b"Token balance low" in read_until(out, b"Token balance low")
        assert b"\nstep 1\n" in read_until(err, b"\nstep 1\n")


def test_a_stdout_that_nobody_reads_stops_neither_inference_nor_its_end(given, provider):
    reader, full = os.pipe()
    os.write(full, bytes(fcntl(full, F_GETPIPE_SZ)))
    err, err_given = socket.socketpair()
    with err, given(full, err_given.fileno()):
        err_given.close()
        provider.wait_for(1)
        read_until(err, b"\nstep 60\n")
    os.close(full)
    os.close(reader)


def read_until(stream: socket.socket, word: bytes) -> bytes:
    """All that came, which ends with the first chunk that completes `word`. Raises TimeoutError."""
    stream.settimeout(30)
    read = b""
    while word not in read and (chunk := stream.recv(4096)):
        read += chunk
    assert word in read
    return read
