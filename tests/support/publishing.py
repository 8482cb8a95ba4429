"""The threads that write published files."""

import threading


def publisher_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("publisher ")]


def join_publisher() -> None:
    """Returns when everything that was wanted is written."""
    for thread in publisher_threads():
        thread.join(5)
        assert not thread.is_alive(), thread.name
