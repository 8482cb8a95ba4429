"""The real Alertmanager, which is told what stands; asked through its API, past the gate, what it holds."""

import http.client
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from support.alertmanager import PATIENCE, Alertmanager
from support.campaign.agreement import Agreement, LevelVerdict, Status, agreement, judge_level, named
from support.campaign.counterpart import Fault
from support.campaign.http_counterparts import HttpCounterpart
from support.receiver import Answer, Received, Receiver


class _Front(Receiver):
    """Passes each request on: what stands before it may answer instead, or lose the answer."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._behind = port

    def take(self, request: Received) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._behind, timeout=PATIENCE)
        try:
            headers = {"Content-Type": request.headers["content-type"]}
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, body=answer.read())
        except (OSError, http.client.HTTPException):
            return Answer(close=True)
        finally:
            connection.close()


class AlertmanagerCounterpart(HttpCounterpart):
    """It keeps its alerts in memory, so that `kill` takes all of them from it."""

    name = "alertmanager"
    what = "Alertmanager"
    path = ""

    def make(self) -> Receiver:
        self.agreements: list[Agreement] = []
        self.told: set[tuple[str, bool]] = set()
        self.server = self.opened.enter_context(Alertmanager(self.folder / self.name))
        return _Front(self.server.port)

    def faults(self) -> Mapping[str, Fault]:
        return {**super().faults(), "kill": self.crashed}

    @contextmanager
    def crashed(self) -> Iterator[None]:
        with self.stopped():
            self.server.stop()
            try:
                yield
            finally:
                self.server.start()

    def read(self, request: Received) -> tuple[Sequence[str], str]:
        now = datetime.now(UTC)
        for alert in request.json():
            self.told.add((_named(alert), datetime.fromisoformat(alert["endsAt"]) > now))
        return [], ""

    def agree(self, status: Status, watched: float) -> None:
        self.agreements.append(agreement(status, lambda: frozenset(map(_named, self.server.alerts())), watched))

    def verdict(self, faults: Counter[str]) -> LevelVerdict:
        return judge_level(self.name, self.what, self.told, self.agreements, faults)


def _named(alert: Mapping[str, Mapping[str, str]]) -> str:
    return named(alert["labels"], alert["labels"]["severity"], alert["annotations"]["episode"])
