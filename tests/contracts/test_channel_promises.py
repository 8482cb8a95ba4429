"""What the port promises of every channel, against the real receivers of those that do not speak HTTP.

The others make the same promises, and those of HTTP, in `test_channel_contract`. A new channel adds one line there or
to `support.peers.PEERS`.
"""

import time
import traceback
from collections.abc import Iterator

import pytest
from attrs import evolve

from contracts.test_channel_contract import HTTP_CHANNELS
from support.messages import low
from support.peers import CANARIES, PEERS, TIMEOUT, Peer
from token_monitor.app import registry
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message


@pytest.fixture(scope="module", params=PEERS)
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with PEERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def away(peer: Peer) -> Iterator[None]:
    peer.away()
    yield
    peer.back()


def refusal(peer: Peer, message: Message) -> ChannelError:
    started = time.monotonic()
    with pytest.raises(ChannelError) as caught:
        peer.channel.send(message)
    assert time.monotonic() - started < TIMEOUT + 3.0
    return caught.value


def test_every_kind_of_channel_is_in_a_contract_suite() -> None:
    assert HTTP_CHANNELS.keys() | PEERS.keys() == set(registry._CHANNELS)


def test_an_acknowledged_message_has_arrived_under_its_name(peer: Peer) -> None:
    message = low("余额 <a&b>", 100)
    before = peer.arrived().count(peer.named(message))
    answer = peer.channel.send(message)
    assert answer.isprintable()
    assert peer.where in answer
    assert peer.arrived().count(peer.named(message)) == before + 1


def test_messages_arrive_in_the_order_in_which_they_were_sent(peer: Peer) -> None:
    messages = [low(f"text {number}", number) for number in range(200, 205)]
    for message in messages:
        peer.channel.send(message)
    assert peer.arrived()[-5:] == [peer.named(message) for message in messages]


def test_a_message_sent_again_has_the_same_name(peer: Peer) -> None:
    message = evolve(low("text 300", 300), group="a-group-of-three")
    peer.channel.send(message)
    peer.channel.send(message)
    assert peer.arrived()[-2:] == [peer.named(message)] * 2


@pytest.mark.parametrize("text", ['quotes " and \\', "<a&b>\n\x00", "\ud800"])
def test_any_text_is_taken(peer: Peer, text: str) -> None:
    assert peer.channel.send(low(text, 400))


@pytest.mark.usefixtures("away")
def test_while_its_receiver_is_out_of_reach_a_message_is_to_be_tried_again_and_no_secret_is_told(peer: Peer) -> None:
    for number in (500, 501):
        error = refusal(peer, low(f"text {number}", number))
        assert error.scope is Scope.RETRY
        assert error.reason.isprintable()
        assert peer.where in error.reason
        told = "".join([error.reason, repr(error), repr(peer.channel), *traceback.format_exception(error)])
        assert not [canary for canary in CANARIES if canary in told]


def test_the_same_channel_delivers_again_once_its_receiver_is_back(peer: Peer) -> None:
    peer.channel.send(low("text 600", 600))
    peer.away()
    try:
        refusal(peer, low("text 601", 601))
    finally:
        peer.back()
    message = low("text 602", 602)
    assert peer.channel.send(message)
    assert peer.arrived()[-1] == peer.named(message)
