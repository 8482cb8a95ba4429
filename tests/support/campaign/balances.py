"""A provider whose every answer raises an alert, and no two of whose answers are the same."""

import threading
from itertools import count

from support.receiver import Answer, Received, Receiver

# low, critical, in debt, recovered; twice low (the second is a reminder), recovered; critical at once, recovered
_STEPS = ("5", "2", "-1", "100", "6", "4", "100", "1", "100")
_CALM = "100"


class Balances(Receiver):
    """Each account at a path of its own. answers: how many were given while not calm."""

    def __init__(self) -> None:
        super().__init__()
        self.calm = False
        self.answers = 0
        self._serials = count(1)
        self._turns: dict[str, int] = {}
        self._calmed: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, request: Received) -> Answer:
        with self._lock:
            value = self._value(request.path)
            return Answer(body=f'{{"balance": {value}.{next(self._serials):06d}7}}'.encode())

    def be_calm(self) -> None:
        """From now on all is well, again and again."""
        with self._lock:
            self._calmed = dict.fromkeys(self._turns, 0)
            self.calm = True

    def all_calm(self) -> bool:
        """Whether every account has been judged to be well: it asked again since, and polls never overlap."""
        return self.calm and all(asked >= 2 for asked in self._calmed.values())

    def _value(self, path: str) -> str:
        if self.calm:
            self._calmed[path] = self._calmed.get(path, 0) + 1
            return _CALM
        self.answers += 1
        turn = self._turns.get(path, len(self._turns))
        self._turns[path] = turn + 1
        return _STEPS[turn % len(_STEPS)]
