"""The worked example of the documents: a top-up ticket for every episode, closed by the recovery."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.markdown import ROOT
from support.site import Site
from support.tickets import TOKEN, TicketSystem

EXAMPLE = (ROOT / "examples/topup_ticket.yaml").read_text(encoding="utf-8")


@pytest.fixture
def tickets() -> Iterator[TicketSystem]:
    with TicketSystem() as running:
        yield running


def environment(site: Site, tickets: TicketSystem) -> dict[str, str]:
    text = EXAMPLE.replace(
        "    unit: calls\n", "    unit: calls\n    endpoint: PROVIDER/v1/balance\n    interval: 0.2\n"
    )
    return site.yaml(text, FACEFUSION_API_TOKEN="the-credential", TICKETS_URL=tickets.url, TICKETS_TOKEN=TOKEN)


def test_an_episode_over_a_restart_is_one_ticket_that_the_recovery_closes(site: Site, tickets: TicketSystem) -> None:
    settings = environment(site, tickets)
    site.provider.says(8)
    daemon = site.start(settings)
    tickets.wait_for(1)
    assert tickets.tickets["OPS-1"]["title"] == "facefusion: Token balance low"
    site.provider.says(2)
    site.judged(2)
    daemon.stop()
    assert site.query("SELECT reason, fate FROM outbox WHERE channel = 'topup' ORDER BY row") == [
        ("first", "sent"), ("escalated", "sent")
    ]  # fmt: skip
    daemon = site.start(settings)
    site.judged(1)
    site.provider.says(120)
    opened, closed = tickets.wait_for(2)
    daemon.stop()
    assert (opened.method, opened.path) == ("POST", "/api/tickets")
    assert (closed.method, closed.path) == ("PATCH", "/api/tickets/OPS-1")
    [ticket] = tickets.tickets.values()
    assert ticket["status"] == "closed"
    assert ticket["custom_fields"] == {"balance": 8, "threshold": 10, "episode": ticket["custom_fields"]["episode"]}
    assert ticket["comment"] == "[INFO] facefusion: recovered, 120 calls left (threshold 10)."
    assert len(tickets.requests) == 2
    assert TOKEN not in "\n".join(daemon.out.all)


def test_a_test_alert_opens_a_ticket_beside_a_running_daemon(site: Site, tickets: TicketSystem) -> None:
    done = site.run(environment(site, tickets), "test-alert", "topup")
    assert (done.status, "answered 201" in done.out) == (0, True)
    assert tickets.tickets["OPS-1"]["title"] == "facefusion: Test alert"


def test_a_program_gets_the_alert_and_nothing_of_the_daemons_environment(site: Site, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\nos.chdir(sys.argv[1])\n"
        "open('new', 'w').write(json.dumps([dict(os.environ), sys.stdin.read()]))\nos.rename('new', 'seen')\n"
    )
    program.chmod(0o755)
    yaml = f"""
accounts:
- {{name: facefusion, credential: '${{FACEFUSION_API_TOKEN}}', endpoint: PROVIDER/v1, thresholds: {{warning: 10}}}}
channels:
  page:
    type: exec
    command: ["{program}", "{tmp_path}"]
"""
    site.provider.says(5)
    daemon = site.start(site.yaml(yaml, FACEFUSION_API_TOKEN="the-credential"))
    daemon.wait_until((tmp_path / "seen").exists)
    daemon.stop()
    seen, stdin = json.loads((tmp_path / "seen").read_text())
    assert seen["TM_STATE"] == "low"
    assert json.loads(stdin)["alert"]["balance"] == 5
    assert not [name for name in seen if name.startswith(("TOKEN_MONITOR", "FACEFUSION"))]
