"""Secrets that a test plants, and the search for them."""

import base64

from support.site import Done

# All hold this word, so that one search finds each of them however it was quoted.
MARK = b"canary"
CREDENTIAL = "canary-credential ?&+/=%7e"
BASIC = "canary-user:canary-password"
TRACES = (MARK, base64.b64encode(BASIC.encode()).rstrip(b"="), base64.b64encode(CREDENTIAL.encode()).rstrip(b"="))


def assert_clean(what: str, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    for trace in TRACES:
        at = data.lower().find(trace.lower())
        assert at < 0, f"{what}: {data[max(0, at - 200) : at + 200]!r}"


def assert_command_clean(done: Done) -> None:
    assert_clean("stdout", done.out)
    assert_clean("stderr", done.err)
