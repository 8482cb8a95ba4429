"""The image `bundled`: over an older base with another Python, inference and monitor live and die on their own."""

import json
import os
import signal
import time
from pathlib import Path

from support.bases import OLDER
from support.beside import INFERENCE, mapped
from support.containers import Engine
from support.draining import DRAINS, SECONDS

ADDED = {"INFERENCE_COMMAND", "TOKEN_MONITOR_DATA", "TOKEN_MONITOR_LISTEN"}
OURS = {"opt/token-monitor", "etc/token-monitor", "var/lib/token-monitor"}


def tree(root: Path) -> dict[str, tuple[int, int, int, int]]:
    """Every file, with what a change would change."""
    found = {}
    for folder, folders, files in os.walk(root):
        for path in (Path(folder) / name for name in [*folders, *files]):
            about = path.lstat()
            size = 0 if path.is_dir() and not path.is_symlink() else about.st_size
            found[str(path.relative_to(root))] = (about.st_mode, about.st_uid, about.st_gid, size)
    return found


def test_nothing_of_the_base_is_changed_and_only_our_folders_are_added(engine: Engine, bundled):
    trees = [tree(Path(engine.podman("image", "mount", image).stdout.strip())) for image in (OLDER.image, bundled)]
    for image in (OLDER.image, bundled):
        engine.podman("image", "unmount", image)
    before, after = trees

    assert {path: after.get(path) for path in before} == before
    added = after.keys() - before.keys()
    assert {path for path in added if not any(f"{path}/".startswith(f"{one}/") for one in OURS)} == set()


def test_what_the_base_says_of_folder_path_and_environment_stands(engine: Engine, bundled):
    base, ours = (engine.inspect(image)["Config"] for image in (OLDER.image, bundled))

    assert ours["WorkingDir"] == base["WorkingDir"] == "/facefusion"
    kept, original = (dict(one.split("=", 1) for one in said["Env"]) for said in (ours, base))
    assert kept.pop("INFERENCE_LD_PRELOAD") == original.pop("LD_PRELOAD")
    assert kept.pop("LD_PRELOAD") == kept.pop("LD_AUDIT") == kept.pop("INFERENCE_LD_AUDIT") == ""
    assert {name: value for name, value in kept.items() if name not in ADDED} == original


def test_the_monitor_runs_on_its_own_interpreter_and_libraries_and_inference_on_those_of_its_base(
    beside, record_property
):
    """The base sets LD_LIBRARY_PATH, PYTHONHOME and PYTHONPATH to what is its own."""
    both = beside().working()
    hello = both.hello()

    assert hello["python"].startswith("3.9.")
    assert hello["libc"] == "2.31"
    assert hello["folder"] == "/facefusion"
    assert hello["argv"] == ["run", "--execution-providers", "cuda"]
    assert hello["environment"]["PYTHONHOME"] == "/usr"
    assert not any(path.startswith("/opt/token-monitor") for path in mapped(both.inference))
    supervisord = both.container.pid
    for pid in (both.monitor, supervisord):
        code = mapped(pid)
        assert {path for path in code if not path.startswith("/opt/token-monitor/")} == set()
        assert any("/libc.so" in path for path in code)
    for name, pid in {"monitor": both.monitor, "supervisord": supervisord}.items():
        resident = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]
        record_property("figure", f"bundled: resident memory of {name} {int(resident) / 1024:.1f} MiB")


def test_nothing_runs_as_root(beside):
    both = beside().working()

    for pid in (both.container.pid, both.monitor, both.inference):
        assert Path(f"/proc/{pid}/status").read_text().partition("Uid:")[2].split()[0] == "65532"


def test_an_inference_process_that_is_killed_comes_back_and_the_monitor_goes_on(beside):
    both = beside().working()
    monitor, inference = both.monitor, both.inference

    os.kill(inference, signal.SIGKILL)
    both.container.until(lambda: both.inference not in {0, inference})
    seen = len(both.frames())
    both.container.until(lambda: len(both.frames()) > seen)

    assert both.monitor == monitor


def test_a_monitor_that_is_killed_comes_back_without_alerting_again_and_inference_goes_on(beside, provider):
    both = beside().working()
    monitor, inference = both.monitor, both.inference

    os.kill(monitor, signal.SIGKILL)
    both.container.until(lambda: both.monitor not in {0, monitor})
    asked = len(provider.requests)
    provider.wait_for(asked + 3)

    assert both.inference == inference
    assert both.longest_pause() < 1
    assert both.container.said().alerts() == ["Token balance low"]


