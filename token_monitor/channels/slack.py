"""Slack, through an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)."""

import json
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from token_monitor.core.delivery_errors import refused, unanswered
from token_monitor.core.errors import ChannelError, Scope
from token_monitor.core.http import HttpClient, HttpError, Request, Response
from token_monitor.core.message import Message
from token_monitor.core.pace import Pace
from token_monitor.core.time import Seconds
from token_monitor.core.url import Url

# Characters; what is longer Slack may break into several messages:
# https://api.slack.com/changelog/2018-04-truncating-really-long-messages
ROOM: Final = 4000

_TIMEOUT: Final = Seconds(5.0)

# What is wrong with the webhook, whichever message it gets: the messages wait until it is mended.
# https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks
_FAULTS: Final[Mapping[str, str]] = {
    "user_not_found": "the user it was made for does not exist; make a new webhook",
    "action_prohibited": "the workspace does not let this webhook post there; ask its administrator",
    "posting_to_general_channel_denied": "only administrators may post to that channel; choose another one",
    "invalid_token": "the URL is not valid; copy it again",
    "team_disabled": "the workspace is disabled",
    "channel_not_found": "the channel it posts to does not exist; make a new webhook",
    "no_service": "the webhook was disabled or removed; make a new one",
    "no_service_id": "the URL is not whole; copy it again",
    "no_team": "the URL is not valid; copy it again",
    "channel_is_archived": "the channel it posts to is archived; make a webhook for another one",
}


@frozen
class Slack:
    """url: the whole webhook URL; it is the credential."""

    url: Url
    timeout: Seconds = _TIMEOUT


class SlackChannel:
    """Delivered is a 200 that says `ok`."""

    pace: Final[Pace | None] = Pace(1, 1.0)

    def __init__(self, settings: Slack, http: HttpClient) -> None:
        self._settings = settings
        self._http = http

    def fits(self, message: Message) -> bool:
        """See `core.ports.GroupChannel`."""
        return len(_escaped(message.text)) <= ROOM

    def send(self, message: Message) -> str:
        """See `core.ports.Channel`."""
        host = self._settings.url.authority
        body = json.dumps({"text": _escaped(message.text)}).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            answer = self._http.send(Request("POST", self._settings.url.secret, headers, body), self._settings.timeout)
        except HttpError as error:
            raise unanswered(host, error) from None
        said = answer.body[:100].decode("utf-8", "replace").strip()
        if answer.status == 200 and said == "ok":
            return f"{host} answered 200: ok"
        raise _failure(host, answer, said)


def _failure(host: str, answer: Response, said: str) -> ChannelError:
    fault = _FAULTS.get(said)
    if fault is None and 200 <= answer.status < 300:
        fault = "but not `ok`, as Slack does; check that the URL is Slack's"
    if fault is None:
        return refused(host, answer)
    return ChannelError(Scope.CHANNEL, f"{host} answered {answer.status}: {fault}")


def _escaped(text: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
