"""Failures, each saying what follows from it."""

from enum import StrEnum
from typing import Final

from token_monitor.core.secret import redact
from token_monitor.core.time import human_duration

RETRY_AFTER_CAP: Final = 3600.0


class Failure(StrEnum):
    """Why a poll gave no reading."""

    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECTION = "connection"
    TLS = "tls"
    REDIRECT = "redirect"
    STATUS = "status"
    SERVER = "server"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_OK = "not_ok"
    MISSING = "missing"
    NOT_A_NUMBER = "not_a_number"
    INVALID = "invalid"
    NO_LIMIT = "no_limit"
    CREDENTIAL = "credential"
    BUSY = "busy"
    INTERNAL = "internal"


class SourceError(Exception):
    """A poll that gave no reading.

    kind: REJECTED means the provider refused the credential; every other kind counts as a failure (rule J12).
    retry_after: seconds the provider asked to be left alone, at most an hour.
    """

    def __init__(self, kind: Failure, message: str, retry_after: float | None = None) -> None:
        message = redact(message)  # it may quote an answer, which may echo the credential
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = None if retry_after is None else min(max(retry_after, 0.0), RETRY_AFTER_CAP)

    @property
    def transient(self) -> bool:
        """Whether the same poll may try again at once (rule J12)."""
        passing = (Failure.CONNECTION, Failure.DNS, Failure.TIMEOUT, Failure.SERVER)
        return self.kind in passing and self.retry_after is None

    def __str__(self) -> str:
        wait = "" if self.retry_after is None else f" (asked to wait {human_duration(self.retry_after)})"
        return self.message + wait


class Scope(StrEnum):
    """What a failed delivery says about the next one (rule O3)."""

    RETRY = "retry"
    MESSAGE = "message"
    CHANNEL = "channel"

    @classmethod
    def of_status(cls, status: int) -> "Scope":
        """The scope of an HTTP status that is not 2xx."""
        if status in (408, 425, 429) or status >= 500:
            return cls.RETRY
        return cls.MESSAGE if status in (400, 413) else cls.CHANNEL


class ChannelError(Exception):
    """A delivery that was not acknowledged.

    scope: `retry`: try again later; `message`: this message will never pass; `channel`: none will until it is mended.
    reason: one line for people, without secrets.
    retry_after: seconds the receiver asked for, at most an hour.
    ambiguous: the receiver may have it all the same (the connection broke after sending).
    """

    def __init__(self, scope: Scope, reason: str, *, retry_after: float | None = None, ambiguous: bool = False) -> None:
        super().__init__(reason)
        self.scope = scope
        self.reason = reason
        self.retry_after = None if retry_after is None else min(max(retry_after, 0.0), RETRY_AFTER_CAP)
        self.ambiguous = ambiguous
