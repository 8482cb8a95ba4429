"""What reaches standard output when something is logged."""

import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import structlog

from token_monitor.core.alert import Alert, Measured
from token_monitor.core.secret import MASK, Secret
from token_monitor.core.words import Kind, Reason, State, Trigger
from token_monitor.logs import LEVELS, alert_line, configure
from token_monitor.output import Output

AT = datetime(2026, 4, 5, 10, tzinfo=UTC)
URLLIB3 = logging.getLogger("urllib3")
Logged = Callable[[], list[str]]


@contextmanager
def unconfigured() -> Iterator[None]:
    """Logging as Python has it, and afterwards as it was."""
    before = (logging.root.handlers, logging.root.level, URLLIB3.level, sys.excepthook, threading.excepthook)
    URLLIB3.setLevel(logging.NOTSET)
    try:
        yield
    finally:
        structlog.reset_defaults()
        logging.root.handlers, sys.excepthook, threading.excepthook = before[0], before[3], before[4]
        logging.root.setLevel(before[1])
        URLLIB3.setLevel(before[2])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str, str], Logged]]:
    """Configures logging into a file; what it returns ends the output and gives the lines."""
    file = (tmp_path / "stdout").open("wb", buffering=0)

    def configured(level: str = "info", written_as: str = "json") -> Logged:
        output = Output(file.fileno())
        configure(output, level, written_as)

        def lines() -> list[str]:
            assert output.close(10)
            return (tmp_path / "stdout").read_text().splitlines()

        return lines

    with unconfigured():
        yield configured
    file.close()


Start = Callable[..., Logged]


def one(logged: Logged) -> dict[str, object]:
    lines = logged()
    assert len(lines) == 1, lines
    found = json.loads(lines[0])
    assert isinstance(found, dict)
    return found


def log() -> structlog.typing.FilteringBoundLogger:
    made: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return made


def test_a_line_begins_with_its_time_level_and_message(start: Start) -> None:
    logged = start()
    log().info("Watching", accounts=["a"], count=1)
    line = one(logged)
    assert list(line) == ["timestamp", "level", "msg", "accounts", "count"]
    assert (line["level"], line["msg"], line["accounts"]) == ("info", "Watching", ["a"])
    said = datetime.strptime(str(line["timestamp"]), "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - said).total_seconds()) < 60


def test_a_decimal_is_a_json_number_digit_for_digit(start: Start) -> None:
    logged = start()
    log().info("Balance", balance=Decimal("0.10"), big=Decimal(12345678901234567890))
    assert '"balance":0.10,"big":12345678901234567890}' in logged()[0]


@pytest.mark.parametrize("level", LEVELS)
def test_only_lines_of_the_level_and_above_are_written(start: Start, level: str) -> None:
    logged = start(level)
    for name in LEVELS:
        getattr(log(), name)("Said")
    assert [json.loads(line)["level"] for line in logged()] == [
        name for name in LEVELS if LEVELS[name] >= LEVELS[level]
    ]


def test_a_logger_made_before_the_configuration_obeys_it(start: Start) -> None:
    early = structlog.get_logger()
    logged = start("error")
    early.warning("Not said")
    early.error("Said")
    assert one(logged)["msg"] == "Said"


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, Decimal("NaN"), Path("/x"), {"a", "b"}, b"\xff", object(), {1: 2}]
)
def test_no_value_breaks_a_line(start: Start, value: object) -> None:
    logged = start()
    log().info("Odd", value=value, broken="a\nb")
    assert one(logged)["broken"] == "a\nb"


def test_a_field_cannot_replace_time_level_or_message(start: Start) -> None:
    logged = start()
    log().info("Said", level="critical", msg="other", timestamp="never")
    line = one(logged)
    assert (line["level"], line["msg"]) == ("info", "Said")
    assert line["timestamp"] != "never"


