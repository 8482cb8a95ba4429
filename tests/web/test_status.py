"""The status object, field by field."""

from decimal import Decimal

from attrs import evolve

from support.web import NOON, account, quantity, snapshot
from token_monitor.core.alert import Switch
from token_monitor.core.message import Backlog
from token_monitor.core.number import to_json
from token_monitor.core.view import entry
from token_monitor.core.words import State, Why
from token_monitor.web.status import health, readiness, status


def test_the_shared_object_has_the_keys_of_the_contract_in_their_order() -> None:
    view = quantity("facefusion", state=State.LOW, balance="0.10", limit=Decimal("1E+3"))
    assert to_json(entry(view)) == (
        '{"account":"facefusion","quantity":"balance","state":"low","balance":0.10,"limit":1E+3,"unit":"calls","error":null}'
    )


def test_status_extends_that_object_by_its_episode_and_the_facts_of_the_account() -> None:
    view = quantity("a", state=State.LOW, balance="5", episode="e1", error="answered HTTP 500", runway=7200)
    shown = snapshot(account("a", view, failures=2, silent=True, credential=State.CRITICAL))
    assert status(shown, "1.2.3")["accounts"] == [
        entry(view)
        | {
            "episode": "e1",
            "runway_seconds": 7200,
            "reset_at": None,
            "at": "2026-04-05T12:00:00.000Z",
            "tried": True,
            "failures": 2,
            "silent": True,
            "credential": "critical",
            "credential_label": "primary",
            "credentials_shared": [],
            "last_success": "2026-04-05T12:00:00.000Z",
        }
    ]


def test_status_says_which_credential_is_used_which_share_a_balance_and_what_was_switched() -> None:
    switch = Switch("a", "primary", "spare1", Why.EXHAUSTED, NOON)
    view = evolve(account("a"), credential_label="spare1", shared=(("spare1", "spare2"),))
    shown = status(evolve(snapshot(view), switches=[switch]), "1")
    (only,) = shown["accounts"]
    assert (only["credential_label"], only["credentials_shared"]) == ("spare1", [["spare1", "spare2"]])
    assert shown["switches"] == [
        {
            "at": "2026-04-05T12:00:00.000Z",
            "account": "a",
            "from": "primary",
            "to": "spare1",
            "why": "exhausted",
            "dry_run": False,
        }
    ]


def test_an_account_never_read_has_nulls_rather_than_zeros() -> None:
    fresh = account("a", quantity("a", state=State.UNKNOWN, balance=None, read_at=None), tried=False, last_success=None)
    (only,) = status(snapshot(fresh), "1")["accounts"]
    assert (only["balance"], only["at"], only["last_success"], only["state"]) == (None, None, None, "unknown")


def test_every_quantity_of_an_account_is_an_object_of_its_own() -> None:
    shown = snapshot(account("a", quantity("a", "cny"), quantity("a", "usd")), account("b"))
    names = [(each["account"], each["quantity"]) for each in status(shown, "1")["accounts"]]
    assert names == [("a", "cny"), ("a", "usd"), ("b", "balance")]


def test_the_rest_of_status_is_version_durability_problems_and_channels() -> None:
    shown = snapshot(
        account("a", tried=False),
        backlogs={"stdout": Backlog(), "ops": Backlog(3, 1, "answered HTTP 503")},
        durable=False,
        problems=["the scheduler is overdue"],
    )
    answer = status(shown, "1.2.3")
    del answer["accounts"]
    assert answer == {
        "version": "1.2.3",
        "ready": False,
        "durable": False,
        "problems": ["the scheduler is overdue"],
        "episodes": [],
        "switches": [],
        "channels": [
            {"name": "stdout", "pending": 0, "dead": 0, "last_error": None},
            {"name": "ops", "pending": 3, "dead": 1, "last_error": "answered HTTP 503"},
        ],
    }


def test_health_is_about_the_daemon_and_not_about_the_providers() -> None:
    failing = account("a", quantity("a", state=State.EXHAUSTED, error="timed out"), failures=9, silent=True)
    assert health(snapshot(failing)) == (True, {"status": "ok", "problems": []})
    sick = snapshot(problems=["thread stdout has died"])
    assert health(sick) == (False, {"status": "unhealthy", "problems": ["thread stdout has died"]})


def test_readiness_names_the_accounts_that_were_not_tried_yet() -> None:
    shown = snapshot(account("a"), account("b", tried=False), account("c", tried=False))
    assert readiness(shown) == (False, {"status": "waiting", "waiting": ["b", "c"]})
    assert readiness(snapshot(account("a", failures=1))) == (True, {"status": "ready", "waiting": []})
