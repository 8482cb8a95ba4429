"""A file that is always whole: it has the old content or the new one, whatever happens in between."""

import grp
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

_MOST: Final = 65536
"""Bytes that are read of a file; no credential is that long."""


@frozen
class Target:
    """A file for other programs. mode: permission bits. group: its name or number; None leaves it as it comes."""

    path: Path
    mode: int = 0o640
    group: str | None = None


def write_whole(target: Target, content: bytes) -> None:
    """Replace the file in one step, on the disk when this returns. Nobody sees it with wider permissions than asked.

    Raises OSError: it cannot be written. ValueError: there is no such group.
    """
    # One name for all attempts, so that a crash leaves one stray file at most, which the next attempt removes. Made
    # anew and exclusively: another container that shares the volume may have put a link there.
    draft = target.path.with_name(f".{target.path.name}.draft")
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        _write(draft, target, content)
        draft.replace(target.path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    _sync_folder(target.path.parent)


def content(path: Path) -> bytes:
    """What the file holds, the beginning of one that is longer than any credential; empty if it cannot be read.

    Only a plain file is: a link or a pipe, which another container may have put there, is none of ours.
    """
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return os.read(descriptor, _MOST)
        finally:
            os.close(descriptor)
    return b""


def fingerprint(path: Path) -> tuple[int, ...] | None:
    """Changes when the file is replaced, rewritten or given other permissions; None: it is not there."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode, found.st_gid


def _write(draft: Path, target: Target, content: bytes) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if target.group is not None:
            os.fchown(descriptor, -1, _group(target.group))
        os.fchmod(descriptor, target.mode)
        os.fsync(descriptor)


def _group(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise ValueError(f"there is no group {name!r}") from None


def _sync_folder(folder: Path) -> None:
    """Some file systems cannot; the file is whole there all the same."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
