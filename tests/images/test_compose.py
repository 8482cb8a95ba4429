"""docker-compose.yml, brought up by podman-compose with every profile, on stand-ins of the images of others."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from socket import create_server
from typing import Any

import pytest
import yaml

from support.bases import OLDER, Base
from support.compose import Project
from support.containers import ROOT, Container, Engine, Unable
from support.provider import Provider

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
PASSWORD = 'p4$s "w0rd'
CREDENTIAL = "tok-$81d0"
BOTH = ("prometheus", "redis-server")
STAND_INS = (
    Base(SERVICES["prometheus"]["image"], "bookworm", BOTH),
    Base(SERVICES["redis"]["image"], "bookworm", BOTH, ("WORKDIR /data",)),
)
INFERENCE = """
import sys, time
while True:
    print("frame", " ".join(sys.argv[1:]), flush=True)
    time.sleep(0.1)
"""
# The networks of compose have names and ports; here there may be no such networks, no GPU, and lower limits.
HERE = """
services:
  inference:
    network_mode: host
    deploy: !reset null
    ulimits: {{nofile: 20000, nproc: 1024}}
    volumes: ["./facefusion.py:/facefusion/facefusion.py:ro"]
  token-monitor:
    network_mode: host
    ports: !reset null
    image: {image}
    environment: {{TOKEN_MONITOR_LISTEN: "{listen}"}}
    ulimits: {{nofile: 20000, nproc: 1024}}
    healthcheck: {{interval: disable}}
  prometheus:
    network_mode: host
    ports: !reset null
    entrypoint: ["/usr/bin/prometheus"]
    command: {prometheus}
    ulimits: {{nofile: 20000, nproc: 1024}}
    healthcheck: {{interval: disable}}
  redis:
    network_mode: none
    ports: !reset null
    ulimits: {{nofile: 20000, nproc: 1024}}
    healthcheck: {{interval: disable}}
"""


@pytest.fixture(scope="session")
def stand_ins(engine: Engine) -> None:
    try:
        for base in STAND_INS:
            engine.base(base)
    except Unable as unable:
        pytest.skip(f"no stand-in for an image: {unable}")


@pytest.fixture(scope="session")
def built_by_podman(engine: Engine, slim: str) -> str:
    """`slim` as podman builds it by default: in the format OCI, which has no health check."""
    image = "localhost/token-monitor-test/slim:oci"
    container = engine.podman("create", slim).stdout.strip()
    engine.podman("commit", "--format=oci", container, image)
    engine.podman("rm", "--volumes", container)
    assert engine.inspect(image).get("Healthcheck") is None
    return image


@pytest.fixture
def project(
    engine: Engine, built_by_podman: str, stand_ins: None, provider: Provider, listen: str, tmp_path: Path
) -> Iterator[Project]:
    """Its provider has 5 calls left, and Prometheus looks at the monitor every second."""
    provider.balance = 5
    with create_server(("127.0.0.1", 0)) as server:
        page = f"127.0.0.1:{server.getsockname()[1]}"
    dotenv = {
        "INFERENCE_IMAGE": OLDER.image,
        "FACEFUSION_API_TOKEN": f"'{CREDENTIAL}'",
        "BALANCE_CHECK_ENDPOINT": provider.url,
        "CHECK_INTERVAL": "1",
        "REDIS_PASSWORD": f"'{PASSWORD}'",
    }
    command = [*SERVICES["prometheus"]["command"], f"--web.listen-address={page}"]
    folder = tmp_path / f"tm-compose-{os.getpid()}"
    folder.mkdir()
    here = HERE.format(image=built_by_podman, listen=listen, prometheus=json.dumps(command))
    project = Project(engine, folder, dotenv, here)
    (folder / "facefusion.py").write_text(INFERENCE)
    look_every_second(folder / "deploy/prometheus/prometheus.yaml", listen)
    yield project
    for container in project.containers().values():
        print(container.said())
    project.down("prometheus", "redis")


def look_every_second(file: Path, target: str) -> None:
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    file.write_text(yaml.safe_dump(config), encoding="utf-8")


def ask(url: str) -> Any:
    """None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.URLError:
        return None


def told(container: Container, what: str) -> str:
    """`cmdline` or `environ` of its process 1."""
    return Path(f"/proc/{container.pid}/{what}").read_text()


