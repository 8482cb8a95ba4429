"""Group robots over real HTTP, by what DingTalk, WeCom and Feishu document: HTTP 200 to everything, the verdict inside.

Each checks what the real one checks, in its order, with an implementation of its own of the documented signature.
"""

import hashlib
import json
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from support.messages import AT
from support.receiver import Answer, Received, Receiver

TOKEN = "token-canary-4f1c"
SECRET = "SECsecret-canary-秘密"
ADDRESS = "203.0.113.9"
HOUR = 3600.0
MINUTE = 60.0


def hmac_sha256(key: bytes, message: bytes) -> str:
    """RFC 2104, spelled out; in base64."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    return b2a_base64(outer, newline=False).decode()


class RefusalError(Exception):
    """A code and its words."""


class Robot(Receiver):
    """wall: the time it has. keywords: of which a message must have one. closed: to this machine's address.
    bodies: of the messages it took.
    """

    def __init__(self, secret: str | None = None, keywords: Sequence[str] = (), closed: bool = False) -> None:
        super().__init__()
        self.secret = secret
        self.keywords = keywords
        self.closed = closed
        self.wall: datetime = AT
        self.bodies: list[dict[str, Any]] = []
        self._taken: list[float] = []

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def take(self, request: Received) -> Answer:
        told = super().take(request)
        if told != Answer():
            return told
        try:
            self.bodies.append(self.judged(request))
        except RefusalError as refusal:
            return self.told(*refusal.args)
        self._taken.append(self.wall.timestamp())
        return self.told(0, "ok")

    def told(self, code: int, words: str) -> Answer:
        body = json.dumps({"errcode": code, "errmsg": words}, ensure_ascii=False)
        return Answer(headers={"Content-Type": "application/json"}, body=body.encode())

    def judged(self, request: Received) -> dict[str, Any]:
        """The body. Raises RefusalError."""
        raise NotImplementedError

    def taken_within(self, seconds: float) -> int:
        return sum(self.wall.timestamp() - at < seconds for at in self._taken)

    def off(self, timestamp: float) -> bool:
        return abs(self.wall.timestamp() - timestamp) > HOUR


class DingTalkRobot(Robot):
    """https://open.dingtalk.com/document/orgapp/custom-robot-access"""

    @property
    def address(self) -> str:
        return f"{self.url}/robot/send?access_token={TOKEN}"

    def judged(self, request: Received) -> dict[str, Any]:
        query = parse_qs(urlsplit(request.path).query)
        if query.get("access_token") != [TOKEN]:
            raise RefusalError(300005, "token is not exist")
        if request.headers["content-type"] != "application/json; charset=utf-8":
            raise RefusalError(43004, "无效的HTTP HEADER Content-Type")
        if len(request.body) > 20_000:
            raise RefusalError(460101, "message too long, exceed 20000 bytes")
        body = request.json()
        content = self._content(body)
        self._secured(query, content)
        if self.taken_within(MINUTE) >= 20:
            raise RefusalError(130101, "send too fast, exceed 20 times per minute")
        return body

    def _content(self, body: dict[str, Any]) -> str:
        fields = {"text": ("content",), "markdown": ("title", "text")}.get(body.get("msgtype"))
        if fields is None:
            raise RefusalError(400105, "msgtype is not supported")
        inner = body[body["msgtype"]]
        if set(inner) != set(fields) or not all(isinstance(inner[name], str) and inner[name] for name in fields):
            raise RefusalError(40035, "缺少参数 json")
        at = body["at"]
        if set(at) != {"atMobiles", "isAtAll"} or not isinstance(at["isAtAll"], bool):
            raise RefusalError(40035, "缺少参数 json")
        return "\n".join(inner[name] for name in fields)

    def _secured(self, query: dict[str, list[str]], content: str) -> None:
        if self.closed:
            raise RefusalError(310000, f"ip {ADDRESS} not in whitelist")
        if self.secret is not None:
            timestamp = query.get("timestamp", [""])[0]
            key = self.secret.encode()
            if query.get("sign") != [hmac_sha256(key, timestamp.encode() + b"\n" + key)]:
                raise RefusalError(310000, "sign not match")
            if self.off(int(timestamp) / 1000):
                raise RefusalError(310000, "invalid timestamp")
        if self.keywords and not any(word in content for word in self.keywords):
            raise RefusalError(310000, "keywords not in content")


