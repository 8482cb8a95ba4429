"""Logging: our own lines, those of the libraries, uncaught exceptions and alerts, all through one output."""

import logging
import os
import sys
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

import structlog

from token_monitor.core.alert import Alert
from token_monitor.core.time import rfc3339
from token_monitor.loglines import Render, described, renderer, written
from token_monitor.output import Output

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_QUIETER: Final = {"urllib3": logging.ERROR}  # its warnings about retries hold URLs
_UNCAUGHT: Final = "Internal error"
_LAST_WORDS: Final = 1.0


def configure(output: Output, level: str, format: str) -> None:  # noqa: A002
    """Send every log line of this process to `output`.

    level: a key of LEVELS; libraries are heard from `warning` on. format: `json` or `console`.
    """
    render = renderer(format, color=shows_color(output))
    output.render_dropped = lambda count: _line(render, "warning", "Log lines dropped", {"count": count})
    structlog.configure(
        processors=[_processor(render)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _Sink(output),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Forward(output, render)]
    logging.root.setLevel(max(logging.WARNING, LEVELS[level]))
    for name, least in _QUIETER.items():
        logging.getLogger(name).setLevel(least)
    sys.excepthook = _uncaught(output)
    threading.excepthook = _uncaught_in_thread


def shows_color(output: Output) -> bool:
    """Whether people look at it as it comes."""
    return os.isatty(output.fd)


def alert_line(alert: Alert, format: str, *, color: bool = False) -> str:  # noqa: A002
    """The log line of an alert: it carries the alert's own time and knows no LOG_LEVEL."""
    fields: dict[str, object] = {"level": alert.level.value, "msg": alert.headline}
    if alert.measured is not None:
        fields |= {
            "account": alert.account,
            "quantity": alert.measured.quantity,
            "balance": alert.measured.balance,
            "threshold": alert.measured.threshold,
            "unit": alert.measured.unit,
            "state": alert.state.value,
            "reason": alert.reason.value,
        }
    else:
        fields |= {
            "kind": alert.kind.value,
            "subject": alert.subject,
            "account": alert.account,
            "state": alert.state.value,
            "reason": alert.reason.value,
            "episode": alert.episode,
        }
    fields |= {key: value for key, value in alert.fields().items() if key.startswith("credential_")}
    return renderer(format, color=color)(fields | {"alert_id": alert.id, "timestamp": rfc3339(alert.at)})


def _line(render: Render, level: str, message: object, fields: MutableMapping[str, Any]) -> str:
    ours = {"timestamp": rfc3339(datetime.now(UTC)), "level": level, "msg": message}
    return written(ours | {key: value for key, value in fields.items() if key not in ours}, render)


class _Sink:
    """The logger at the end of structlog's chain: it takes finished lines."""

    def __init__(self, output: Output) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = output.line


def _processor(render: Render) -> structlog.typing.Processor:
    def process(_logger: object, level: str, event: MutableMapping[str, Any]) -> str:
        message, raised = event.pop("event", ""), event.pop("exc_info", None)
        error = sys.exc_info()[1] if raised is True else raised[1] if isinstance(raised, tuple) else raised
        if isinstance(error, BaseException):
            event["exception"] = described(error)
        return _line(render, level, message, event)

    return process


class _Forward(logging.Handler):
    """What libraries log, in our format."""

    def __init__(self, output: Output, render: Render) -> None:
        super().__init__()
        self._output, self._render = output, render

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields: dict[str, Any] = {"logger": record.name}
            if record.exc_info and record.exc_info[1] is not None:
                fields["exception"] = described(record.exc_info[1])
            level = record.levelname.lower()
            self._output.line(_line(self._render, level, record.getMessage(), fields))
        except Exception:  # noqa: BLE001 - a library's bad format string must not reach its caller
            self.handleError(record)


def _uncaught(output: Output) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """The hook for what ends the process: its line must be out before the thread that writes is gone."""

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, traceback)
            return
        structlog.get_logger().error(_UNCAUGHT, exc_info=error)
        output.close(_LAST_WORDS)

    return hook


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        thread = "" if args.thread is None else args.thread.name
        structlog.get_logger().error(_UNCAUGHT, thread=thread, exc_info=args.exc_value)
