"""The classic sidecar as a Pod: the monitor and a stand-in inference share a network, and neither needs the other."""

import base64
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import helm
from support.containers import ROOT, Container, Engine
from support.pods import Pod, kill, settings
from support.signals_caught import until_caught

STAND_IN = (ROOT / "tests/support/stand_in.py").read_text(encoding="utf-8")
CONFIG = """
defaults: {interval: 1s}
accounts:
  - name: facefusion
    endpoint: http://127.0.0.1:18080/v1/balance
    credential: ${FACEFUSION_API_TOKEN}
    spares: ["${SECOND_TOKEN}"]
    thresholds: {warning: 10}
    failover: {publish: /shared/credential, mode: 0644}
"""
SECRET = {"FACEFUSION_API_TOKEN": "tok-pod-1", "SECOND_TOKEN": "tok-pod-2"}

Play = Callable[..., Pod]


@pytest.fixture
def play(engine: Engine, slim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """A Pod whose monitor has this file; it ends with the test."""
    monkeypatch.setenv("CONTAINERS_CONF", str(settings(tmp_path)))
    repository, tag = slim.rsplit(":", 1)
    image = {"repository": repository, "tag": tag, "pullPolicy": "Never"}
    stand_in = {"image": slim, "imagePullPolicy": "Never", "command": ["python", "-c"], "args": [STAND_IN]}
    playing: list[Pod] = []

    def play(config: str = CONFIG) -> Pod:
        secret = {"name": "tm-pod-secret", "values": SECRET}
        asked = {"mode": "classic-sidecar", "image": image, "config": config, "sharedFolder": True, "secret": secret}
        playing.append(Pod(engine, tmp_path, asked | {"inference": {"container": stand_in}}).__enter__())
        return playing[-1]

    yield play
    for pod in playing:
        pod.__exit__()


def steps(pod: Pod) -> list[dict[str, Any]]:
    return pod.inference.said().entries()


def goes_on(pod: Pod) -> None:
    """Inference makes ten more steps."""
    begun = len(steps(pod))
    pod.inference.until(lambda: len(steps(pod)) >= begun + 10)


def seen(key: str) -> set[str]:
    """What the monitor may find in the file of a key: podman 4.3 leaves a Secret as it is written, in base64."""
    return {SECRET[key], base64.b64encode(SECRET[key].encode()).decode()}


def network(pid: int | str) -> Path:
    return Path(f"/proc/{pid}/ns/net").readlink()


def test_both_share_the_network_and_the_published_credential(play: Play) -> None:
    pod = play()

    pod.inference.until(lambda: steps(pod)[-1:] and steps(pod)[-1]["balance"] == 5)
    pod.monitor.until(lambda: pod.monitor.said().alerts() == ["Token balance low"])
    pod.inference.until(lambda: steps(pod)[-1]["credential"] in seen("FACEFUSION_API_TOKEN"))
    assert f"Bearer {steps(pod)[-1]['credential']}" in steps(pod)[-1]["asked"]
    assert network(pod.monitor.pid) == network(pod.inference.pid) != network("self")


def test_the_monitor_is_confined_and_inference_is_left_as_it_is(play: Play) -> None:
    pod = play()
    monitor, inference = (
        dict(line.split(":", 1) for line in Path(f"/proc/{each.pid}/status").read_text().splitlines())
        for each in (pod.monitor, pod.inference)
    )
    assert monitor["Uid"].split() == ["65532"] * 4
    assert int(monitor["CapBnd"], 16) == int(monitor["CapEff"], 16) == 0
    assert monitor["NoNewPrivs"].strip() == "1"
    assert int(inference["CapBnd"], 16) != 0
    assert inference["NoNewPrivs"].strip() == "0"
    assert "Read-only file system" in pod.monitor.exec("python", "-c", "open('/etc/x', 'w')").stderr


def test_the_end_of_the_monitor_is_nothing_to_inference(play: Play) -> None:
    pod = play()
    pod.monitor.until(lambda: pod.monitor.said().alerts() == ["Token balance low"])
    inference = pod.inference.pid

    killed = kill(pod.monitor)
    pod.monitor.until(lambda: pod.monitor.pid not in (0, killed))
    pod.inference.until(lambda: len(pod.monitor.said().entries(msg="Watching")) == 2)
    goes_on(pod)

    assert pod.inference.pid == inference
    numbers = [line["step"] for line in steps(pod)]
    assert numbers == list(range(1, len(numbers) + 1))
    pod.inference.until(lambda: steps(pod)[-1]["balance"] == 5)
    assert pod.monitor.said().alerts() == ["Token balance low"], "its state outlives a restart"


def test_the_end_of_inference_is_nothing_to_the_monitor(play: Play) -> None:
    pod = play()
    pod.monitor.until(lambda: pod.monitor.said().alerts() == ["Token balance low"])
    monitor = pod.monitor.pid

    killed = kill(pod.inference)
    pod.inference.until(lambda: pod.inference.pid not in (0, killed))
    pod.inference.until(lambda: steps(pod)[-1]["asked"] and steps(pod)[-1]["balance"] == 5)

    assert [line["step"] for line in steps(pod)].count(1) == 2
    assert pod.monitor.pid == monitor


def test_with_settings_that_are_wrong_the_monitor_ends_again_and_again_and_inference_goes_on(play: Play) -> None:
    pod = play(config="accounts: []\n")
    inference = pod.inference.pid

    pod.monitor.until(lambda: pod.monitor.said().err.count("accounts: ") >= 5)
    goes_on(pod)

    assert pod.inference.pid == inference
    assert {line["balance"] for line in steps(pod)} == {None}


def test_a_pod_that_is_stopped_ends_the_monitor_as_a_monitor_ends(play: Play) -> None:
    pod = play()
    pod.monitor.until(lambda: pod.monitor.said().alerts() == ["Token balance low"])

    pod.stop()

    assert pod.monitor.state["ExitCode"] == 0
    assert pod.monitor.said().err == ""


@pytest.fixture
def native(slim: str, start: Callable[..., Container]) -> Callable[[], Container]:
    """Start the image with the command of a native sidecar, and without a credential."""
    values = {"mode": "native-sidecar", "inference": {"container": {"image": slim}}}
    (sidecar,) = helm.one("Deployment", values)["spec"]["template"]["spec"]["initContainers"]
    program, *options = sidecar["command"]
    entry = f"--entrypoint={program}"
    return lambda: start(slim, "--network=none", entry, command=(*options, *sidecar["args"]))


def test_the_command_of_a_native_sidecar_is_one_that_the_image_takes(native: Callable[[], Container]) -> None:
    begun = time.monotonic()

    container = native()

    assert container.ended() == 2  # for it has no credential
    assert "FACEFUSION_API_TOKEN" in container.said().err
    assert time.monotonic() - begun > 3


def test_a_native_sidecar_that_still_waits_ends_with_its_pod_at_once(native: Callable[[], Container]) -> None:
    container = native()
    until_caught(container.pid, signal.SIGTERM, 10)

    seconds, status = container.stop()

    assert (status, container.said().err) == (0, "")
    assert seconds < 1
