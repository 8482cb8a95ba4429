"""A Pod of the chart's, run for real by `podman kube play`: its containers share a network that leads nowhere else.

What podman 4.3 cannot do is changed first: without a bridge it refuses ports, and of a Secret it mounts nothing if the
volume is optional and crashes if it does not say whether it is. It makes no probes where there is no systemd, and takes
an init container with restartPolicy Always for an ordinary one: native sidecars cannot be run so.
"""

import json
import os
from pathlib import Path
from typing import Any, Self

import yaml

from support import helm
from support.containers import Container, Engine

PLAYED = ("ConfigMap", "Secret", "Deployment")
"""In this order: a Pod is played with what is there already."""

# podman's own limits are more than some machines allow.
SETTINGS = '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=1024:1024"]\n'


class Pod:
    """Runs while it is entered. folder: of the test. CONTAINERS_CONF must name `settings(folder)` meanwhile."""

    def __init__(self, engine: Engine, folder: Path, values: dict[str, Any], release: str = "tm-pod") -> None:
        self._engine = engine
        made = helm.documents(values, release)
        self._documents = [playable(each) for kind in PLAYED for each in made if each["kind"] == kind]
        self._manifest = folder / "pod.yaml"
        self._name = f"{release}-pod-0"
        self.containers: dict[str, Container] = {}

    @property
    def inference(self) -> Container:
        return self.containers["inference"]

    @property
    def monitor(self) -> Container:
        return self.containers["token-monitor"]

    def stop(self) -> None:
        """As the kubelet ends a Pod: SIGTERM to each container, SIGKILL after half a minute."""
        self._engine.podman("pod", "stop", "--time=30", self._name)

    def __enter__(self) -> Self:
        self._manifest.write_text(yaml.safe_dump_all(self._documents, sort_keys=False), encoding="utf-8")
        try:
            self._engine.podman("kube", "play", "--network=none", str(self._manifest))
        except BaseException:
            self._remove()
            raise
        listed = self._engine.podman("ps", "--all", "--filter", f"pod={self._name}", "--format=json").stdout
        for each in json.loads(listed):
            if not each["IsInfra"]:
                name = each["Names"][0].removeprefix(f"{self._name}-")
                self.containers[name] = Container(self._engine, each["Id"])
        return self

    def __exit__(self, *_: object) -> None:
        for name, container in self.containers.items():
            said = container.said()
            print(f"--- {name}, stdout:\n{said.out}--- stderr:\n{said.err}", end="")
        self._remove()

    def _remove(self) -> None:
        """With the Secret, and the volumes: podman has one for each ConfigMap and Secret, and for each emptyDir."""
        self._engine.podman("pod", "rm", "--force", "--time=0", self._name, check=False)
        names = []
        for document in self._documents:
            names.append(document["metadata"]["name"])
            if document["kind"] == "Secret":
                self._engine.podman("secret", "rm", names[-1], check=False)
            if document["kind"] == "Deployment":
                names += [volume["name"] for volume in document["spec"]["template"]["spec"]["volumes"]]
        for name in names:
            self._engine.podman("volume", "rm", "--force", name, check=False)


def settings(folder: Path) -> Path:
    """Written there; podman reads it again for every restart of a container."""
    file = folder / "containers.conf"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


def playable(document: dict[str, Any]) -> dict[str, Any]:
    """Without its ports, which a probe then has by their number, and with a Secret that must be there."""
    if document["kind"] == "Deployment":
        spec = document["spec"]["template"]["spec"]
        for container in spec["containers"]:
            numbers = {port["name"]: port["containerPort"] for port in container.pop("ports", ())}
            if "livenessProbe" in container:
                probe = container["livenessProbe"]["httpGet"]
                probe["port"] = numbers[probe["port"]]
        for volume in spec["volumes"]:
            if "secret" in volume:
                volume["secret"]["optional"] = False
    return document


def kill(container: Container) -> int:
    """kill -9 of its process 1; the process id it had."""
    pid = container.pid
    os.kill(pid, 9)
    return pid