class WeComRobot(Robot):
    """https://developer.work.weixin.qq.com/document/path/91770"""

    @property
    def address(self) -> str:
        return f"{self.url}/cgi-bin/webhook/send?key={TOKEN}"

    def told(self, code: int, words: str) -> Answer:
        hint = f", hint: [1704540159128593240839785], from ip: {ADDRESS}" if code else ""
        return super().told(code, words + hint)

    def judged(self, request: Received) -> dict[str, Any]:
        if parse_qs(urlsplit(request.path).query).get("key") != [TOKEN]:
            raise RefusalError(93000, "invalid webhook url")
        if b"\\u" in request.body:
            raise RefusalError(40033, "invalid charset")
        body = request.json()
        kind = body.get("msgtype")
        limit = {"text": 2048, "markdown": 4096}.get(kind)
        if limit is None or set(body) != {"msgtype", kind}:
            raise RefusalError(40008, "invalid message type")
        allowed = {"content"} | ({"mentioned_list", "mentioned_mobile_list"} if kind == "text" else set())
        if not set(body[kind]) <= allowed:
            raise RefusalError(40058, "invalid Request Parameter")
        if not body[kind]["content"]:
            raise RefusalError(44004, "empty content")
        if len(body[kind]["content"].encode()) > limit:
            raise RefusalError(40058, f"{kind}.content exceed max length {limit}")
        if self.taken_within(MINUTE) >= 20:
            raise RefusalError(45009, "api freq out of limit")
        return body


class FeishuBot(Robot):
    """https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot"""

    @property
    def address(self) -> str:
        return f"{self.url}/open-apis/bot/v2/hook/{TOKEN}"

    def told(self, code: int, words: str) -> Answer:
        old = {} if code else {"StatusCode": 0, "StatusMessage": "success"}
        return Answer(body=json.dumps({**old, "code": code, "data": {}, "msg": words}).encode())

    def judged(self, request: Received) -> dict[str, Any]:
        if request.path != f"/open-apis/bot/v2/hook/{TOKEN}":
            raise RefusalError(19001, "param invalid: incoming webhook access token invalid")
        if len(request.body) > 20 * 1024:
            raise RefusalError(19036, "The message exceeds the size limit")
        body = request.json()
        self._signed(body)
        if self.closed:
            raise RefusalError(19022, f"Ip Not Allowed {ADDRESS}")
        content = self._content(body)
        if self.keywords and not any(word in content for word in self.keywords):
            raise RefusalError(19024, "Key Words Not Found")
        if self.taken_within(MINUTE) >= 100 or self.taken_within(1.0) >= 5:
            raise RefusalError(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
        return body

    def _signed(self, body: dict[str, Any]) -> None:
        if self.secret is None:
            return
        timestamp = body.get("timestamp", "")
        if (
            not isinstance(timestamp, str)
            or body.get("sign") != hmac_sha256(f"{timestamp}\n{self.secret}".encode(), b"")
            or self.off(int(timestamp))
        ):
            raise RefusalError(19021, "sign match fail or timestamp is not within one hour from current time")

    def _content(self, body: dict[str, Any]) -> str:
        match body.get("msg_type"):
            case "text":
                return str(body["content"]["text"])
            case "interactive":
                return "\n".join(_contents(body["card"]))
        raise RefusalError(19002, "params error, msg_type need")


def _contents(node: Any) -> Sequence[str]:
    """Every text in a card."""
    if isinstance(node, dict):
        own = [node["content"]] if isinstance(node.get("content"), str) else []
        return [*own, *(text for value in node.values() for text in _contents(value))]
    return [text for value in node for text in _contents(value)] if isinstance(node, list) else []


def people_read(body: dict[str, Any]) -> str:
    """What people read of the body of any of the three."""
    kind = body.get("msgtype") or body["msg_type"]
    match kind:
        case "interactive":
            return "\n".join(_contents(body["card"]))
        case "markdown" if "title" in body["markdown"]:
            return f"{body['markdown']['title']}\n{body['markdown']['text']}"
        case _:
            inner = body.get(kind) or body["content"]
            return str(inner.get("content") or inner["text"])
