"""The templated webhook against a ticket system over real HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from support.messages import low
from support.tickets import TOKEN, TicketSystem
from support.tools import make_tools
from token_monitor.channels.template import Call, Method, Templated, TemplatedChannel
from token_monitor.config.body import body
from token_monitor.config.tree import Items, Table, Text
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.message import Message
from token_monitor.core.secret import Secret
from token_monitor.core.template import Body, HiddenTemplate, Template, UrlTemplate
from token_monitor.core.time import Seconds
from token_monitor.core.words import Reason, State
from token_monitor.http import RequestsClient
from token_monitor.stores.monitor_db import MonitorDb, open_monitor_db

HTTP = RequestsClient()
OPEN = {"title": "{account}: {headline}", "fields": {"balance": "{balance}", "limit": "{limit}"}, "labels": ["{unit}"]}
KEY = "answer.data.ticket.key"


@pytest.fixture
def tickets() -> Iterator[TicketSystem]:
    with TicketSystem() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MonitorDb]:
    with closing(open_monitor_db(tmp_path / "data")) as made:
        yield made


def templated(structure: Any) -> Body:
    """As the settings would have it."""

    def tree(node: Any) -> Any:
        match node:
            case dict():
                return Table("body", {key: tree(value) for key, value in node.items()})
            case list():
                return Items("body", map(tree, node))
            case _:
                return Text(node, "body")

    return Body(body(tree(structure), Body))


def headers(**more: str) -> Mapping[str, HiddenTemplate]:
    bearer = f"Bearer {TOKEN}"
    given = {"Authorization": Template.parse(bearer, Secret(bearer))}
    return {**given, **{name: Template.parse(text) for name, text in more.items()}}  # type: ignore[return-value,dict-item]


def settings(tickets: TicketSystem, key: str = KEY, **more: Any) -> Templated:
    close = Call(
        UrlTemplate(f"{tickets.url}/api/tickets/{{{key}}}"),
        Method.PATCH,
        headers(),
        templated({"status": "closed {text}"}),
    )
    url = UrlTemplate(f"{tickets.url}/api/tickets")
    given = {"headers": headers(), "body": templated(OPEN), "once_per_episode": True, "close": close}
    return Templated(url, **(given | more))


def channel(made: Templated, store: MonitorDb, name: str = "tickets") -> TemplatedChannel:
    return TemplatedChannel(made, make_tools(name=name, http=HTTP, notes=store))


def alert(number: int, reason: Reason, state: State = State.LOW, episode: str = "e") -> Message:
    message = low(f"text {number}", number)
    return evolve(message, alert=evolve(message.alert, reason=reason, state=state, episode=episode))


FIRST = alert(1, Reason.FIRST)
ESCALATED = alert(2, Reason.ESCALATED, State.CRITICAL)
RECOVERED = alert(3, Reason.RECOVERED, State.OK)


def refusal(sender: TemplatedChannel, message: Message) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        sender.send(message)
    assert TOKEN not in caught.value.reason + repr(sender)
    return caught.value


def test_an_episode_is_one_ticket_that_its_end_closes(tickets: TicketSystem, store: MonitorDb) -> None:
    sender = channel(settings(tickets), store)
    assert sender.send(FIRST) == f"{tickets.authority} answered 201"
    assert sender.send(ESCALATED) == "nothing to do: this episode was told before"
    assert tickets.tickets == {
        "OPS-1": {
            "status": "open", "title": "facefusion: Token balance low",
            "fields": {"balance": 5, "limit": None}, "labels": ["calls"],
        }
    }  # fmt: skip
    assert sender.send(RECOVERED) == f"{tickets.authority} answered 200"
    assert tickets.tickets["OPS-1"]["status"] == "closed text 3"
    assert len(tickets.requests) == 2


def test_the_ticket_is_known_after_a_restart(tickets: TicketSystem, tmp_path: Path) -> None:
    for number, message in enumerate((FIRST, ESCALATED, RECOVERED)):
        with closing(open_monitor_db(tmp_path / "data")) as store:
            channel(settings(tickets), store).send(message)
        assert len(tickets.requests) == [1, 1, 2][number]
    assert tickets.tickets["OPS-1"]["status"] == "closed text 3"


def test_every_episode_and_every_channel_has_a_ticket_of_its_own(tickets: TicketSystem, store: MonitorDb) -> None:
    for number, name in enumerate(("ops", "finance"), 10):
        channel(settings(tickets), store, name).send(alert(number, Reason.FIRST))
    channel(settings(tickets), store, "ops").send(alert(2, Reason.FIRST, episode="f"))
    channel(settings(tickets), store, "finance").send(RECOVERED)
    assert [ticket["status"] for ticket in tickets.tickets.values()] == ["open", "closed text 3", "open"]


def test_a_call_whose_answer_was_lost_is_repeated_under_the_same_key(tickets: TicketSystem, store: MonitorDb) -> None:
    tickets.answer(close=True, times=1)
    sender = channel(settings(tickets), store)
    error = refusal(sender, FIRST)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    sender.send(FIRST)
    lost, again = tickets.requests
    assert (lost.headers, lost.body) == (again.headers, again.body)
    assert lost.headers["idempotency-key"] == "e-1"


LARGE = {"body": b" " * (1 << 20) + b"{}"}
SLOW = {"headers": {"Content-Length": "9"}}
BROKEN = {"body": b"{}", "close": True, "cut": 1}
MANGLED = {"body": b"{}", "headers": {"Content-Encoding": "gzip"}}
UNREAD = {"large": LARGE, "slow": SLOW, "broken": BROKEN, "mangled": MANGLED}
HASTE = {"timeout": Seconds(0.3)}


@pytest.mark.parametrize("answer", UNREAD.values(), ids=UNREAD)
def test_an_answer_that_nobody_needs_is_its_status(
    tickets: TicketSystem, store: MonitorDb, answer: dict[str, Any]
) -> None:
    """Called again for the rest of it, a system that knows no idempotency keys opens a ticket each time."""
    tickets.answer(201, times=2, **answer)
    sender = channel(settings(tickets, "state", **HASTE), store)
    assert sender.send(FIRST).startswith(f"{tickets.authority} answered 201, and then: ")
    assert sender.send(ESCALATED) == "nothing to do: this episode was told before"
    assert sender.send(RECOVERED).startswith(f"{tickets.authority} answered 201, and then: ")


@pytest.mark.parametrize("answer", [LARGE, MANGLED], ids=["large", "mangled"])
def test_an_answer_that_is_needed_and_can_never_be_read_is_delivered_and_said(
    tickets: TicketSystem, store: MonitorDb, answer: dict[str, Any]
) -> None:
    tickets.answer(201, times=1, **answer)
    sender = channel(settings(tickets), store)
    told = sender.send(FIRST)
    assert told.startswith(f"{tickets.authority} answered 201, and then: ")
    assert told.endswith(f"; its answer has no {KEY}, which close needs")
    assert "close it by hand" in refusal(sender, RECOVERED).reason


@pytest.mark.parametrize("answer", [SLOW, BROKEN], ids=["slow", "broken"])
def test_an_answer_that_is_needed_and_may_still_come_is_asked_for_again(
    tickets: TicketSystem, store: MonitorDb, answer: dict[str, Any]
) -> None:
    tickets.answer(201, times=1, **answer)
    sender = channel(settings(tickets, **HASTE), store)
    error = refusal(sender, FIRST)
    assert (error.scope, error.ambiguous) == (Scope.RETRY, True)
    sender.send(FIRST)
    sender.send(RECOVERED)
    assert tickets.tickets["OPS-1"]["status"] == "closed text 3"


def test_an_answer_that_refuses_is_no_delivery_however_much_of_it_is_read(
    tickets: TicketSystem, store: MonitorDb
) -> None:
    tickets.answer(503, times=1, **LARGE)
    assert refusal(channel(settings(tickets), store), FIRST).scope is Scope.RETRY


def test_a_second_call_of_the_same_alert_after_a_crash_opens_nothing(tickets: TicketSystem, store: MonitorDb) -> None:
    for _ in range(2):
        channel(settings(tickets), store).send(FIRST)
    assert len(tickets.requests) == 1


def test_without_a_ticket_number_the_end_is_given_up_and_says_so(tickets: TicketSystem, store: MonitorDb) -> None:
    error = refusal(channel(settings(tickets), store), RECOVERED)
    assert error.scope is Scope.MESSAGE
    assert error.reason == (
        f"{tickets.authority} not called: {KEY} is not known: the call that opened this got no answer with it; "
        "close it by hand"
    )
    assert tickets.requests == []


@pytest.mark.parametrize(
    "answer", [b"", b"no JSON", b"[]", b'{"data": {"ticket": null}}', b'{"data": {"ticket": {"key": {"a": 1}}}}',
               b'{"data": {"ticket": {"key": NaN}}}', b'{"data": {"ticket": {"key": 1e999}}}',
               b'{"data": {"ticket": {"key": "%s"}}}' % (b"x" * 2000), b"[" * 100_000,
               b'{"data": {"ticket": {"key": ""}}}', b'{"data": {"ticket": {"key": " "}}}',
               b'{"data": {"ticket": {"key": "."}}}',
               b'{"data": {"ticket": {"key": ".."}}}', b'{"data": {"ticket": {"key": true}}}']
)  # fmt: skip
def test_an_answer_without_the_number_is_delivered_and_said(
    tickets: TicketSystem, store: MonitorDb, answer: bytes
) -> None:
    tickets.answer(201, body=answer, times=1)
    sender = channel(settings(tickets), store)
    assert sender.send(FIRST).endswith(f" answered 201; its answer has no {KEY}, which close needs")
    assert refusal(sender, RECOVERED).scope is Scope.MESSAGE


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (b'{"items": [{"id": 17}]}', "/api/tickets/17"),
        (b'{"items": [{"id": "a/b ?"}]}', "/api/tickets/a%2Fb%20%3F"),
        (b'{"items": [{"id": 12345678901234567890}]}', "/api/tickets/12345678901234567890"),
        (b'{"items": [{"id": 1.50}]}', "/api/tickets/1.50"),
    ],
)
def test_a_path_leads_through_lists_and_numbers_stay_exact(
    tickets: TicketSystem, store: MonitorDb, answer: bytes, path: str
) -> None:
    tickets.answer(201, body=answer, times=1)
    tickets.answer(200, times=1, headers={"X": "y"})
    sender = channel(settings(tickets, "answer.items.0.id"), store)
    sender.send(FIRST)
    sender.send(RECOVERED)
    assert tickets.requests[-1].path == path


@pytest.mark.parametrize("status", [404, 410])
def test_the_end_of_what_is_gone_is_given_up_and_says_so(tickets: TicketSystem, store: MonitorDb, status: int) -> None:
    sender = channel(settings(tickets), store)
    sender.send(FIRST)
    tickets.answer(status, times=1)
    error = refusal(sender, RECOVERED)
    assert (error.scope, error.reason) == (
        Scope.MESSAGE,
        f"{tickets.authority} answered {status}: what this was to close is not there; it may have been deleted, "
        "or the url of close is wrong",
    )


@pytest.mark.parametrize("status", [404, 410, 422])
def test_an_opening_call_that_finds_nothing_there_is_the_fault_of_the_channel(
    tickets: TicketSystem, store: MonitorDb, status: int
) -> None:
    tickets.answer(status, times=1)
    assert refusal(channel(settings(tickets), store), FIRST).scope is Scope.CHANNEL


def test_without_close_an_end_calls_nobody(tickets: TicketSystem, store: MonitorDb) -> None:
    sender = channel(settings(tickets, close=None), store)
    sender.send(FIRST)
    assert sender.send(RECOVERED) == "nothing to do: the settings have no close"
    assert len(tickets.requests) == 1


def test_without_once_per_episode_every_alert_calls(tickets: TicketSystem, store: MonitorDb) -> None:
    every = channel(settings(tickets, once_per_episode=False, close=None), store)
    for message in (FIRST, ESCALATED, RECOVERED):
        every.send(message)
    assert [request.method for request in tickets.requests] == ["POST"] * 3
    assert store.note("tickets", "e") is None


def test_close_uses_the_first_answer_of_the_episode(tickets: TicketSystem, store: MonitorDb) -> None:
    sender = channel(settings(tickets, once_per_episode=False), store)
    for message in (FIRST, ESCALATED, RECOVERED):
        sender.send(message)
    assert [ticket["status"] for ticket in tickets.tickets.values()] == ["closed text 3", "open"]


@pytest.mark.parametrize(("status", "scope"), [(400, Scope.MESSAGE), (401, Scope.CHANNEL), (503, Scope.RETRY)])
def test_a_ticket_that_was_refused_is_opened_by_the_next_alert(
    tickets: TicketSystem, store: MonitorDb, status: int, scope: Scope
) -> None:
    tickets.answer(status, times=1)
    sender = channel(settings(tickets), store)
    assert refusal(sender, FIRST).scope is scope
    sender.send(ESCALATED)
    assert tickets.tickets["OPS-1"]["title"] == "facefusion: Token balance critical"


def test_headers_take_fields_and_cannot_be_broken_out_of(tickets: TicketSystem, store: MonitorDb) -> None:
    given = headers(**{"X-Account": "{account}", "Content-Type": "application/vnd.tickets+json", "X-Limit": "{limit}"})
    message = evolve(FIRST, alert=evolve(FIRST.alert, account="人脸\r\nX-Evil: 1 100%"))
    channel(settings(tickets, headers=given), store).send(message)
    [request] = tickets.requests
    assert request.headers["x-account"] == "%E4%BA%BA%E8%84%B8%0D%0AX-Evil: 1 100%25"
    assert request.headers["content-type"] == "application/vnd.tickets+json"
    assert request.headers["x-limit"] == ""
    assert "x-evil" not in request.headers


def test_without_a_body_none_is_sent(tickets: TicketSystem, store: MonitorDb) -> None:
    made = settings(tickets, body=Body(None), close=None)
    tickets.answer(204, times=1)
    channel(made, store).send(FIRST)
    [request] = tickets.requests
    assert (request.body, "content-type" in request.headers) == (b"", False)


@pytest.mark.parametrize("name", ["Bad Name", "Host", "Idempotency-Key", "content-length"])
def test_headers_that_cannot_be_set_are_refused(tickets: TicketSystem, name: str) -> None:
    with pytest.raises(ValueError, match="headers with"):
        settings(tickets, headers=headers(**{name: "x"}))


def test_a_header_that_cannot_be_sent_is_refused_without_its_value(tickets: TicketSystem) -> None:
    with pytest.raises(ValueError, match="unfit value of X-Name") as caught:
        settings(tickets, headers=headers(**{"X-Name": "值 {id}"}))
    assert "值" not in str(caught.value)


def test_a_value_of_an_answer_outside_close_is_refused(tickets: TicketSystem) -> None:
    for more in ({"body": templated({"x": ["{answer.id}"]})}, {"headers": headers(**{"X-Id": "{answer.id}"})}):
        with pytest.raises(ValueError, match=r"\{answer.id\} outside close"):
            settings(tickets, **more)


def test_settings_and_channel_print_no_token(tickets: TicketSystem, store: MonitorDb) -> None:
    made = settings(tickets)
    for shown in (repr(made), str(made), repr(channel(made, store))):
        assert TOKEN not in shown