def test_an_exception_is_one_field_with_type_message_frames_and_cause_but_no_locals(start: Start) -> None:
    logged = start()

    def failing(local: str) -> None:
        try:
            raise KeyError("inner " + local[:0])
        except KeyError as error:
            raise ValueError("outer") from error

    try:
        failing("a-local-value")
    except ValueError:
        log().exception("Internal error", account="facefusion")
    line = one(logged)
    assert (line["level"], line["account"]) == ("error", "facefusion")
    told = line["exception"]
    assert isinstance(told, dict)
    assert (told["type"], told["message"]) == ("ValueError", "outer")
    assert told["cause"]["type"] == "KeyError"
    here = "tests/test_logs.py:"
    assert all(frame.startswith(here) for frame in told["frames"])
    assert told["frames"][-1].endswith(".failing")
    assert "a-local-value" not in json.dumps(line)


def test_a_hidden_context_stays_hidden(start: Start) -> None:
    logged = start()
    try:
        try:
            raise KeyError("/services/T0/B0/path-secret")
        except KeyError:
            raise ValueError("in our words") from None
    except ValueError as error:
        log().error("Failed", exc_info=error)
    assert "path-secret" not in logged()[0]


def test_a_bottomless_recursion_gives_a_short_line(start: Start) -> None:
    logged = start()

    def deeper() -> None:
        deeper()

    try:
        deeper()
    except RecursionError:
        log().exception("Internal error")
    assert len(logged()[0]) < 5000


def test_a_secret_in_a_message_a_field_or_an_exception_is_masked(start: Start) -> None:
    logged = start()
    canary = Secret('canary"\\secret/value')
    url = f"https://host/{canary.reveal()}"
    try:
        raise ConnectionError(f"refused: {url}")
    except ConnectionError:
        log().exception(f"Failed at {url}", nested={"list": [url, {url: 1}]}, path=Path(canary.reveal()))
    line = logged()[0]
    assert "canary" not in line
    told = json.loads(line)
    assert told["msg"] == f"Failed at https://host/{MASK}"
    assert told["exception"]["message"] == f"refused: https://host/{MASK}"


def test_a_secret_of_digits_leaves_the_numbers_of_a_line_whole(start: Start) -> None:
    logged = start()
    digits = Secret("123456")
    log().info("Balance", balance=Decimal("9123456.7"), note=f"token {digits.reveal()}")
    line = logged()[0]
    assert '"balance":9123456.7' in line
    assert json.loads(line)["note"] == f"token {MASK}"


def test_what_libraries_log_from_warning_on_comes_in_the_same_format(start: Start) -> None:
    logged = start("debug")
    library = logging.getLogger("asyncio")
    library.info("not said")
    library.warning("slow %s", "callback")
    line = one(logged)
    assert (line["level"], line["msg"], line["logger"]) == ("warning", "slow callback", "asyncio")


def test_what_urllib3_says_of_retries_is_left_out_because_it_holds_urls(start: Start) -> None:
    logged = start()
    logging.getLogger("urllib3.connectionpool").warning("Retrying after connection broken: /services/T0")
    logging.getLogger("urllib3.connectionpool").error("said")
    assert one(logged)["msg"] == "said"


def test_an_exception_that_a_library_logs_is_a_field(start: Start) -> None:
    logged = start()
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    told = one(logged)["exception"]
    assert isinstance(told, dict)
    assert told["message"] == "bad"


def test_an_exception_that_ends_a_thread_is_an_error_line(start: Start) -> None:
    logged = start("error")

    def failing() -> None:
        raise ValueError("bad")

    thread = threading.Thread(target=failing, name="poll-1")
    thread.start()
    thread.join()
    line = one(logged)
    assert (line["level"], line["msg"], line["thread"]) == ("error", "Internal error", "poll-1")
    assert "exception" in line


def test_an_exception_that_ends_the_process_is_an_error_line(start: Start) -> None:
    logged = start("error")
    error = ValueError("bad")
    sys.excepthook(ValueError, error, None)
    assert one(logged)["msg"] == "Internal error"


