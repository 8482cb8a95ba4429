import os
from pathlib import Path

import pytest

from token_monitor.config.credential import Credential
from token_monitor.core.secret import Secret

NOT_AN_ASSIGNMENT = ".env line {}: not an assignment; NAME=value"
TOKEN = {"FACEFUSION_API_TOKEN": "sk-real"}


def test_a_dotenv_file_alone_is_enough(desk):
    desk.write(".env", "# comment\nexport FACEFUSION_API_TOKEN='sk-file'\n\nCHECK_INTERVAL=30s # often\n")
    (account,) = desk.load().accounts
    assert (account.credential, account.interval) == (Credential(literal=Secret("sk-file")), 30)


def test_the_real_environment_wins_whichever_form_either_uses(desk):
    file = desk.write("token", "sk-of-file\n")
    desk.write(".env", f"FACEFUSION_API_TOKEN_FILE={file}\nCHECK_INTERVAL=60")
    assert desk.load(TOKEN).accounts[0].credential == Credential(literal=Secret("sk-real"))
    desk.write(".env", "FACEFUSION_API_TOKEN=sk-dotenv\nCHECK_INTERVAL=60")
    account = desk.load({"FACEFUSION_API_TOKEN_FILE": file}).accounts[0]
    assert (account.credential, account.interval) == (Credential(file=Path(file)), 60)


def test_a_variable_that_is_empty_in_the_real_environment_leaves_the_one_of_dotenv(desk):
    desk.write(".env", "CHECK_INTERVAL=60")
    assert desk.load({**TOKEN, "CHECK_INTERVAL": ""}).accounts[0].interval == 60


@pytest.mark.parametrize("place", ["the environment", ".env"])
def test_both_forms_in_one_place_are_a_problem(desk, place):
    both = {"ACCOUNT_NAME": "a", "ACCOUNT_NAME_FILE": "b"}
    environ = dict(TOKEN)
    if place == ".env":
        desk.write(".env", "".join(f"{name}={value}\n" for name, value in both.items()))
    else:
        environ |= both
    assert desk.problems(environ) == [f"ACCOUNT_NAME: both ACCOUNT_NAME and ACCOUNT_NAME_FILE in {place}; one of them"]


def test_nothing_is_interpolated(desk):
    desk.write(".env", 'ACCOUNT_NAME="a${HOME}$b"')
    assert desk.load({**TOKEN, "HOME": "/h"}).accounts[0].name == "a${HOME}$b"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (
            b"A=1\n\n\nhunter2 oops\nB=2\n'unclosed=3\n",
            [f".env line {line}: not an assignment; NAME=value" for line in (4, 6)],
        ),
        (b"ACCOUNT_NAME\n", [".env line 1: not an assignment; NAME=value"]),
        (b"A=\xff\xfe", [".env: FOLDER/.env cannot be read: it is not UTF-8; a readable UTF-8 file, or none"]),
    ],
)
def test_a_broken_dotenv_file_is_a_problem_that_names_the_line_and_not_its_content(desk, content, lines):
    desk.write(".env", content)
    assert desk.problems(TOKEN) == lines


def test_an_unreadable_dotenv_file_is_a_problem(desk):
    (desk.folder / ".env").mkdir()
    why = os.strerror(21)
    assert desk.problems(TOKEN) == [f".env: FOLDER/.env cannot be read: {why}; a readable UTF-8 file, or none"]


def test_a_byte_order_mark_is_no_part_of_the_first_name(desk):
    desk.write(".env", "\ufeffACCOUNT_NAME=a")
    assert desk.load(TOKEN).accounts[0].name == "a"
