"""More than a thousand answers without a balance, over real HTTP: a failed poll each, and never a reading."""

import random

import pytest

from support.answers import raw, whole
from support.malformed import Family, families
from support.malformed_bodies import good
from support.provider import Provider
from token_monitor.core.errors import SourceError
from token_monitor.core.secret import Secret
from token_monitor.core.url import Endpoint
from token_monitor.http import RequestsClient
from token_monitor.sources.dialect import JsonEndpoint
from token_monitor.sources.json_endpoint import JsonEndpointSource

FAMILIES = families(seed=2026)
KEY = Secret("sk-malformed")


def test_there_are_more_than_a_thousand_different_ones() -> None:
    assert len({answer.wire for family in FAMILIES for answer in family.answers}) >= 1000


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_no_malformed_answer_is_ever_a_reading(provider: Provider, family: Family) -> None:
    source = JsonEndpointSource(JsonEndpoint(Endpoint(provider.url)), RequestsClient())
    wrong = []
    for answer in family.answers:
        provider.next(raw(answer.wire, keep=answer.keep))
        try:
            outcome: object = source.fetch(KEY, 10)
        except SourceError as error:
            outcome = error.kind
        if outcome not in family.kinds:
            wrong.append((answer.wire[:300], outcome))
    assert not wrong
    assert len(provider.requests) == len(family.answers)


def test_the_documents_that_are_damaged_here_are_readings_while_they_are_whole(provider: Provider) -> None:
    source = JsonEndpointSource(JsonEndpoint(Endpoint(provider.url)), RequestsClient())
    dice = random.Random(2026)
    for _ in range(100):
        text = good(dice)
        for body in (text.encode(), b"\xef\xbb\xbf" + text.encode(), b" \r\n\t" + text.encode() + b"\n"):
            provider.next(whole(body))
            [reading] = source.fetch(KEY, 10)
            assert reading.value is not None
            assert str(reading.value) == text[-2]
