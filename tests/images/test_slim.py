"""The image `slim`: confined as far as it goes, it watches, tells, remembers and ends."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from support.answers import silence
from support.containers import Container
from support.provider import Provider

DATA = "/var/lib/token-monitor"
MEMORY = 128 * 2**20
CONFINED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", f"--memory={MEMORY}", f"--memory-swap={MEMORY}")
BY_THE_IMAGE = ("TOKEN_MONITOR_LISTEN",)
"""The image sets these; what the environment holds wins over files."""
LIMIT = """
import pathlib
files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
print(next(pathlib.Path(one).read_text() for one in files if pathlib.Path(one).exists()))
"""

Start = Callable[..., Container]


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def environment(provider: Provider, listen: str, **more: str) -> dict[str, str]:
    return {
        "FACEFUSION_API_TOKEN": "tok-81d0",
        "BALANCE_CHECK_ENDPOINT": provider.url,
        "CHECK_INTERVAL": "1",
        "TOKEN_MONITOR_LISTEN": listen,
        **more,
    }


def healthy(container: Container) -> bool:
    return container.health() == (0, "healthy")


def test_confined_it_polls_alerts_and_restarts_without_alerting_again(
    slim, start: Start, volume, provider, receiver, listen, record_property
):
    provider.balance = 5
    told = environment(provider, listen, ALERT_WEBHOOK_URL=f"{receiver.url}/hook")
    first = start(slim, *CONFINED, f"--volume={volume}:{DATA}", **told)
    alert = receiver.wait_for(1)[0].json()["alert"]
    assert (alert["state"], alert["reason"], alert["balance"]) == ("low", "first", 5)
    assert provider.requests[0].headers["Authorization"] == "Bearer tok-81d0"
    running = status(first.pid)
    record_property("figure", f"slim: resident memory {int(running['VmRSS'].split()[0]) / 1024:.1f} MiB")
    assert running["Uid"].split()[0] == "65532"
    assert int(running["CapEff"], 16) == int(running["CapBnd"], 16) == 0
    first.until(lambda: first.said().alerts() == ["Token balance low"])
    _took, code = first.stop()
    assert code == 0
    asked = len(provider.requests)

    second = start(slim, *CONFINED, f"--volume={volume}:{DATA}", **told)
    provider.wait_for(asked + 3)
    assert second.said().alerts() == []
    assert len(receiver.requests) == 1
    provider.balance = 50
    assert receiver.wait_for(2)[1].json()["alert"]["reason"] == "recovered"
    assert "token_monitor_state_durable 1" in metrics(listen)
    assert first.said().err == second.said().err == ""


def metrics(listen: str) -> str:
    with urllib.request.urlopen(f"http://{listen}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_the_memory_limit_is_in_force_and_the_daemon_lives_within_it(slim, start: Start, volume, provider, listen):
    container = start(slim, *CONFINED, f"--volume={volume}:{DATA}", **environment(provider, listen))
    container.until(lambda: healthy(container))

    assert container.exec("python", "-c", LIMIT).stdout.strip() == str(MEMORY)
    greedy = container.exec("python", "-c", f"held = bytearray({2 * MEMORY}); print(len(held))")
    assert (greedy.returncode, greedy.stdout) == (137, "")
    assert container.health() == (0, "healthy")


def test_the_root_cannot_be_written(slim, start: Start, provider, listen):
    container = start(slim, *CONFINED, **environment(provider, listen))
    container.until(lambda: healthy(container))

    tried = container.exec("python", "-c", "open('/etc/token-monitor/x', 'w')")
    assert "Read-only file system" in tried.stderr


def kept(told: dict[str, str]) -> dict[str, str]:
    return {name: told[name] for name in BY_THE_IMAGE}


def given_by_environment(_folder: Path, told: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    return [], told


def given_by_secret_files(folder: Path, told: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    written = {name: value for name, value in told.items() if name not in BY_THE_IMAGE}
    for name, value in written.items():
        (folder / name).write_text(value + "\n", encoding="utf-8")
    files = {f"{name}_FILE": f"/run/secrets/{name}" for name in written}
    return [f"--volume={folder}:/run/secrets:ro"], files | kept(told)


def given_by_dot_env(folder: Path, told: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    text = "".join(f"{name}={value}\n" for name, value in told.items() if name not in BY_THE_IMAGE)
    (folder / ".env").write_text(text, encoding="utf-8")
    return [f"--volume={folder}/.env:/etc/token-monitor/.env:ro"], kept(told)


def given_by_a_config_file_in_a_volume(folder: Path, told: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    account = {
        "name": "mounted",
        "endpoint": told["BALANCE_CHECK_ENDPOINT"],
        "credential": "file:/etc/token-monitor/credential",
        "thresholds": {"warning": 10},
    }
    settings = {"accounts": [account]}
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "credential").write_text(told["FACEFUSION_API_TOKEN"] + "\n", encoding="utf-8")
    given = {"TOKEN_MONITOR_CONFIG": "/etc/token-monitor/config.yaml"}
    return [f"--volume={folder}:/etc/token-monitor:ro"], given | kept(told)


@pytest.mark.parametrize(
    "give",
    [given_by_environment, given_by_secret_files, given_by_dot_env, given_by_a_config_file_in_a_volume],
    ids=["environment", "_FILE", ".env", "volume"],
)
def test_it_is_configured(give, slim, start: Start, volume, provider, listen, folder):
    provider.balance = 5
    options, told = give(folder, environment(provider, listen))
    container = start(slim, *CONFINED, f"--volume={volume}:{DATA}", *options, **told)

    container.until(lambda: container.said().alerts() == ["Token balance low"])

    assert provider.requests[0].headers["Authorization"] == "Bearer tok-81d0"
    assert container.said().err == ""


def test_as_process_1_it_ends_within_3_seconds_whatever_hangs(
    slim, start: Start, volume, provider, receiver, listen, record_property
):
    provider.balance = 5
    receiver.answer(200, delay=60)
    told = environment(provider, listen, ALERT_WEBHOOK_URL=f"{receiver.url}/hook", REQUEST_TIMEOUT="60")
    container = start(slim, *CONFINED, f"--volume={volume}:{DATA}", **told | {"WEBHOOK_TIMEOUT": "60"})
    receiver.wait_for(1)
    asked = len(provider.requests)
    provider.next(*[silence] * 5)
    provider.wait_for(asked + 1)

    took, code = container.stop()

    record_property("figure", f"slim: SIGTERM to the end, provider and receiver hanging: {took:.2f} s")
    assert took < 3
    assert code == 0


def test_its_health_check_and_its_commands_need_nothing_but_the_image(slim, start: Start, provider):
    """No network, no setting but the credential: everything as the image has it."""
    container = start(slim, *CONFINED, "--network=none", FACEFUSION_API_TOKEN="tok-81d0")
    container.until(lambda: healthy(container))

    told = container.exec("token-monitor", "status")
    assert "facefusion" in told.stdout
    container.signal("STOP")
    assert container.health() == (1, "unhealthy: no answer within 3 s")
    container.signal("CONT")
    assert healthy(container)


def test_without_a_shell_in_the_image_everything_works(slim, start: Start, provider, listen):
    gone = [f"--volume=/dev/null:/bin/{shell}:ro" for shell in ("sh", "bash")]
    container = start(slim, *CONFINED, *gone, **environment(provider, listen))
    container.until(lambda: healthy(container))

    assert container.exec("sh", "-c", "true").returncode != 0


def test_a_wrong_setting_is_one_line_and_exit_status_2(slim, start: Start):
    container = start(slim, *CONFINED, FACEFUSION_API_TOKEN="tok-81d0", CHECK_INTERVAL="-1")

    assert container.ended() == 2
    said = container.said()
    assert said.out == ""
    assert said.err.startswith("CHECK_INTERVAL: ")
    assert said.err.count("\n") == 1