def test_a_monitor_with_a_wrong_configuration_starts_again_and_again_and_inference_notices_nothing(beside):
    both = beside(CHECK_INTERVAL="-1")
    both.container.until(lambda: both.spawned("token-monitor") >= 4)
    said = both.container.said()

    assert said.out == ""
    assert said.err.count("CHECK_INTERVAL: ") >= 3
    assert both.spawned("inference") == 1
    assert both.inference
    assert both.longest_pause() < 1
    lines = [line for line in said.err.splitlines() if line.startswith("CHECK_INTERVAL")]
    assert len(set(lines)) == 1


def test_stdout_is_the_monitors_alone_and_stderr_has_the_rest(beside):
    both = beside().working()
    both.container.stop()
    said = both.container.said()

    assert all({"timestamp", "level", "msg"} <= line.keys() for line in said.entries())
    assert "frame" not in said.out
    assert "spawned: 'token-monitor'" in said.err
    assert "Traceback" not in said.err


def test_sigterm_ends_both_within_seconds(beside, record_property):
    both = beside().working()
    pids = [both.monitor, both.inference]

    took, code = both.container.stop()

    record_property("figure", f"bundled: SIGTERM to the end of both: {took:.2f} s")
    assert took < 5
    assert code == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "SIGKILL" not in both.container.said().err


def test_inference_is_told_first_even_if_the_monitor_hangs_and_has_the_time_it_needs(beside, folder, record_property):
    (folder / "facefusion.py").write_text(DRAINS + INFERENCE, encoding="utf-8")
    both = beside().working()
    container, monitor, begun = both.container, both.monitor, time.monotonic()

    os.kill(monitor, signal.SIGSTOP)
    os.kill(container.pid, signal.SIGTERM)
    container.until(lambda: "draining\n" in container.said().err, 2)
    record_property("figure", f"bundled: SIGTERM to inference's own, monitor hanging: {time.monotonic() - begun:.2f} s")
    os.kill(monitor, signal.SIGCONT)
    assert container.ended() == 0

    took, said = time.monotonic() - begun, container.said().err
    record_property("figure", f"bundled: SIGTERM to the end of both, inference draining {SECONDS} s: {took:.2f} s")
    assert took < SECONDS + 4
    assert "drained\n" in said
    assert "SIGKILL" not in said
    assert said.index("stopped: inference") < said.index("stopped: token-monitor")


def test_the_health_check_says_how_the_monitor_is_and_never_fails(beside):
    both = beside().working()
    assert both.container.health() == (0, "healthy")

    os.kill(both.monitor, signal.SIGSTOP)
    assert both.container.health() == (0, "unhealthy: no answer within 3 s")
    os.kill(both.monitor, signal.SIGCONT)


def test_neither_a_shell_nor_a_folder_that_can_be_written_is_needed(beside):
    gone = [f"--volume=/dev/null:/bin/{shell}:ro" for shell in ("sh", "bash")]
    both = beside("--read-only", "--read-only-tmpfs=false", *gone).working()

    assert both.spawned("inference") == both.spawned("token-monitor") == 1
    assert both.container.exec("sh", "-c", "true").returncode != 0


def test_another_inference_command_is_taken_from_the_environment_with_its_quotes(beside):
    code = "import sys, time; print(sys.argv[1:], flush=True); time.sleep(60)"
    both = beside(INFERENCE_COMMAND=f"""python -c '{code}' 'two  words' 100%""")

    both.container.until(lambda: "['two  words', '100%']" in both.container.said().err)


def test_a_program_the_monitor_runs_finds_the_base_as_the_base_left_it(beside, folder, provider):
    """An exec channel that uses the base's Python: nothing of the monitor's loader or interpreter is inherited."""
    settings = {
        "accounts": [
            {
                "name": "a",
                "endpoint": provider.url,
                "credential": "tok-77aa",
                "thresholds": {"warning": 10},
                "channels": ["program"],
            }
        ],
        "channels": {
            "program": {
                "type": "exec",
                "command": [
                    "/usr/bin/python3",
                    "-c",
                    "import platform; print(platform.python_version(), platform.libc_ver()[1])",
                ],
            }
        },
    }
    (folder / "config.yaml").write_text(json.dumps(settings), encoding="utf-8")
    both = beside(
        f"--volume={folder}/config.yaml:/etc/token-monitor/config.yaml:ro",
        TOKEN_MONITOR_CONFIG="/etc/token-monitor/config.yaml",
        LOG_LEVEL="debug",
    )

    sent = both.container.until(lambda: [one for one in both.container.said().entries() if "exited with 0" in str(one)])

    assert "3.9." in str(sent[0])
    assert "2.31" in str(sent[0])
