from decimal import Decimal
from pathlib import Path

import pytest

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


READ = """
accounts:
  - name: one
    credential: "file:FOLDER/primary"
    spares: {studio: "file:FOLDER/spare", agency: "${AGENCY}"}
    failover: {publish: PUBLISH}
  - {name: two, credential: "file:FOLDER/two"}
"""


@pytest.mark.parametrize(
    ("publish", "read"),
    [
        ("FOLDER/primary", "accounts[0].credential"),
        ("FOLDER//deeper/../primary", "accounts[0].credential"),
        ("/FOLDER/link/primary", "accounts[0].credential"),
        ("FOLDER/spare", "accounts[0].spares.studio"),
        ("FOLDER/agency", "accounts[0].spares.agency"),
        ("FOLDER/two", "accounts[1].credential"),
        ("FOLDER/kept-elsewhere", "accounts[1].credential"),
    ],
)
def test_nothing_is_published_into_a_file_that_a_credential_is_read_from(desk, publish, read):
    for name in ("primary", "spare", "agency", "kept-elsewhere"):
        desk.write(name, f"{name}-canary")
    (desk.folder / "two").symlink_to("kept-elsewhere")
    (desk.folder / "link").symlink_to(desk.folder)
    text = READ.replace("FOLDER", str(desk.folder))
    environ = {"AGENCY_FILE": "agency"}
    allowed = f"a file of its own, for {read} is read from it"
    assert desk.problems(environ, text.replace("PUBLISH", publish.replace("FOLDER", str(desk.folder)))) == [
        f"accounts[0].failover.publish: {publish}; {allowed}"
    ]
    free = text.replace("PUBLISH", str(desk.folder / "published"))
    status = f"publish: {{status: {publish}}}".replace("FOLDER", str(desk.folder))
    assert desk.problems(environ, free + status) == [f"publish.status: {publish}; {allowed}"]
    assert desk.load(environ, free).accounts[0].failover.publish == desk.folder / "published"


def test_a_path_that_no_system_takes_is_one_line(desk):
    text = READ.replace("file:FOLDER/", "").replace("${AGENCY}", "agency").replace("PUBLISH", '"/shared/a\\0b"')
    allowed = "an absolute path of a file such as /shared/credential"
    assert desk.problems(yaml=text) == [f"accounts[0].failover.publish: /shared/a\\x00b; {allowed}"]
