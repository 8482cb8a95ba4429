"""What can be said of the Dockerfile without building it. tests/images/ builds and runs it."""

import json
import re
from pathlib import Path

import pytest

import token_monitor

ROOT = Path(__file__).parents[2]
DELIVERED = ["slim", "full", "bundled"]


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, continuation lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    words = [line.split(maxsplit=1) for line in code.replace("\\\n", " ").splitlines()]
    return [(name.upper(), rest.strip()) for name, rest in words]


def stages() -> dict[str, list[tuple[str, str]]]:
    """By name, FROM included; the one that is built without --target as ``."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, rest in instructions():
        if name == "FROM":
            current = found.setdefault(rest.partition(" AS ")[2], [])
        elif not found:
            continue
        current.append((name, rest))
    return found


def stage(target: str) -> list[tuple[str, str]]:
    """Its instructions after those of the stages that it is made from."""
    own = stages()[target]
    base = own[0][1].split()[0]
    return (stage(base) if base in stages() else []) + own


def only(target: str, name: str) -> str:
    found = [rest for instruction, rest in stage(target) if instruction == name]
    assert len(found) == 1, (name, found)
    return found[0]


def variables(target: str) -> dict[str, str]:
    told = " ".join(rest for name, rest in stage(target) if name == "ENV")
    return dict(re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", told))


def test_without_a_target_the_core_is_built():
    assert stages()[""] == [("FROM", "slim")]
    assert instructions()[-1] == ("FROM", "slim")


@pytest.mark.parametrize("target", DELIVERED)
def test_builders_are_left_behind(target):
    copied = [rest for name, rest in stage(target) if name == "COPY"]
    assert all(re.match(r"--from=build|deploy/docker/(begin|supervise)\.py ", rest) for rest in copied)


@pytest.mark.parametrize("target", DELIVERED)
def test_the_image_runs_as_a_numeric_user_that_is_not_root(target):
    user = only(target, "USER")
    if user == "${BUNDLED_USER}":
        (user,) = [rest.partition("=")[2] for name, rest in stage(target) if rest.startswith("BUNDLED_USER=")]

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _rest in stage(target)]
    assert "RUN" not in names[names.index("USER") :]


@pytest.mark.parametrize("target", DELIVERED)
def test_the_data_folder_is_a_volume_that_the_user_owns(target):
    folder = variables(target)["TOKEN_MONITOR_DATA"]

    assert only(target, "VOLUME") == folder == "/var/lib/token-monitor"
    assert ("COPY", f"--from=build --chown={only(target, 'USER')} /private /var/lib") in stage(target)


@pytest.mark.parametrize("target", DELIVERED)
def test_the_image_listens_where_a_published_port_can_reach_it(target):
    assert variables(target)["TOKEN_MONITOR_LISTEN"] == f"0.0.0.0:{only(target, 'EXPOSE')}"


@pytest.mark.parametrize("target", DELIVERED)
def test_nothing_in_a_delivered_image_needs_a_shell(target):
    command = only(target, "HEALTHCHECK").partition("CMD ")[2]

    assert "token_monitor.healthcheck" in json.loads(command)
    assert all(json.loads(rest) for name, rest in stage(target) if name in {"ENTRYPOINT", "RUN"})
    assert isinstance(json.loads(only(target, "CMD")), list)


def test_only_the_bundled_health_check_passes_whatever_it_says():
    reporting = {target: "--report" in only(target, "HEALTHCHECK") for target in DELIVERED}

    assert reporting == {"slim": False, "full": False, "bundled": True}


def test_bundled_runs_nothing_of_its_base_and_leaves_its_path_and_folder_alone():
    assert {"RUN", "WORKDIR"}.isdisjoint(name for name, _rest in stage("bundled"))
    ours = {name for name in variables("bundled") if not re.fullmatch(r"(INFERENCE_)?LD_(AUDIT|PRELOAD)", name)}
    assert ours == {"INFERENCE_COMMAND", "TOKEN_MONITOR_DATA", "TOKEN_MONITOR_LISTEN"}


def test_everything_pip_installs_is_pinned_with_hashes_but_the_package_itself():
    runs = " && ".join(rest for name, rest in instructions() if name == "RUN")
    installs = [part for part in runs.split("&&") if re.search(r"\bpip\b.* (install|wheel) ", part)]

    assert len(installs) == 6
    assert all("--require-hashes --only-binary :all:" in part or "--no-deps" in part for part in installs)


@pytest.mark.parametrize("target", DELIVERED)
def test_the_labels_say_what_it_is_in_which_version(target):
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', only(target, "LABEL")))

    assert set(labels) == {"title", "description", "licenses", "version", "revision"}
    assert ("ARG", f"VERSION={token_monitor.__version__}") in stage(target)


def test_a_root_that_cannot_be_written_costs_no_bytecode():
    assert variables("slim")["PYTHONDONTWRITEBYTECODE"] == "1"
    assert "compileall" in " ".join(rest for name, rest in instructions() if name == "RUN")


@pytest.mark.parametrize("needed", ["LICENSE", "README.md", "deploy/docker", "pyproject.toml", "token_monitor"])
def test_the_build_context_has_what_the_build_copies_and_starts_from_nothing(needed):
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    copied = " ".join(rest for name, rest in instructions() if name == "COPY").split()

    assert ignored[0] == "*"
    assert f"!{needed}" in ignored
    assert any(one == needed or one.startswith(f"{needed}/") for one in copied)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/operations.md"])
def test_a_container_started_as_documented_is_back_after_a_crash_and_a_reboot(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    (command,) = re.findall(r"^docker run (?:.*\\\n)*.*$", text, re.MULTILINE)

    assert "-d " in command
    assert "--restart unless-stopped" in command
    assert ("--memory 256m" in command) == command.endswith(" token-monitor")


def test_images_are_built_with_podman_in_the_format_that_has_health_checks():
    told = [(ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "docs/operations.md")]

    assert all(re.findall("podman build(.{16})", text) == [" --format docker"] for text in told)


def test_a_file_with_the_name_of_a_target_does_not_keep_make_from_making_it():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)

    assert set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set(phony.split())
