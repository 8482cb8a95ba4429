"""`python -m token_monitor.healthcheck [--report]`: is the daemon here healthy? Light, for it runs every minute.

Exit 0: healthy, or its HTTP is off. Exit 1: not healthy, or no answer within 3 seconds. One line either way.
With `--report` the exit status is 0 whatever the line says: there is more in the container than the daemon.
"""

import http.client
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Final

_VARIABLE: Final = "TOKEN_MONITOR_LISTEN"
_DEFAULT: Final = "127.0.0.1:9775"
_REPORT: Final = "--report"
_SECONDS: Final = 3.0
_OWN_ADDRESS: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def main() -> int:
    """Print one line; return the exit status."""
    healthy, line = _check()
    sys.stdout.write(line + "\n")
    return 0 if healthy or _REPORT in sys.argv[1:] else 1


def _check() -> tuple[bool, str]:
    try:
        listen = _listen()
        if listen.lower() == "off":
            return True, f"not checked: {_VARIABLE} is off"
        return _ask(*_address(listen))
    except TimeoutError:
        return False, f"unhealthy: no answer within {_SECONDS:g} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"unhealthy: {error}"


def _ask(host: str, port: int) -> tuple[bool, str]:
    """Raises OSError, TimeoutError, HTTPException: there is no whole answer."""
    signal.signal(signal.SIGALRM, _too_late)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        body = response.read(65_536)
    finally:
        connection.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
    if response.status == 200:
        return True, "healthy"
    return False, f"unhealthy: {_problems(body) or f'HTTP status {response.status}'}"


def _problems(body: bytes) -> str:
    try:
        return "; ".join(map(str, json.loads(body)["problems"]))
    except (ValueError, KeyError, TypeError):
        return ""


def _listen() -> str:
    """The setting, found as the daemon finds it. Raises ValueError, OSError: it cannot be had."""
    value = _value_in(os.environ)
    if value is None and Path(".env").is_file():
        from dotenv import dotenv_values

        value = _value_in({name: value or "" for name, value in dotenv_values(".env", interpolate=False).items()})
    return _DEFAULT if value is None else value


def _value_in(variables: Mapping[str, str]) -> str | None:
    direct, file = variables.get(_VARIABLE), variables.get(f"{_VARIABLE}_FILE")
    if direct and file:
        raise ValueError(f"{_VARIABLE} and {_VARIABLE}_FILE are both set")
    if file:
        return Path(file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r") or None
    return direct or None


def _address(listen: str) -> tuple[str, int]:
    host, _colon, port = listen.rpartition(":")
    if not (port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError(f"{_VARIABLE} is {listen!r}; host:port or off is allowed")
    host = host.removeprefix("[").removesuffix("]")
    return _OWN_ADDRESS.get(host, host), int(port)


def _too_late(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


if __name__ == "__main__":
    sys.exit(main())
