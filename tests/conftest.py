"""What every test needs: quiet logs, so that a failure shows its own cause and not a thousand lines.

What tests measured (`record_property("figure", …)`) is printed at the end, with xdist too.
"""

import signal
from collections.abc import Iterator
from weakref import WeakValueDictionary

import pytest
import structlog


def pytest_configure() -> None:
    """A job in the background of a shell ignores these two, and the processes that tests start would inherit that."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raise structlog.DropEvent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = sorted(_figures(terminalreporter))
    if figures:
        terminalreporter.section("figures")
    for figure in figures:
        terminalreporter.write_line(figure)


def _figures(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            yield from (str(value) for name, value in report.user_properties if name == "figure")


@pytest.fixture
def no_other_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that other tests left alive would mask more than this one expects."""
    monkeypatch.setattr("token_monitor.core.secret._alive", WeakValueDictionary())
