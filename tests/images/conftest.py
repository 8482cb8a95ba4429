"""The three images, built once a session, and what they meet. Where no container can run, every test skips with why."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from support.bases import NEWER, OLDER, PYTHON
from support.beside import INFERENCE, Beside
from support.containers import Container, Engine, Unable
from support.provider import Provider
from support.receiver import Receiver

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.image)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """With the bases. Skips where containers cannot be had: no fault of what is tested."""
    try:
        engine = Engine()
        for base in (PYTHON, OLDER, NEWER):
            engine.base(base)
    except Unable as unable:
        pytest.skip(f"no containers on this machine: {unable}")
    yield engine
    left = engine.podman("ps", "--all", "--quiet").stdout
    assert left == "", "containers are left"


@pytest.fixture(scope="session")
def built(engine: Engine) -> Callable[[str], str]:
    """Build a target, once; the image's name."""
    images: dict[str, str] = {}
    minutes: dict[str, float] = {}

    def build(target: str) -> str:
        if target not in images:
            begun = time.monotonic()
            images[target] = engine.build(target, **({"BASE_IMAGE": OLDER.image} if target == "bundled" else {}))
            minutes[target] = (time.monotonic() - begun) / 60
            print(f"built {target} in {minutes[target]:.1f} min")
        return images[target]

    return build


@pytest.fixture(scope="session")
def slim(built: Callable[[str], str]) -> str:
    return built("slim")


@pytest.fixture(scope="session")
def full(built: Callable[[str], str]) -> str:
    return built("full")


@pytest.fixture(scope="session")
def bundled(built: Callable[[str], str]) -> str:
    return built("bundled")


@pytest.fixture(scope="session")
def bundled_newer(engine: Engine) -> str:
    """Over a base that is newer than the monitor's own system."""
    return engine.build("bundled", tag="newer", BASE_IMAGE=NEWER.image)


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """A fresh named volume."""
    name = engine.podman("volume", "create").stdout.strip()
    yield name
    engine.podman("volume", "rm", "--force", name)


@pytest.fixture
def start(engine: Engine, volume: str) -> Iterator[Callable[..., Container]]:
    """`engine.run`; what it starts ends with the test, before the volume that it may use."""
    running: list[Container] = []

    def start(image: str, *options: str, **how: Any) -> Container:
        running.append(engine.run(image, *options, **how))
        return running[-1]

    yield start
    for container in running:
        container.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may read, as the user of the images is another."""
    with tempfile.TemporaryDirectory(prefix="tm-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def listen() -> str:
    """An address nobody uses."""
    with create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def beside(
    start: Callable[..., Container], bundled: str, folder: Path, volume: str, provider: Provider, listen: str
) -> Callable[..., Beside]:
    """Start a container whose inference process is FaceFusion's stand-in; the provider has 5 calls left."""
    (folder / "facefusion.py").write_text(INFERENCE, encoding="utf-8")
    provider.balance = 5
    told = {
        "FACEFUSION_API_TOKEN": "tok-77aa",
        "BALANCE_CHECK_ENDPOINT": provider.url,
        "CHECK_INTERVAL": "1",
        "TOKEN_MONITOR_LISTEN": listen,
    }
    mounted = [
        f"--volume={folder}/facefusion.py:/facefusion/facefusion.py:ro",
        f"--volume={volume}:/var/lib/token-monitor",
    ]

    def run(
        *options: str,
        image: str = bundled,
        command: Sequence[str] = (),
        confined: Sequence[str] = ("--cap-drop=ALL",),
        **changes: str,
    ) -> Beside:
        return Beside(start(image, *mounted, *confined, *options, command=command, **told | changes))

    return run
