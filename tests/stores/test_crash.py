"""kill -9 at any moment: what was committed is there, what was not leaves no trace."""

import random
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.stored import Start, answer, block, message, owing, rows, tell
from token_monitor.stores.monitor_db import open_monitor_db

COMMITTING = """
import sys
from itertools import count
from pathlib import Path
from support.stored import *
store = open_monitor_db(Path(sys.argv[1]))
for number in count():
    subject = Subject(Kind.ACCOUNT, f"a{number}", "balance")
    raised = [(message(f"{number}-1", subject=f"a{number}/balance"), ["ops", "bus"])]
    store.commit(Change(f"a{number}", {subject: in_episode(str(number))}, 1, raised), float(number))
    print(number, flush=True)
    if number % 3 == 2:
        delivery = owed(store)
        store.begin(delivery, float(number))
        store.sent(delivery, float(number))
        print("sent", delivery.row, flush=True)
"""


@pytest.mark.parametrize("attempt", range(8))
def test_whatever_moment_the_daemon_is_killed_at_nothing_committed_is_lost(
    folder: Path, start: Start, attempt: int
) -> None:
    process = start(COMMITTING, folder)
    confirmed = [answer(process)]
    time.sleep(random.uniform(0.0, 0.15))
    process.kill()
    assert process.stdout is not None
    confirmed += process.stdout.read().splitlines()
    committed = [int(line) for line in confirmed if line.isdigit()]
    sent = [int(line.split()[1]) for line in confirmed if line.startswith("sent")]
    with closing(open_monitor_db(folder, wait=0)) as store:
        stored = sorted(int(subject.account[1:]) for subject in store.subjects())
        assert stored in (committed, [*committed, len(committed)])
        assert len(store.failures()) == len(stored)
        assert store.steady() == float(stored[-1])
        pending = {channel: backlog.pending for channel, backlog in store.backlogs().items()}
        assert pending["bus"] == len(stored)
        assert len(stored) - pending["ops"] - len(sent) in (0, 1)
    found = rows(folder, "SELECT row FROM outbox WHERE fate = 'sent' ORDER BY row")
    assert set(sent) <= {row for (row,) in found}


HEALING = """
import sys
from pathlib import Path
from support.stored import *
folder = Path(sys.argv[1])
store = open_monitor_db(folder)
block(folder)
store.heal()
for first in range(0, 4000, 500):
    batch = [message(f"new{n}-1", subject=f"new{n}/balance") for n in range(first, first + 500)]
    store.commit(owing(*batch), 2.0)
unblock(folder)
print("ready", flush=True)
sys.stdin.readline()
store.heal()
print("healed", flush=True)
sys.stdin.readline()
"""


def test_a_crash_on_the_way_back_to_the_file_leaves_the_old_state_or_the_new(folder: Path, start: Start) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("old-1")), 1.0)
    for attempt in range(8):
        crashed = Path(shutil.copytree(folder, folder.with_name(f"crash{attempt}")))
        process = start(HEALING, crashed)
        assert answer(process) == "ready"
        tell(process)
        time.sleep(attempt * 0.004)
        process.kill()
        process.wait()
        count = rows(crashed, "SELECT count(*) FROM outbox")[0][0]
        assert count in (1, 4001)
        with closing(open_monitor_db(crashed, wait=0)) as store:
            assert store.backlogs()["ops"].pending == count


def test_a_store_that_came_back_to_the_file_survives_a_kill(folder: Path, start: Start) -> None:
    process = start(HEALING, folder)
    assert answer(process) == "ready"
    tell(process)
    assert answer(process) == "healed"
    process.kill()
    process.wait()
    assert rows(folder, "SELECT count(*) FROM outbox") == [(4000,)]


def test_a_crash_in_memory_leaves_what_the_file_had(folder: Path) -> None:
    with closing(open_monitor_db(folder)) as store:
        store.commit(owing(message("old-1")), 1.0)
        block(folder)
        store.heal()
        store.commit(owing(message("new-1", subject="new/balance")), 2.0)
    away = folder.with_suffix(".away")
    assert rows(away, "SELECT alert_id FROM outbox") == [("old-1",)]
