"""Asking a provider: quick retries that never hammer, and a credential read anew when it is refused."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from support.clock import FakeClock
from token_monitor.core.errors import Failure, SourceError
from token_monitor.core.reading import Reading
from token_monitor.core.secret import Secret
from token_monitor.fetcher import Fetcher

READINGS = [Reading("balance", Decimal(5), "calls")]
OLD, NEW = Secret("sk-old"), Secret("sk-new")
REFUSED = SourceError(Failure.REJECTED, "HTTP 401")


class ScriptedSource:
    """Plays its outcomes in order, the last one for ever; each request takes `seconds`."""

    quantities = ("balance",)
    host = "provider.test"

    def __init__(self, clock: FakeClock, *outcomes: SourceError | None, seconds: float = 0.0) -> None:
        self._clock = clock
        self._outcomes = list(outcomes)
        self._seconds = seconds
        self.asked: list[tuple[float, str, float]] = []

    def fetch(self, credential: Secret, timeout: float) -> Sequence[Reading]:
        self.asked.append((self._clock.steady, credential.reveal(), timeout))
        self._clock.advance(self._seconds)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if outcome is not None:
            raise outcome
        return READINGS


class Asked:
    """A fetcher over a script, and what became of one fetch."""

    def __init__(
        self,
        *outcomes: SourceError | None,
        seconds: float = 0.0,
        timeout: float = 10.0,
        interval: float = 300.0,
        secrets: Sequence[Secret | ValueError] = (OLD,),
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.clock = FakeClock()
        self.source = ScriptedSource(self.clock, *outcomes, seconds=seconds)
        self.pauses: list[float] = []
        self.read = 0
        self._secrets = list(secrets)
        self._stopping = stopping
        self.fetcher = Fetcher(self.source, self._resolve, self.clock, self._pause, timeout, interval)

    def _resolve(self) -> Secret:
        self.read += 1
        secret = self._secrets.pop(0) if len(self._secrets) > 1 else self._secrets[0]
        if isinstance(secret, ValueError):
            raise secret
        return secret

    def _pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        return self._stopping()

    def fetch(self) -> Sequence[Reading]:
        return self.fetcher.fetch(self.clock.steady)

    def error(self) -> SourceError:
        with pytest.raises(SourceError) as caught:
            self.fetch()
        return caught.value

    @property
    def keys(self) -> list[str]:
        return [key for _, key, _ in self.source.asked]


def failing(kind: Failure, retry_after: float | None = None) -> SourceError:
    return SourceError(kind, "as told", retry_after)


def test_a_success_is_asked_for_once() -> None:
    asked = Asked(None)
    assert asked.fetch() == READINGS
    assert (asked.pauses, asked.keys) == ([], ["sk-old"])


@pytest.mark.parametrize("kind", [Failure.CONNECTION, Failure.DNS, Failure.TIMEOUT, Failure.SERVER])
def test_a_passing_failure_is_tried_again_after_about_half_a_second_and_then_a_second(kind: Failure) -> None:
    asked = Asked(failing(kind))
    assert asked.error().kind is kind
    assert asked.pauses == [pytest.approx(0.5, rel=0.2), pytest.approx(1.0, rel=0.2)]
    assert len(asked.keys) == 3


def test_a_retry_may_succeed() -> None:
    asked = Asked(failing(Failure.SERVER), failing(Failure.CONNECTION), None)
    assert asked.fetch() == READINGS
    assert len(asked.keys) == 3


def test_the_pauses_differ_so_that_many_monitors_do_not_retry_as_one() -> None:
    assert len({_first_pause() for _ in range(20)}) > 1


def _first_pause() -> float:
    asked = Asked(failing(Failure.SERVER), None)
    asked.fetch()
    return asked.pauses[0]


@pytest.mark.parametrize(
    "kind", sorted(set(Failure) - {Failure.CONNECTION, Failure.DNS, Failure.TIMEOUT, Failure.SERVER, Failure.REJECTED})
)
def test_a_failure_that_does_not_pass_is_never_tried_again(kind: Failure) -> None:
    asked = Asked(failing(kind))
    assert asked.error().kind is kind
    assert (asked.pauses, len(asked.keys)) == ([], 1)


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_a_provider_that_asks_to_wait_is_left_alone(seconds: float) -> None:
    asked = Asked(failing(Failure.SERVER, retry_after=seconds))
    assert asked.error().retry_after == seconds
    assert (asked.pauses, len(asked.keys)) == ([], 1)


def test_a_retry_gets_what_is_left_of_the_deadline() -> None:
    asked = Asked(failing(Failure.SERVER), seconds=2)
    begun = asked.clock.steady
    asked.error()
    assert [timeout for _, _, timeout in asked.source.asked] == [
        pytest.approx(10 - (at - begun)) for at, _, _ in asked.source.asked
    ]


@pytest.mark.parametrize(
    ("seconds", "timeout", "interval", "requests"),
    [
        (0.0, 10.0, 300.0, 3),
        (9.7, 10.0, 300.0, 1),  # the deadline comes first
        (4.5, 10.0, 300.0, 2),
        (0.0, 10.0, 2.3, 2),  # half the interval comes first: 1.15 s
        (0.0, 10.0, 0.7, 1),
        (1.0, 10.0, 2.0, 1),
        (0.0, 0.3, 300.0, 1),
    ],
)
def test_a_retry_starts_within_the_deadline_and_before_half_the_interval(
    seconds: float, timeout: float, interval: float, requests: int
) -> None:
    asked = Asked(failing(Failure.SERVER), seconds=seconds, timeout=timeout, interval=interval)
    begun = asked.clock.steady
    assert asked.error().kind is Failure.SERVER
    assert len(asked.keys) == requests
    assert all(at - begun < min(timeout, interval / 2) for at, _, _ in asked.source.asked)


def test_a_daemon_that_stops_raises_at_once() -> None:
    asked = Asked(failing(Failure.CONNECTION), stopping=lambda: True)
    assert asked.error().kind is Failure.CONNECTION
    assert (len(asked.pauses), len(asked.keys)) == (1, 1)


def test_a_poll_that_began_too_long_ago_asks_nobody() -> None:
    asked = Asked(None)
    with pytest.raises(SourceError) as caught:
        asked.fetcher.fetch(asked.clock.steady - 10)
    assert (caught.value.kind, asked.keys) == (Failure.TIMEOUT, [])


def test_the_credential_is_read_once_and_kept_while_it_is_accepted() -> None:
    asked = Asked(None, secrets=[OLD, NEW])
    for _ in range(3):
        asked.fetch()
    assert (asked.keys, asked.read) == (["sk-old"] * 3, 1)


def test_a_refused_credential_that_has_changed_is_tried_once_with_the_new_one() -> None:
    asked = Asked(REFUSED, None, secrets=[OLD, NEW])
    assert asked.fetch() == READINGS
    assert (asked.keys, asked.pauses) == (["sk-old", "sk-new"], [])
    asked.fetch()
    assert (asked.keys[2:], asked.read) == (["sk-new"], 2)


def test_a_refused_credential_that_has_not_changed_is_not_tried_again() -> None:
    asked = Asked(REFUSED, secrets=[OLD, Secret("sk-old")])
    assert asked.error() is REFUSED
    assert (asked.keys, asked.read) == (["sk-old"], 2)


def test_a_new_credential_that_is_refused_too_is_not_tried_again_in_this_poll() -> None:
    asked = Asked(REFUSED, secrets=[OLD, NEW, Secret("sk-third")])
    assert asked.error() is REFUSED
    assert (asked.keys, asked.read) == (["sk-old", "sk-new"], 2)
    asked.error()
    assert asked.keys[2:] == ["sk-new", "sk-third"]


def test_a_refusal_stays_a_refusal_when_the_credential_cannot_be_read_anew() -> None:
    asked = Asked(REFUSED, secrets=[OLD, ValueError("/run/secrets/t cannot be read"), NEW])
    assert asked.error() is REFUSED
    assert asked.keys == ["sk-old"]
    asked.error()
    assert asked.keys[1:] == ["sk-old", "sk-new"]


def test_a_credential_that_cannot_be_read_is_a_failed_poll_that_says_why_and_is_tried_the_next_time() -> None:
    asked = Asked(None, secrets=[ValueError("/run/secrets/t cannot be read"), NEW])
    error = asked.error()
    assert (error.kind, error.message) == (Failure.CREDENTIAL, "the credential /run/secrets/t cannot be read")
    assert (asked.keys, asked.pauses) == ([], [])
    assert asked.fetch() == READINGS


def test_a_changed_credential_that_meets_a_passing_failure_is_kept_for_the_quick_retry() -> None:
    asked = Asked(REFUSED, failing(Failure.SERVER), None, secrets=[OLD, NEW])
    assert asked.fetch() == READINGS
    assert asked.keys == ["sk-old", "sk-new", "sk-new"]


def test_a_refusal_after_a_passing_failure_is_a_refusal() -> None:
    asked = Asked(failing(Failure.SERVER), REFUSED, secrets=[OLD])
    assert asked.error() is REFUSED
    assert (asked.keys, len(asked.pauses)) == (["sk-old"] * 2, 1)


def test_the_new_credential_gets_what_is_left_of_the_deadline() -> None:
    asked = Asked(REFUSED, None, secrets=[OLD, NEW], seconds=4)
    asked.fetch()
    assert [timeout for _, _, timeout in asked.source.asked] == [10, 6]


def test_the_credential_that_the_provider_took_last_is_known() -> None:
    asked = Asked(failing(Failure.STATUS), None, REFUSED, REFUSED, REFUSED, None, secrets=[OLD, OLD, NEW])
    assert (asked.error().kind, asked.fetcher.accepted) == (Failure.STATUS, None)
    asked.fetch()
    assert asked.fetcher.accepted == OLD
    assert (asked.error(), asked.error()) == (REFUSED, REFUSED)  # the second time with the new one too
    assert asked.fetcher.accepted == OLD
    asked.fetch()
    assert (asked.keys[-1], asked.fetcher.accepted) == ("sk-new", NEW)
