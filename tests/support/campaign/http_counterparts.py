"""Receivers of HTTP: a plain one, one of templates, and what answers as Slack and the group robots do."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from attrs import evolve

from support.campaign.counterpart import Counterpart, Fault, serials
from support.receiver import Answer, Received, Receiver
from support.robots import SECRET, TOKEN, DingTalkRobot, FeishuBot, Robot, WeComRobot, people_read

Mood = Callable[[random.Random], Answer | None]
"""What a request gets instead of being looked at; None: it is looked at."""

TIMEOUT = "2s"


def _failing(luck: random.Random) -> Answer | None:
    return Answer(luck.choice((500, 502, 503, 504))) if luck.random() < 0.9 else None


def _busy(luck: random.Random) -> Answer | None:
    return Answer(429, {"Retry-After": "1"}) if luck.random() < 0.9 else None


def _resetting(luck: random.Random) -> Answer | None:
    return Answer(close=True) if luck.random() < 0.5 else None


class HttpCounterpart(Counterpart):
    """Half of the resets, and some of the delays, come when the message is taken already: the answer is lost."""

    path = "/hook"

    def begin(self) -> int:
        self.mood: Mood | None = None
        self.forgets = 0.0
        self.late = 0.0
        self.receiver = self.make()
        self._look, self.receiver.take = self.receiver.take, self._take  # type: ignore[method-assign]
        self.opened.enter_context(self.receiver)
        return self.receiver.port

    def make(self) -> Receiver:
        return Receiver()

    def settings(self) -> Mapping[str, Any]:
        return {"url": f"http://127.0.0.1:{self.gate.port}{self.path}", "timeout": TIMEOUT}

    def faults(self) -> Mapping[str, Fault]:
        return {
            "stop": self.stopped,
            "5xx": lambda: self.moody(_failing),
            "429": lambda: self.moody(_busy),
            "delay": lambda: self.moody(late=3.0),
            "reset": lambda: self.moody(_resetting, forgets=0.5),
        }

    @contextmanager
    def moody(self, mood: Mood | None = None, *, forgets: float = 0.0, late: float = 0.0) -> Iterator[None]:
        self.mood, self.forgets, self.late = mood, forgets, late
        try:
            yield
        finally:
            self.mood, self.forgets, self.late = None, 0.0, 0.0

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        """Its marks, and what has to be the same if it comes again."""
        raise NotImplementedError

    def accepted(self, answer: Answer) -> bool:
        return answer.status == 200

    def _take(self, request: Received) -> Answer:
        if len(request.body) < int(request.headers["content-length"]):
            return Answer(close=True)  # its sender was killed in the middle of it
        if self.mood is not None and (instead := self.mood(self.luck)) is not None:
            return instead
        answer = self._look(request)
        if self.accepted(answer):
            self.take(*self.read(request))
        if self.luck.random() < self.forgets:
            return Answer(close=True)
        return evolve(answer, delay=self.luck.uniform(0, self.late))


class WebhookCounterpart(HttpCounterpart):
    name = "webhook"
    what = "an HTTP receiver"

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        sent = request.json()["alert"]["id"]
        assert request.headers["idempotency-key"] == sent
        return [sent], request.body.decode()


class TemplateCounterpart(HttpCounterpart):
    name = "template"
    what = "an HTTP receiver of a body of its own"

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), "body": {"key": "{id}", "title": "{headline}", "note": "{text}"}}

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        return [request.json()["key"]], request.body.decode()


class SlackCounterpart(HttpCounterpart):
    name = "slack"
    what = "an HTTP receiver that answers as Slack does"

    def make(self) -> Receiver:
        receiver = Receiver()
        receiver.answer(body=b"ok")
        return receiver

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        return serials(request.json()["text"]), request.body.decode()


class RobotCounterpart(HttpCounterpart):
    """Its 5xx are also answers of HTTP 200 with a code that says it is busy."""

    robot: type[Robot]

    def make(self) -> Receiver:
        timely = type(self.robot.__name__, (self.robot,), {"wall": property(_now, lambda _robot, _wall: None)})
        robot: Receiver = timely(SECRET if self.secret else None)
        return robot

    @property
    def secret(self) -> bool:
        return self.robot is not WeComRobot

    def settings(self) -> Mapping[str, Any]:
        return {**super().settings(), **({"secret": SECRET} if self.secret else {})}

    def faults(self) -> Mapping[str, Fault]:
        return {**super().faults(), "5xx": lambda: self.moody(self._failing)}

    def accepted(self, answer: Answer) -> bool:
        return _code(answer) == 0

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        body = request.json()
        signed = {name: value for name, value in body.items() if name not in ("timestamp", "sign")}
        marks = dict.fromkeys(serials(people_read(body)))  # a title repeats the first line
        return list(marks), json.dumps(signed)

    def _failing(self, luck: random.Random) -> Answer | None:
        robot = self.receiver
        assert isinstance(robot, Robot)
        return robot.told(-1, "system busy") if luck.random() < 0.5 else _failing(luck)


class DingTalkCounterpart(RobotCounterpart):
    name = "dingtalk"
    what = "a robot that checks and answers as DingTalk documents"
    robot = DingTalkRobot
    path = f"/robot/send?access_token={TOKEN}"


class WeComCounterpart(RobotCounterpart):
    name = "wecom"
    what = "a robot that checks and answers as WeCom documents"
    robot = WeComRobot
    path = f"/cgi-bin/webhook/send?key={TOKEN}"


class FeishuCounterpart(RobotCounterpart):
    name = "feishu"
    what = "a robot that checks and answers as Feishu documents"
    robot = FeishuBot
    path = f"/open-apis/bot/v2/hook/{TOKEN}"


def _now(_robot: Robot) -> datetime:
    return datetime.now(UTC)


def _code(answer: Answer) -> object:
    said = json.loads(answer.body)
    return said.get("errcode", said.get("code"))
