from decimal import Decimal
from pathlib import Path

from token_monitor.config.credential import Credential
from token_monitor.config.settings import FailoverSettings, PublishSettings, When
from token_monitor.config.show import show
from token_monitor.core.rules import Bound
from token_monitor.core.secret import Secret
from token_monitor.core.time import Seconds

WHOLE = """
accounts:
  - name: facefusion
    credential: ${FACEFUSION_API_TOKEN}
    spares: ["file:FOLDER/spare", "${SECOND}", third-canary]
    failover:
      when: {below: 10%, runway: 4h}
      quantity: calls
      back: on
      dry_run: on
      dwell: 5m
      publish: /shared/credential
      mode: 660
      group: inference
    quantities: {calls: {value: c}, images: {value: i}}
  - name: named
    credential: abcdef
    spares: {studio: other1, "张三": other2}
publish: {status: /shared/status.json, mode: 0644, group: inference}
"""
ENVIRON = {"FACEFUSION_API_TOKEN": "first-canary", "SECOND": "second-canary"}


def test_everything_about_spares_is_read(desk):
    desk.write("spare", "spare-canary\n")
    settings = desk.load(ENVIRON, WHOLE.replace("FOLDER", str(desk.folder)))
    facefusion, named = settings.accounts
    assert facefusion.spares == {
        "spare1": Credential(file=desk.folder / "spare"),
        "spare2": Credential(literal=Secret("second-canary")),
        "spare3": Credential(literal=Secret("third-canary")),
    }
    assert facefusion.failover == FailoverSettings(
        When(Bound(Decimal(10), percent=True), Seconds(14400.0)),
        "calls",
        back=True,
        dry_run=True,
        dwell=300.0,
        publish=Path("/shared/credential"),
        mode="0660",
        group="inference",
    )
    assert list(named.spares) == ["studio", "张三"]
    assert named.failover == FailoverSettings()
    assert settings.publish == PublishSettings(Path("/shared/status.json"), "0644", "inference")


def test_spares_are_shown_by_label_and_what_is_shown_can_be_loaded_again(desk):
    desk.write("spare", "spare-canary\n")
    settings = desk.load(ENVIRON, WHOLE.replace("FOLDER", str(desk.folder)))
    facefusion, shown = settings.accounts[0].failover, show(settings)
    assert "canary" not in shown
    assert "    spare2: '***'\n" in shown
    for written in ("below: 10%", "runway: 4h", "quantity: calls", "dwell: 5m", "mode: '0660'", "publish: /shared/cre"):
        assert written in shown
    again = shown.partition("daemon:")[0]
    for number in range(6):
        again = again.replace("'***'", f"other-{number}", 1)
    reloaded = desk.load({}, again).accounts[0]
    assert (reloaded.failover.when, reloaded.failover.mode) == (facefusion.when, "0660")
    assert list(reloaded.spares) == ["spare1", "spare2", "spare3"]


def test_an_account_without_spares_has_neither(desk):
    (account,) = desk.load({}, "accounts: [{name: a, credential: abcdef}]").accounts
    assert (account.spares, account.failover) == (None, None)
