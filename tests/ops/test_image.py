"""What can be said of the Dockerfile without building it. Another suite runs the image."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continuation lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    words = [line.split(maxsplit=1) for line in code.replace("\\\n", " ").splitlines()]
    return [(name.upper(), rest.strip()) for name, rest in words]


def final_stage() -> list[tuple[str, str]]:
    every = instructions()
    last = max(number for number, (name, _rest) in enumerate(every) if name == "FROM")
    return every[last:]


def only(name: str) -> str:
    found = [rest for instruction, rest in final_stage() if instruction == name]
    assert len(found) == 1, (name, found)
    return found[0]


def variables() -> dict[str, str]:
    return dict(re.findall(r"(\w+)=(\S+)", only("ENV")))


def test_the_wheel_is_built_in_a_stage_of_its_own_and_the_builder_is_left_behind():
    assert [name for name, _rest in instructions()].count("FROM") == 2
    copied = [rest for name, rest in final_stage() if name == "COPY"]
    assert all(rest.startswith("--from=build ") for rest in copied)


def test_the_image_runs_as_a_numeric_user_that_is_not_root():
    user, group = only("USER").split(":")

    assert int(user) > 0
    assert int(group) > 0
    assert [name for name, _rest in final_stage()].index("USER") > max(
        number for number, (name, _rest) in enumerate(final_stage()) if name in {"RUN", "COPY"}
    )


def test_the_data_folder_is_a_volume_that_the_user_owns():
    folder = variables()["TOKEN_MONITOR_DATA"]

    assert only("VOLUME") == folder == "/var/lib/token-monitor"
    assert f"COPY --from=build --chown={only('USER')} /data {folder}" in [f"{n} {rest}" for n, rest in final_stage()]


def test_the_image_listens_where_a_published_port_can_reach_it():
    assert variables()["TOKEN_MONITOR_LISTEN"] == f"0.0.0.0:{only('EXPOSE')}"


def test_nothing_in_the_final_image_needs_a_shell():
    command = only("HEALTHCHECK").partition("CMD ")[2]

    assert json.loads(only("ENTRYPOINT")) == ["python", "-m", "token_monitor"]
    assert json.loads(only("CMD")) == ["run"]
    assert json.loads(command) == ["python", "-m", "token_monitor.healthcheck"]
    assert all(json.loads(rest) for name, rest in final_stage() if name == "RUN")


def test_a_root_that_cannot_be_written_costs_no_bytecode():
    assert variables()["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "compileall" in " ".join(rest for name, rest in instructions() if name == "RUN")


@pytest.mark.parametrize("needed", ["LICENSE", "README.md", "pyproject.toml", "token_monitor"])
def test_the_build_context_has_what_the_build_copies_and_starts_from_nothing(needed):
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = " ".join(rest for name, rest in instructions() if name == "COPY").split()

    assert ignored[0] == "*"
    assert f"!{needed}" in ignored
    assert needed in copied
