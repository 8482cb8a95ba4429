from pathlib import Path

import pytest

from support.config_tables import bad_cases
from token_monitor.config.problems import ConfigError

TABLE = Path(__file__).with_name("bad_yaml.txt")
DURATION = "a duration above 0 such as 300, 30s, 5m or 1h30m"


@pytest.mark.parametrize(("text", "problems"), bad_cases(TABLE))
def test_every_bad_file_gives_exactly_the_lines_of_the_table(desk, text, problems):
    assert desk.problems(yaml=text) == problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "accounts: missing; a list of at least one account"),
        ("a: 1\nb: \x07", "tm.yaml line 2: a control character; printable text"),
        ("[" * 5000, "tm.yaml: nested too deeply; YAML in one document"),
        (b"\xff\xfe\xfa", "FOLDER/tm.yaml: it is not UTF-8; a readable YAML file in UTF-8"),
        ("#" * (1024 * 1024 + 1), "FOLDER/tm.yaml: more than 1 MiB; a file of at most 1 MiB"),
    ],
)
def test_a_file_that_is_not_text_of_a_sane_size_and_shape_is_one_line(desk, text, problem):
    assert desk.problems(yaml=text) == [problem]


def test_a_wrong_default_is_found_even_where_every_account_has_its_own(desk):
    text = "defaults: {interval: 0}\naccounts: [{name: a, credential: k, interval: 5}]"
    assert desk.problems(yaml=text) == [f"defaults.interval: 0; {DURATION}"]


def test_aliases_are_refused_so_that_a_small_file_stays_small(desk):
    bomb = "x0: &x0 [a, a]\n" + "".join(f"x{i}: &x{i} [*x{i - 1}, *x{i - 1}]\n" for i in range(1, 40))
    problems = desk.problems(yaml=bomb)
    assert "x1[0]: an alias; the value, written out" in problems
    assert len(problems) < 200


def test_a_configuration_that_cannot_be_read_is_named(desk):
    environ = {"TOKEN_MONITOR_CONFIG": "gone.yaml", "LOG_LEVEL": "x"}
    with pytest.raises(ConfigError) as caught:
        desk.load(environ)
    first, second = map(str, caught.value.problems)
    assert (
        first == f"{desk.folder}/gone.yaml: it cannot be read: No such file or directory; a readable YAML file in UTF-8"
    )
    assert second == "LOG_LEVEL: x; one of debug, error, info, warning"


def test_problems_stand_in_the_order_of_their_paths_and_each_once(desk):
    accounts = "".join(f"  - {{name: a{i}, credential: k, interval: 0}}\n" for i in range(12))
    problems = desk.problems(yaml="defaults: {timeout: 0}\naccounts:\n" + accounts)
    assert problems == [f"accounts[{i}].interval: 0; {DURATION}" for i in range(12)] + [
        f"defaults.timeout: 0; {DURATION}"
    ]
