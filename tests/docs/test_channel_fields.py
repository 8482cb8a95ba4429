"""The page about channels says what templates and programs are given."""

import re
import subprocess
from pathlib import Path

import yaml
from attrs import evolve

from support.markdown import CHANNELS
from support.messages import low
from token_monitor.channels import dingtalk, email, exec, feishu, process, recipients, slack, wecom  # noqa: A004
from token_monitor.channels.robot import Format
from token_monitor.core.alert import Switch
from token_monitor.core.fields import NAMES, flat
from token_monitor.core.time import human_duration
from token_monitor.core.words import Kind, State, Why
from token_monitor.stores import notes


def test_the_table_of_fields_has_every_field_in_its_order() -> None:
    assert CHANNELS.table_with("headline").names == list(NAMES)


def test_the_fields_are_those_of_the_alerts_that_the_table_names() -> None:
    account = evolve(low().alert, label="spare1")
    rejected = evolve(account, kind=Kind.CREDENTIAL, state=State.CRITICAL, measured=None)
    switch = Switch(account.account, "primary", "spare1", Why.EXHAUSTED, account.at)
    alerts = {"`account`": account, "`credential`": rejected, "`Credential switched`": evolve(rejected, switch=switch)}
    given = {of: {name for name, value in flat(evolve(low(), alert=alert)).items() if value is not None}
             for of, alert in alerts.items()}  # fmt: skip
    unknown = {"limit", "runway_seconds"}  # of this account
    for name, of, _ in CHANNELS.table_with("headline").rows:
        field = name.strip("`")
        told = [*given] if of == "all" else of.split(", ")
        if "`credential`" in told:
            told.append("`Credential switched`")  # which is of that kind
        if field not in unknown:
            assert {of for of in given if field in given[of]} == set(told), name


def test_every_variable_that_the_page_names_is_one_a_program_gets() -> None:
    given = exec.environment(low())
    named = set(re.findall(r"`(TM_\w+)`", CHANNELS.prose)) - {"TM_"}
    assert len(named) >= 2
    assert named <= set(given)


def test_the_program_of_the_page_does_nothing_to_a_test_alert(tmp_path: Path) -> None:
    (block,) = [block for block in CHANNELS.blocks if "type: exec" in block.text]
    command = yaml.safe_load(block.text)["channels"]["restart"]["command"]
    program = tmp_path / "supervisorctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/done\n')
    program.chmod(0o755)
    test = evolve(low(), alert=evolve(low().alert, kind=Kind.TEST, state=State.OK))
    for message in (test, low()):
        variables = exec.environment(message)
        subprocess.run(command, env={**variables, "PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    assert (tmp_path / "done").read_text() == "restart facefusion\n"


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    for said in (
        ", ".join(f"`{name}`" for name in exec._INHERITED),
        f"SIGTERM, {process.GRACE:g} s later SIGKILL",
        f"The first {process.KEPT // 1024} KiB of each stream",
        f"| {exec.TRY_AGAIN} | tried again |",
        f"At most {email.EmailChannel.pace.count} mails in any minute",  # type: ignore[union-attr]
        f"for up to {human_duration(recipients.PATIENCE).removesuffix('m')} minutes",
        f"{slack.ROOM:,} characters for Slack, {email.ROOM // 1024} KiB for a mail",
        f"{dingtalk.LIMIT:,} bytes, the whole request",
        f"{feishu.LIMIT:,} bytes, the whole request",
        f"{wecom.LIMITS[Format.MARKDOWN]:,} bytes; text {wecom.LIMITS[Format.TEXT]:,}",
        f"until {human_duration(notes.KEPT_FOR).removesuffix('d')} days after the end",
        ", ".join(str(email._PORTS[each]) for each in (email.Security.STARTTLS, email.Security.TLS)) + " or 25",
    ):
        assert said in " ".join(CHANNELS.text.split()), said