def test_dropped_lines_are_confessed_in_the_same_format() -> None:
    read, write = os.pipe()
    output = Output(write)
    with unconfigured():
        configure(output, "info", "json")
        line = json.loads(output.render_dropped(7))
    output.close(10)
    os.close(read)
    os.close(write)
    assert (line["level"], line["msg"], line["count"]) == ("warning", "Log lines dropped", 7)


def test_a_console_line_is_short_and_aligned(start: Start) -> None:
    logged = start("info", "console")
    log().warning("Poll failed", account="facefusion", error="no answer within 10s", balance=Decimal("1E+3"))
    log().info("Watching", count=2)
    first, second = logged()
    time_of_day, rest = first.split(" ", 1)
    assert datetime.strptime(time_of_day, "%H:%M:%S").replace(tzinfo=UTC)
    assert rest == f'WARNING  {"Poll failed":<32} account=facefusion error="no answer within 10s" balance=1000'
    assert second.split(" ", 1)[1] == f"INFO     {'Watching':<32} count=2"


def test_a_console_line_holds_nothing_a_terminal_would_obey(start: Start) -> None:
    logged = start("info", "console")
    log().info("red \033[31m\x9b", account="a\033]0;title\a", two="a\nb")
    line = logged()[0]
    assert "\033" not in line
    assert "\x9b" not in line
    assert "\\x1b[31m" in line
    assert 'two="a\\nb"' in line


def test_a_console_exception_is_told_below_its_line(start: Start) -> None:
    logged = start("info", "console")
    try:
        raise ValueError("bad")
    except ValueError:
        log().exception("Internal error")
    lines = logged()
    assert lines[1] == "    ValueError: bad"
    assert lines[2].startswith("      at tests/test_logs.py:")


def test_only_a_terminal_gets_colors() -> None:
    plain = alert_line(low(), "console")
    assert "\033" not in plain
    assert "\033[33mWARNING" in alert_line(low(), "console", color=True)
    assert "\033" not in alert_line(low(), "json", color=True)


def low(balance: Decimal | None = Decimal(5), state: State = State.LOW) -> Alert:
    measured = Measured("balance", Trigger.THRESHOLD, balance, Decimal(10), None, "calls")
    return Alert("e-1", Kind.ACCOUNT, "facefusion/balance", "facefusion", state, Reason.FIRST, "e", AT, measured)


def test_an_alert_line_of_an_account_is_the_one_of_the_contract() -> None:
    assert alert_line(low(), "json") == (
        '{"level":"warning","msg":"Token balance low","account":"facefusion","quantity":"balance","balance":5,'
        '"threshold":10,"unit":"calls","state":"low","reason":"first","alert_id":"e-1",'
        '"timestamp":"2026-04-05T10:00:00.000Z"}'
    )


def test_an_unknown_balance_is_null_and_a_known_one_exact() -> None:
    assert '"balance":null' in alert_line(low(None, State.EXHAUSTED), "json")
    assert '"balance":0.10,' in alert_line(low(Decimal("0.10")), "json")


@pytest.mark.parametrize("kind", [Kind.VISIBILITY, Kind.CREDENTIAL, Kind.TEST])
def test_an_alert_line_without_a_number_names_its_kind_and_subject(kind: Kind) -> None:
    state = State.OK if kind is Kind.TEST else State.CRITICAL
    alert = Alert("e-2", kind, f"facefusion/{kind}", "facefusion", state, Reason.FIRST, "e", AT)
    line = json.loads(alert_line(alert, "json"))
    assert list(line) == [
        "level",
        "msg",
        "kind",
        "subject",
        "account",
        "state",
        "reason",
        "episode",
        "alert_id",
        "timestamp",
    ]
    assert line["level"] == alert.level
    assert line["subject"] == f"facefusion/{kind}"


def test_an_alert_line_for_people_carries_the_same() -> None:
    line = alert_line(low(), "console")
    for part in ("WARNING", "Token balance low", "account=facefusion", "balance=5", "threshold=10", "alert_id=e-1"):
        assert part in line
