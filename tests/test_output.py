"""The writer of standard output, against real pipes, a named pipe and a full disk."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from token_monitor.output import MAX_WAITING, Output

DEADLINE = 10.0
BIG = "x" * 300_000


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A read and a write end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


class Sending:
    """One call of `Output.alert` in a thread of its own."""

    def __init__(self, output: Output, text: str) -> None:
        self.error: OSError | None = None
        self._output, self._text = output, text
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self) -> None:
        try:
            self._output.alert(self._text)
        except OSError as error:
            self.error = error

    def done(self, within: float = DEADLINE) -> bool:
        self.thread.join(within)
        return not self.thread.is_alive()


def read_until(fd: int, enough: Callable[[bytes], bool]) -> bytes:
    data = b""
    while not enough(data):
        piece = os.read(fd, 1 << 16)
        assert piece, "the pipe ended early"
        data += piece
    return data


def blocked(write: int) -> Output:
    """An output whose thread is stuck in a line that the pipe cannot hold."""
    output = Output(write)
    output.line(BIG)
    deadline = time.monotonic() + DEADLINE
    while output._queue.qsize():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return output


def test_lines_and_alerts_arrive_whole_and_in_order(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = Output(write)
    output.line("first")
    output.alert("second")
    output.line("third")
    assert output.close(DEADLINE)
    assert os.read(read, 1000) == b"first\nsecond\nthird\n"


def test_an_alert_has_been_written_when_the_call_returns(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = Output(write)
    output.alert("here")
    assert os.read(read, 1000) == b"here\n"
    output.close(DEADLINE)


def test_a_blocked_pipe_blocks_no_ordinary_line_and_one_line_says_how_many_were_dropped(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = blocked(write)
    output.render_dropped = lambda count: f"dropped={count}"
    started = time.monotonic()
    for number in range(MAX_WAITING + 7):
        output.line(f"line {number}")
    assert time.monotonic() - started < 5.0
    told = read_until(read, lambda data: f"line {MAX_WAITING - 1}\n".encode() in data).decode().splitlines()
    assert told[0] == BIG
    assert [line for line in told if line.startswith("dropped")] == ["dropped=7"]
    assert [line for line in told if line.startswith("line")] == [f"line {number}" for number in range(MAX_WAITING)]
    assert output.close(DEADLINE)


def test_an_alert_waits_for_a_blocked_pipe_and_is_never_dropped(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = blocked(write)
    for _ in range(MAX_WAITING + 1):
        output.line("noise")
    sending = Sending(output, "the alert")
    assert not sending.done(within=0.05)
    assert b"the alert\n" in read_until(read, lambda data: b"the alert\n" in data)
    assert sending.done()
    assert sending.error is None
    output.close(DEADLINE)


def test_a_non_blocking_pipe_gets_every_byte(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.set_blocking(write, False)
    output = Output(write)
    sending = Sending(output, BIG)
    assert not sending.done(within=0.05)
    assert read_until(read, lambda data: data.endswith(b"\n")) == BIG.encode() + b"\n"
    assert sending.done()
    assert sending.error is None
    output.close(DEADLINE)


def test_a_full_non_blocking_pipe_costs_no_processor_time(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.set_blocking(write, False)
    output = blocked(write)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1
    read_until(read, lambda data: data.endswith(b"\n"))
    assert output.close(DEADLINE)


def test_a_closed_pipe_fails_the_alert_and_spares_the_rest() -> None:
    read, write = os.pipe()
    output = Output(write)
    os.close(read)
    output.line("lost")
    with pytest.raises(BrokenPipeError):
        output.alert("kept by its sender")
    with pytest.raises(BrokenPipeError):
        output.alert("and again")
    assert output.close(DEADLINE)
    os.close(write)


def test_a_full_disk_fails_the_alert_and_the_lines_lost_to_it_are_counted() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, Path(os.devnull).open("wb", buffering=0) as roomy:
        target = os.dup(full.fileno())
        output = Output(target)
        counted: list[int] = []
        output.render_dropped = lambda count: counted.append(count) or "dropped"  # type: ignore[func-returns-value]
        for _ in range(3):
            output.line("lost")
        with pytest.raises(OSError, match="No space left"):
            output.alert("kept by its sender")
        assert counted == []
        os.dup2(roomy.fileno(), target)
        output.alert("passes")
        assert output.close(DEADLINE)
        assert counted == [3]
        os.close(target)


def test_after_a_torn_line_the_next_one_begins_on_a_line_of_its_own(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    output = Output(writer)
    torn = Sending(output, BIG)
    assert not torn.done(within=0.05)
    os.close(reader)
    assert torn.done()
    assert isinstance(torn.error, BrokenPipeError)

    reader = os.open(fifo, os.O_RDONLY)
    whole = Sending(output, "whole")
    lines = read_until(reader, lambda data: b"whole\n" in data).split(b"\n")
    assert whole.done()
    assert lines[0] == b"x" * len(lines[0])
    assert len(lines[0]) < len(BIG)
    assert lines[1:] == [b"whole", b""]
    assert output.close(DEADLINE)
    os.close(reader)
    os.close(writer)


def test_closing_gives_up_on_a_blocked_pipe_in_time(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = blocked(write)
    started = time.monotonic()
    assert not output.close(0.1)
    assert time.monotonic() - started < 2.0
    with pytest.raises(OSError, match="closed"):
        output.alert("too late")
    output.line("too late")
    read_until(read, lambda data: data.endswith(b"\n"))
    assert output.close(DEADLINE)


def test_a_lone_surrogate_is_written_as_json_escapes_it(pipe: tuple[int, int]) -> None:
    read, write = pipe
    output = Output(write)
    output.alert('"\ud800 余额"')
    assert os.read(read, 100) == '"\\ud800 余额"\n'.encode()
    output.close(DEADLINE)
