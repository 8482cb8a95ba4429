"""`python -m token_monitor` as process 1 of a container, which has no default that would end it."""

import signal
import subprocess
import sys

SLOW = """
import os, runpy, sys, time
class Slow:
    def find_spec(self, name, *_more):
        if name == "token_monitor.cli.main":
            print("importing", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
os.getpid = lambda: {pid}
runpy.run_module("token_monitor", run_name="__main__")
"""


def ended_while_importing(pid: int) -> int:
    """The status of a SIGTERM that comes before the command line is there."""
    with subprocess.Popen([sys.executable, "-c", SLOW.format(pid=pid)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"importing\n"
        process.terminate()
        return process.wait(20)


def test_process_1_hears_sigterm_while_it_is_still_importing():
    assert ended_while_importing(1) == 128 + signal.SIGTERM


def test_any_other_process_has_the_default():
    assert ended_while_importing(2) == -signal.SIGTERM
