"""Host names to addresses, within a deadline: the resolver itself has none that we could set."""

import ipaddress
import socket
import threading

from token_monitor.core.tools import Addresses


def addresses(host: str, port: int, timeout: float) -> Addresses:
    """What `getaddrinfo` says, asked in a thread that is left behind if it hangs.

    Raises socket.gaierror, UnicodeError: there is no such host. TimeoutError: no answer in time.
    """
    if _is_literal(host):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answer: list[Addresses | Exception] = []
    answered = threading.Event()

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error)
        answered.set()

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    if not answered.wait(timeout):
        raise TimeoutError
    if isinstance(answer[0], Exception):
        raise answer[0]
    return answer[0]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
