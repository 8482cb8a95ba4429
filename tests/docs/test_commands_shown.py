"""Every command line in the documents exists with its options; the cheap ones are run; so are statuses and paths."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from support.markdown import CHINESE, DOCUMENTS, README, ROOT, Document, all_blocks
from support.site import Site
from token_monitor.cli.main import cli
from token_monitor.config.from_environment import ACCOUNT_VARIABLES
from token_monitor.config.load import DAEMON

BOTH = pytest.mark.parametrize("readme", [README, CHINESE], ids=lambda document: document.path)
METRIC = re.compile(r"^(token_monitor_\w+?)(?:_bucket|_count|_sum)?(?:\{(.*)\})? \S+$", re.MULTILINE)
PROGRAM = ("token-monitor", "token_monitor")


def shell_lines() -> Iterator[str]:
    """One command each, continuation lines joined."""
    for block in [*all_blocks("sh"), *all_blocks("console")]:
        for line in block.text.replace("\\\n", " ").splitlines():
            if block.language == "sh" or line.startswith("$ "):
                yield from (part.strip() for part in re.split(r"&&|;", line.removeprefix("$ ")))


def arguments(line: str) -> list[str] | None:
    """What token-monitor is given in a shell line; None if it is not run there."""
    words = shlex.split(line, comments=True)
    found = [number for number, word in enumerate(words) if word in PROGRAM]
    if not found or words[:2] in (["docker", "build"], ["docker", "logs"], ["kubectl", "create"]):
        return None
    return words[found[-1] + 1 :]


def accept(given: list[str]) -> None:
    """Parse as the program would. Raises click.ClickException."""
    if not given:
        return
    command = cli.commands[given[0]]
    command.make_context(given[0], given[1:])


def test_every_command_line_in_a_shell_block_is_one_the_program_takes() -> None:
    lines = [given for line in shell_lines() if (given := arguments(line)) is not None]
    assert len(lines) >= 8
    for given in lines:
        accept(given)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.path)
def test_every_command_line_in_the_prose_is_one_the_program_takes(document: Document) -> None:
    shown = [code for code in document.inline_code if code.startswith("token-monitor ")]
    assert shown or document.path == "docs/architecture.md"
    for code in shown:
        accept(shlex.split(code)[1:])


def test_a_command_line_that_does_not_exist_would_be_found() -> None:
    with pytest.raises(KeyError):
        accept(["watch"])
    with pytest.raises(click.UsageError):
        accept(["check", "--jsno"])


def test_every_make_target_and_variable_in_a_shell_block_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    ours = {*ACCOUNT_VARIABLES, *DAEMON.values(), "TOKEN_MONITOR_CONFIG"}
    files = ("Dockerfile", "docker-compose.yml", "supervisord.conf")
    deployed = "".join((ROOT / name).read_text(encoding="utf-8") for name in files)
    for line in shell_lines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line
        for name in re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b", line):
            assert name in ours or f"${{{name}" in deployed, line


@BOTH
def test_the_table_of_commands_has_every_command_with_its_options(readme: Document) -> None:
    table = readme.table_with("run")
    assert [name.split()[0] for name in table.names] == ["run", "check", "check-config", "test-alert", "status", "demo"]
    assert {name.split()[0] for name in table.names} == set(cli.commands)
    for name in table.names:
        command = cli.commands[name.split()[0]]
        options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
        assert set(re.findall(r"--[\w-]+", name)) == options, name
        takes = [each for each in command.params if isinstance(each, click.Argument)]
        assert bool(takes) == ("…" in name), name


def documented(readme: Document, command: str) -> set[int]:
    """The exit statuses that the table names for a command."""
    (row,) = [row for row in readme.table_with("run").rows if row[0].strip("`").split()[0] == command]
    return {int(digits) for digits in re.findall(r"(?<![\w-])\d+", row[2])}


@BOTH
def test_check_exits_as_the_table_says(readme: Document, site: Site) -> None:
    seen = set()
    for balance, status in (("100", 0), ("9", 1), ("2", 2), ("0", 2), ("-1", 2), ('"no"', 3)):
        site.provider.says(balance)
        assert site.run(site.account(CRITICAL_THRESHOLD="3"), "check").status == status
        seen.add(status)
    assert site.run(site.account(), "check", "--fail-open").status == 0
    assert site.run(site.account(FACEFUSION_API_TOKEN=""), "check").status == 3
    assert site.run(site.account(), "check", "nobody").status == 3
    assert documented(readme, "check") == seen


def test_the_worst_account_decides_the_status_of_check(site: Site) -> None:
    answers = {"good": "100", "low": "9", "odd": '"no"', "gone": "0"}
    for path, balance in answers.items():
        site.provider.says(balance, f"/{path}")
    accounts = "".join(f"- {{name: {name}, credential: abcdef, endpoint: PROVIDER/{name}}}\n" for name in answers)
    environment = site.yaml(f"defaults: {{thresholds: {{warning: 10}}}}\naccounts:\n{accounts}")
    order = [("gone", 2), ("odd", 3), ("low", 1), ("good", 0)]
    for number, (_, status) in enumerate(order):
        assert site.run(environment, "check", *(name for name, _ in order[number:])).status == status
    assert "2, 3, 1, 0" in README.prose


def test_the_other_commands_exit_as_the_table_says(site: Site) -> None:
    good, wrong = site.account(), site.account(FACEFUSION_API_TOKEN="", TOKEN_MONITOR_LISTEN="nowhere")
    for command in ("check-config", "test-alert", "status", "run"):
        assert site.run(wrong, command).status == 2
    assert site.run(good, "check-config", "--show").status == 0
    assert site.run(good, "test-alert").status == 0
    assert site.run(good, "test-alert", "nobody").status == 2
    site.receiver.answer(500)
    assert site.run(good, "test-alert", "webhook").status == 1
    assert site.run({**good, "TOKEN_MONITOR_LISTEN": "off"}, "status").status == 1
    for readme in (README, CHINESE):
        assert documented(readme, "check-config") == {0, 2}
        assert documented(readme, "test-alert") == documented(readme, "status") == {0, 1, 2}
        assert documented(readme, "run") == {0, 2}
        assert documented(readme, "demo") == {0, 130}


def test_a_console_session_goes_as_it_is_shown(site: Site) -> None:
    site.provider.says(5)
    environment = site.account()
    for block in all_blocks("console"):
        status = 0
        for session in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, shown = session.partition("\n")
            if line == "echo $?":
                assert shown == f"{status}\n"
            else:
                given = arguments(line)
                assert given is not None
                done = site.run(environment, *given)
                assert done.out == shown
                status = done.status


def test_every_path_answers_and_every_metric_is_exported(site: Site) -> None:
    site.provider.says(5, limit=200)
    account = "{name: facefusion, credential: abcdef, endpoint: PROVIDER/, limit: limit, thresholds: {warning: 10}}"
    daemon = site.start(site.yaml(f"accounts: [{account}]\n"))
    daemon.entry(msg="Token balance low")
    daemon.wait_until(lambda: 'deliveries_total{channel="stdout",outcome="sent"}' in daemon.get("/metrics").text)
    paths = README.table_with("GET /metrics").names
    for written in paths:
        method, path = written.split()
        answer = daemon.get(path.replace("{name}", "facefusion"), method)
        assert answer.status == (202 if method == "POST" else 200), written
    listed = re.findall(r"^(GET|POST) +(/\S*)", daemon.get("/").text, re.MULTILINE)
    assert {" ".join(each) for each in listed} == set(paths) - {"GET /"}
    assert daemon.get("/api/v1/accounts/nobody/poll", "POST").status == 404

    exported: dict[str, set[str]] = {}
    for name, labels in METRIC.findall(daemon.get("/metrics").text):
        exported.setdefault(name, set()).update(set(re.findall(r'(\w+)="', labels)) - {"le"})
    exported["token_monitor_runway_seconds"] = {"account", "quantity"}  # which shows after ten minutes of readings
    table = README.table_with("token_monitor_balance")
    assert sorted(table.names) == sorted(exported)
    for name, row in zip(table.names, table.rows, strict=True):
        told = re.sub(r"\(.*\)|histogram|–", "", row[1])
        assert set(re.findall(r"\w+", told)) == exported[name], name
    daemon.stop()
