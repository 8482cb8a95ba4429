import pytest

from token_monitor.config.show import show

CANARY = "canary7f3a"
VARIABLES = [
    "FACEFUSION_API_TOKEN",
    "BALANCE_CHECK_ENDPOINT",
    "ALERT_WEBHOOK_URL",
    "ALERT_WEBHOOK_SECRET",
    "TOKEN_MONITOR_API_KEY",
]
KEYS = [
    "credential", "provider", "endpoint", "method", "body", "value", "limit", "used", "unit_from", "available", "scale",
    "interval", "timeout", "cooldown", "max_failures", "notify_when_blind", "language", "thresholds", "channels",
    "quantities", "auth", "headers", "ok_when", "name",
]  # fmt: skip
VALUES = [
    CANARY,
    f"http://h:99999/{CANARY}",
    f"ftp://{CANARY}",
    f"https://u:{CANARY}@h/",
    f"{CANARY}\x07",
    f"[{CANARY}",
]


@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("value", VALUES)
def test_no_problem_line_holds_the_value_of_a_secret_variable(desk, name, value):
    environ = {"FACEFUSION_API_TOKEN": "k", name: value, "LOG_LEVEL": "wrong"}
    assert CANARY not in "\n".join(desk.problems(environ))


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("form", ["${IT}", "x ${IT} y"])
def test_no_problem_line_holds_what_came_from_a_variable_wherever_it_was_put(desk, key, value, form):
    fields = {"name": "a", "credential": "k", key: form}
    text = "wrong: 1\naccounts:\n- " + "\n  ".join(f"{name}: '{value}'" for name, value in fields.items())
    lines = "\n".join(desk.problems({"IT": value}, text))
    assert "wrong: unknown key" in lines
    assert CANARY not in lines
    assert "canary7" not in lines


@pytest.mark.parametrize(
    "lines",
    [
        f"credential: '{CANARY}\\n",
        f"credential: *{CANARY}",
        f"credential: !{CANARY}!x y",
        f"credential: &{CANARY} {CANARY}: {CANARY}",
        f"credential: %{CANARY}",
        f"credential: @{CANARY}",
        f"credential: [{CANARY}",
        f'credential: "{CANARY}\\q"',
        f'credential: "{CANARY}\\n"',
        f"credential: {{{CANARY}: 1}}",
        f"credential: vault:{CANARY}",
        f"credential: k\n  headers: {CANARY}",
        f"credential: k\n  endpoint: {CANARY}",
        f"credential: k\n  endpoint: https://u:{CANARY}@h/",
        f"credential: k\n  headers: {{X: [{CANARY}]}}",
    ],
)
def test_no_problem_line_holds_a_secret_that_is_written_in_the_file(desk, lines):
    assert CANARY not in "\n".join(desk.problems(yaml=f"accounts:\n- name: a\n  {lines}\n  wrong: 1\n"))


def test_no_problem_line_holds_the_content_of_a_value_file_or_of_a_broken_dotenv(desk):
    desk.write("value", CANARY)
    desk.write(".env", f"{CANARY}\nX='{CANARY}")
    environ = {
        "FACEFUSION_API_TOKEN": "k",
        "CHECK_INTERVAL_FILE": "value",
        "BALANCE_FIELD_FILE": "value",
        "LOG_LEVEL": "x",
    }
    assert CANARY not in "\n".join(desk.problems(environ))


def test_nothing_shown_holds_a_secret(desk):
    environ = {
        "FACEFUSION_API_TOKEN": CANARY,
        "BALANCE_CHECK_ENDPOINT": f"https://h/x?key={CANARY}",
        "ALERT_WEBHOOK_URL": f"https://h/{CANARY}?{CANARY}",
        "ALERT_WEBHOOK_SECRET": CANARY,
        "TOKEN_MONITOR_API_KEY": CANARY,
    }
    settings = desk.load(environ)
    assert CANARY not in show(settings)
    assert CANARY not in repr(settings)
