"""`.env`, and files that are wrong: every problem is a line that names it."""

import pytest

from support.site import Site


def test_dotenv_is_read_and_the_environment_wins(site: Site) -> None:
    (site.work / ".env").write_text('ACCOUNT_NAME="from file"\nexport WARNING_THRESHOLD=200\nBALANCE_UNIT=cards # x\n')
    daemon = site.start(site.account(BALANCE_UNIT="frames"))
    line = daemon.entry(msg="Token balance low")
    assert (line["account"], line["threshold"], line["unit"]) == ("from file", 200, "frames")
    daemon.stop()


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"this is no assignment\n", ".env line 1"),
        (b"ACCOUNT_NAME=a\nACCOUNT_NAME_FILE=b\n", "ACCOUNT_NAME"),
        (b"ACCOUNT_NAME=\xff\xfe\n", ".env"),
        (b"CHECK_INTERVAL=often\n", "CHECK_INTERVAL"),
    ],
)
def test_a_broken_dotenv_is_one_problem_and_exit_2(site: Site, content: bytes, named: str) -> None:
    (site.work / ".env").write_bytes(content)
    done = site.run(site.account(CHECK_INTERVAL=""))
    assert done.status == 2
    problem = done.err.splitlines()
    assert len(problem) == 1
    assert named in problem[0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("accounts: facefusion", "accounts"),
        ("accounts: []", "accounts"),
        ("[1, 2]", "mapping"),
        ("accounts: [just text]", "accounts"),
        ("accounts: [{name: [a], credential: x-credential}]", "name"),
        ("accounts: [{name: a, credential: {x: y}}]", "credential"),
        ("accounts: [{name: a, credential: x-credential, thresholds: 10}]", "thresholds"),
        ("accounts: [{name: a, credential: x-credential, interval: {}}]", "interval"),
        ("accounts: [{name: a, credential: x-credential, quantities: [b]}]", "quantities"),
        ("accounts: [{name: a, credential: x-credential, headers: text}]", "headers"),
        ("accounts: [{name: a, credential: x-credential}]\nchannels: [a]", "channels"),
        ("accounts: [{name: a, credential: x-credential}]\nchannels: {a: text}", "channels"),
        ("accounts: [{name: a, credential: x-credential, name: b}]", "name"),
        ("accounts: [{name: a", "line"),
        ("accounts: &x [{name: a, credential: *x}]", "alias"),
        ("", "accounts"),
        ("a: !!python/object:os.system {}", ""),
    ],
)
def test_a_wrong_type_in_the_file_is_a_line_that_names_it_and_exit_2(site: Site, text: str, named: str) -> None:
    done = site.run(site.yaml(text))
    assert done.status == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    assert any(named in line for line in done.err.splitlines()), done.err