def confined(container: Container, user: int, memory: int) -> None:
    """By what the kernel says."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{container.pid}/status").read_text().splitlines())
    assert {int(number) for number in status["Uid"].split()} == {user}
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    assert int(status["NoNewPrivs"]) == 1
    assert Path(f"/proc/{container.pid}/mountinfo").read_text().splitlines()[0].split()[5].startswith("ro")
    (found,) = json.loads(container.engine.podman("container", "inspect", container.id).stdout)
    assert found["HostConfig"]["Memory"] == memory


@pytest.mark.parametrize("profiles", [(), ("prometheus",), ("redis",), ("prometheus", "redis")])
def test_podman_compose_understands_the_file_with_every_profile(project: Project, profiles: tuple[str, ...]) -> None:
    config = project.config(*profiles)
    assert set(config["services"]) == {"inference", "token-monitor", *profiles}
    assert config["services"]["inference"]["image"] == OLDER.image
    for name in {"token-monitor", *profiles}:
        assert config["services"][name]["read_only"] is True, name


def test_inference_and_monitor_run_side_by_side_and_either_may_end(project: Project, provider: Provider) -> None:
    project.up()
    containers = project.containers()
    assert set(containers) == {"inference", "token-monitor"}
    monitor, inference = containers["token-monitor"], containers["inference"]
    monitor.until(lambda: monitor.said().alerts() == ["Token balance low"])
    inference.until(lambda: "frame run --execution-providers cuda" in inference.said().out)
    confined(monitor, user=65532, memory=256 * 2**20)
    assert monitor.health() == (0, "healthy")
    assert provider.requests[0].headers["Authorization"] == f"Bearer {CREDENTIAL}"
    assert PASSWORD not in told(monitor, "environ")

    working = inference.pid
    os.kill(first := monitor.pid, 9)
    monitor.until(lambda: monitor.pid not in {0, first})
    asked = len(provider.requests)
    monitor.until(lambda: len(provider.requests) > asked + 1)
    assert monitor.said().alerts() == ["Token balance low"]
    assert inference.pid == working

    watching = monitor.pid
    os.kill(working, 9)
    inference.until(lambda: inference.pid not in {0, working})
    assert monitor.pid == watching


def test_another_inference_command_is_taken_from_the_settings_with_its_quotes(project: Project) -> None:
    with (project.folder / ".env").open("a") as dotenv:
        dotenv.write("INFERENCE_COMMAND=python facefusion.py serve 'two  words'\n")
    project.up()
    inference = project.containers()["inference"]

    inference.until(lambda: "frame serve two  words\n" in inference.said().out)
    assert told(inference, "cmdline").split("\0") == ["python", "facefusion.py", "serve", "two  words", ""]


def test_the_profile_prometheus_brings_one_that_scrapes_the_monitor_and_has_the_rules(project: Project) -> None:
    project.up("prometheus")
    prometheus = project.containers()["prometheus"]
    confined(prometheus, user=65534, memory=512 * 2**20)
    page = told(prometheus, "cmdline").rpartition("--web.listen-address=")[2].strip("\0")

    def firing() -> list[str]:
        alerts = (ask(f"http://{page}/api/v1/alerts") or {"data": {"alerts": []}})["data"]["alerts"]
        return [alert["annotations"]["summary"] for alert in alerts if alert["state"] == "firing"]

    prometheus.until(lambda: firing() == ["facefusion/balance is low: 5 calls left"])


def test_the_profile_redis_brings_one_that_evicts_nothing_and_keeps_what_it_was_told(project: Project) -> None:
    project.up("redis")
    redis = project.containers()["redis"]
    redis.until(lambda: redis.health()[0] == 0)
    confined(redis, user=999, memory=512 * 2**20)
    assert told(redis, "cmdline").startswith("redis-server")
    assert PASSWORD not in told(redis, "cmdline")

    def cli(*arguments: str) -> str:
        return redis.exec("redis-cli", "--raw", *arguments).stdout.strip()

    assert cli("CONFIG", "GET", "maxmemory-policy").split() == ["maxmemory-policy", "noeviction"]
    assert cli("CONFIG", "GET", "appendonly").split() == ["appendonly", "yes"]
    assert redis.exec("env", "-u", "REDISCLI_AUTH", "redis-cli", "GET", "pool").stdout.startswith("NOAUTH")
    assert cli("SET", "pool", "1000") == "OK"
    os.kill(first := redis.pid, 15)
    redis.until(lambda: redis.pid not in {0, first} and redis.health()[0] == 0)
    assert cli("GET", "pool") == "1000"


def test_redis_without_a_password_does_not_start_and_is_in_nobodys_way(project: Project, provider: Provider) -> None:
    dotenv = project.folder / ".env"
    dotenv.write_text("".join(line for line in dotenv.read_text().splitlines(True) if "REDIS" not in line))
    project.up("redis")
    redis = project.containers()["redis"]
    redis.until(lambda: "set REDIS_PASSWORD in .env" in redis.said().err)
    assert "redis-server" not in redis.said().out + redis.said().err
    redis.until(lambda: provider.requests)
