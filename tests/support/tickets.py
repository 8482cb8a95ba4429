"""A small ticket system over real HTTP."""

import json
import re
from typing import Any

from support.receiver import Answer, Received, Receiver

TOKEN = "ticket-token-canary"


class TicketSystem(Receiver):
    """POST /api/tickets opens one and answers its key; PATCH /api/tickets/KEY changes it. Both want the token.

    tickets: by key, as JSON. The same Idempotency-Key opens the same ticket once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tickets: dict[str, dict[str, Any]] = {}
        self._opened: dict[str, str] = {}

    def take(self, request: Received) -> Answer:
        told = super().take(request)
        if told != Answer():
            return told
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(401)
        if request.method == "POST" and request.path == "/api/tickets":
            return self._open(request)
        found = re.fullmatch(r"/api/tickets/([\w-]+)", request.path)
        if request.method == "PATCH" and found and found[1] in self.tickets:
            self.tickets[found[1]] |= request.json()
            return Answer(200, body=b"{}")
        return Answer(404)

    def _open(self, request: Received) -> Answer:
        given = request.headers["idempotency-key"]
        key = self._opened.setdefault(given, f"OPS-{len(self._opened) + 1}")
        self.tickets.setdefault(key, {"status": "open", **request.json()})
        return Answer(201, body=json.dumps({"data": {"ticket": {"key": key, "number": len(self._opened)}}}).encode())
