"""Give the virtual environment /opt/token-monitor an interpreter, loader and C library of its own.

Runs in a build stage with the interpreter that is to be copied. The result needs nothing of the system it is copied to
but its kernel: the loader is named in the interpreter's ELF header, and every library is found through its DT_RPATH,
which goes before LD_LIBRARY_PATH. So no variable is set that a child process would inherit (`man 8 ld.so`). What
the system loads into every program (/etc/ld.so.preload) is not loaded into it: that may need another C library.

usage: own_runtime.py PATCHELF
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VENV: Final = Path("/opt/token-monitor")
HOME: Final = VENV / "python"
LIBRARIES: Final = HOME / "lib"
PYTHON: Final = HOME / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
UNUSED: Final = (
    *("__pycache__", "config-*", "dist-packages", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages"),
    *("sitecustomize.py", "test", "tests", "tkinter", "turtledemo"),
)
COMMAND: Final = VENV / "bin" / "token-monitor"
# The C library opens these by name when it first needs them, if it has not got them built in.
OPENED_LATER: Final = ("libgcc_s.so.1", "libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()  # noqa: S603 - our own


def elf_files() -> Iterator[Path]:
    for path in VENV.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def needed(loader: str, file: Path) -> dict[str, Path]:
    """The shared libraries `file` needs, and those need: name → where the build stage has it."""
    done = subprocess.run((loader, "--list", file), capture_output=True, check=False, text=True)  # noqa: S603 - our own
    if done.returncode and file.is_relative_to(LIBRARIES):
        file.unlink()  # a module of the standard library that could not be imported here either: _tkinter
        return {}
    if done.returncode:
        raise SystemExit(f"{file}: {done.stderr.strip() or done.stdout.strip()}")
    return {name: Path(place) for name, place in re.findall(r"^\s*(\S+) => (\S+) \(0x", done.stdout, re.MULTILINE)}


def copy_interpreter(executable: Path) -> None:
    stdlib = sysconfig.get_path("stdlib")
    ignore = shutil.ignore_patterns(*UNUSED)
    shutil.copytree(stdlib, LIBRARIES / Path(stdlib).name, ignore=ignore, ignore_dangling_symlinks=True)
    PYTHON.parent.mkdir()
    shutil.copy(executable, PYTHON)


def copy_libraries(loader: str) -> None:
    found: dict[str, Path] = {}
    for file in list(elf_files()):
        found |= needed(loader, file)
    system = found["libc.so.6"].parent
    found |= {name: system / name for name in OPENED_LATER if (system / name).exists()}
    found[Path(loader).name] = Path(loader)
    for name, place in found.items():
        if not place.is_relative_to(VENV) and not (LIBRARIES / name).exists():
            shutil.copy(place, LIBRARIES / name)


def find_libraries_there(patchelf: str, loader: str) -> None:
    """An object with a DT_RUNPATH of its own would look into LD_LIBRARY_PATH first: it gets a DT_RPATH instead."""
    for file in elf_files():
        own = "" if file == PYTHON else run(patchelf, "--print-rpath", file)
        if own:
            run(patchelf, "--force-rpath", "--set-rpath", f"{own}:{LIBRARIES}", file)
    run(patchelf, "--set-interpreter", LIBRARIES / Path(loader).name, PYTHON)
    run(patchelf, "--force-rpath", "--set-rpath", LIBRARIES, PYTHON)


def preload_nothing(loader: Path) -> None:
    """The loader looks for no /etc/ld.so.preload: an empty path names no file."""
    code, name = loader.read_bytes(), b"/etc/ld.so.preload\0"
    if code.count(name) != 1:
        raise SystemExit(f"{loader}: names /etc/ld.so.preload {code.count(name)} times, not once")
    loader.write_bytes(code.replace(name, bytes(len(name))))


def adopt() -> None:
    """Make the virtual environment one of the copied interpreter. -I: the base's PYTHON* variables are not ours."""
    version = sys.version.partition(" ")[0]
    settings = f"home = {PYTHON.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    (VENV / "pyvenv.cfg").write_text(settings, encoding="utf-8")
    _shebang, _newline, code = COMMAND.read_text(encoding="utf-8").partition("\n")
    shutil.rmtree(COMMAND.parent)
    COMMAND.parent.mkdir()
    (COMMAND.parent / "python").symlink_to(PYTHON)
    COMMAND.write_text(f"#!{COMMAND.parent}/python -I\n{code}", encoding="utf-8")
    COMMAND.chmod(0o755)


def main(patchelf: str) -> None:
    executable = Path(sys.executable).resolve()
    loader = run(patchelf, "--print-interpreter", executable)
    copy_interpreter(executable)
    copy_libraries(loader)
    find_libraries_there(patchelf, loader)
    preload_nothing(LIBRARIES / Path(loader).name)
    adopt()


main(sys.argv[1])
