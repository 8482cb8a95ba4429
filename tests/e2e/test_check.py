"""`check`: one poll of each account, for scripts."""

import json
import os
import signal
import time

import pytest

from support.daemon import one_line
from support.site import Answer, Site

FOUR = """
defaults: {thresholds: {warning: 10, critical: 3}}
accounts:
  - {name: good, credential: a-credential, endpoint: PROVIDER/good}
  - {name: low, credential: a-credential, endpoint: PROVIDER/low}
  - {name: bad, credential: a-credential, endpoint: PROVIDER/bad}
  - {name: gone, credential: a-credential, endpoint: PROVIDER/gone}
channels: {}
"""


@pytest.mark.parametrize(
    ("balance", "state", "status"),
    [("50", "ok", 0), ("5", "low", 1), ("2", "critical", 2), ("0", "exhausted", 2), ("-1", "arrears", 2)],
)
def test_check_says_the_state_and_exits_by_it(site: Site, balance: str, state: str, status: int) -> None:
    site.provider.says(balance)
    done = site.run(site.account(CRITICAL_THRESHOLD="3"), "check")
    assert done.status == status
    assert state in one_line(done.out)
    assert balance in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("answer", "state", "status"), [(402, "exhausted", 2), (401, "unknown", 3), (404, "unknown", 3)]
)
def test_check_tells_no_credit_from_no_answer(site: Site, answer: int, state: str, status: int) -> None:
    site.provider.answer(answer)
    done = site.run(site.account(), "check", "--json")
    assert done.status == status
    account = json.loads(done.out)["accounts"][0]
    assert (account["state"], account["balance"]) == (state, None)
    assert bool(account["error"]) is (state == "unknown")


def test_check_stores_nothing_and_alerts_nobody(site: Site) -> None:
    site.provider.says(5)
    assert site.run(site.account(), "check").status == 1
    assert site.receiver.requests == []
    assert not site.data.exists()


def test_check_json_is_exactly_the_object_of_the_contract(site: Site) -> None:
    site.provider.says("5.50")
    done = site.run(site.account(), "check", "--json")
    assert one_line(done.out) == (
        '{"accounts":[{"account":"facefusion","quantity":"balance","state":"low","balance":5.50,"limit":null,'
        '"unit":"calls","error":null}]}'
    )


def test_check_fail_open_turns_unknown_into_0_and_nothing_else(site: Site) -> None:
    site.provider.answer(404)
    assert site.run(site.account(), "check").status == 3
    assert site.run(site.account(), "check", "--fail-open").status == 0
    site.provider.says(5)
    assert site.run(site.account(), "check", "--fail-open").status == 1
    site.provider.says(0)
    assert site.run(site.account(), "check", "--fail-open").status == 2


@pytest.mark.parametrize(
    ("names", "status"),
    [("good", 0), ("good low", 1), ("good gone", 3), ("low gone", 3), ("gone bad", 2), ("", 2)],
)
def test_the_worst_account_decides_in_the_order_2_3_1_0(site: Site, names: str, status: int) -> None:
    site.provider.says(50, "/good")
    site.provider.says(5, "/low")
    site.provider.says(1, "/bad")
    site.provider.at("/gone", lambda: Answer(404))
    done = site.run(site.yaml(FOUR), "check", *names.split())
    assert done.status == status
    assert len(done.out.splitlines()) == len(names.split() or "1234")


def test_check_of_an_unknown_account_or_with_wrong_settings_or_usage_is_3_with_one_line(site: Site) -> None:
    done = site.run(site.account(), "check", "nobody")
    assert done.status == 3
    assert "nobody" in one_line(done.err)
    assert "facefusion" in done.err
    assert site.run(site.account(), "check", "--unknown").status == 3
    done = site.run(site.account(CHECK_INTERVAL="-1"), "check")
    assert done.status == 3
    assert "CHECK_INTERVAL" in done.err
    assert site.provider.requests == []


def test_check_works_beside_a_running_daemon(site: Site) -> None:
    site.provider.says(5)
    daemon = site.start(site.account())
    site.posted(1)
    assert site.run(site.account(), "check").status == 1
    assert len(site.receiver.requests) == 1
    daemon.stop()


def test_check_ends_within_its_deadline_when_the_provider_hangs(site: Site) -> None:
    site.provider.answer(delay=60)
    begun = time.monotonic()
    done = site.run(site.account(REQUEST_TIMEOUT="1"), "check")
    assert done.status == 3
    assert time.monotonic() - begun < 4


def test_an_interrupted_check_exits_130_without_a_traceback(site: Site) -> None:
    site.provider.answer(delay=60)
    check = site.start(site.account(REQUEST_TIMEOUT="30"), "check")
    site.provider.wait_for(1)
    check.send(signal.SIGINT)
    assert check.wait(3) == 130
    assert "Traceback" not in "\n".join(check.err.finish())


def test_check_into_a_pipe_that_nobody_reads_is_no_traceback(site: Site) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    check = site.start(site.account(), "check", stdout=writing)
    os.close(writing)
    assert check.wait() == 0  # the balance is fine, whoever reads it
    assert check.err.finish() == []
