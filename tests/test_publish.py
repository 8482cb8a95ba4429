"""A file that is always whole, with the permissions that were asked for."""

import grp
import os
import stat
import threading
from pathlib import Path

import pytest

from token_monitor.publish import Target, content, fingerprint, write_whole


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_file_has_the_content_and_the_mode_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "credential"
    old = os.umask(0o077)
    try:
        write_whole(Target(file, 0o664), b"one")
        write_whole(Target(file, 0o640), b"other")
    finally:
        os.umask(old)
    assert file.read_bytes() == b"other"
    assert mode_of(file) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["credential"]


@pytest.fixture
def group() -> int:
    """One that a new file does not have by itself, and that it may be given."""
    mine = os.getegid()
    found = [each.gr_gid for each in grp.getgrall()] if os.geteuid() == 0 else os.getgroups()
    other = next((gid for gid in found if gid != mine), None)
    if other is None:
        pytest.skip("whoever runs this is in one group only")
    return other


def test_the_group_is_given_by_name_or_by_number(tmp_path: Path, group: int) -> None:
    by_number, by_name = tmp_path / "number", tmp_path / "name"
    write_whole(Target(by_number, group=str(group)), b"x")
    assert by_number.stat().st_gid == group
    write_whole(Target(by_name, group=grp.getgrgid(group).gr_name), b"x")
    assert by_name.stat().st_gid == group


def test_an_unknown_group_is_a_fault_that_says_so_and_leaves_the_old_file(tmp_path: Path) -> None:
    write_whole(Target(tmp_path / "f"), b"old")
    with pytest.raises(ValueError, match="there is no group 'nobody-has-it'"):
        write_whole(Target(tmp_path / "f", group="nobody-has-it"), b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(Target(tmp_path / "none" / "f"), b"x")


def test_a_link_that_somebody_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.write_bytes(b"theirs")
    (tmp_path / ".f.draft").symlink_to(aim)
    (tmp_path / "f").symlink_to(aim)
    write_whole(Target(tmp_path / "f"), b"secret")
    assert aim.read_bytes() == b"theirs"
    assert not (tmp_path / "f").is_symlink()
    assert (tmp_path / "f").read_bytes() == b"secret"


@pytest.mark.timeout(10)
def test_only_a_plain_file_is_read_and_no_more_of_it_than_a_credential_could_be(tmp_path: Path) -> None:
    plain, link, pipe, device = (tmp_path / name for name in ("plain", "link", "pipe", "device"))
    plain.write_bytes(b"secret")
    link.symlink_to(plain)
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    assert content(plain) == b"secret"
    assert [content(path) for path in (link, pipe, device, tmp_path, tmp_path / "none")] == [b""] * 5
    with plain.open("r+b") as file:
        file.truncate(1 << 40)
    assert len(content(plain)) == 65536


def test_a_stray_draft_of_a_crash_is_replaced(tmp_path: Path) -> None:
    stray = tmp_path / ".f.draft"
    stray.write_bytes(b"half of an old secret")
    stray.chmod(0o666)
    write_whole(Target(tmp_path / "f"), b"x")
    assert not stray.exists()
    assert mode_of(tmp_path / "f") == 0o640


def test_who_reads_all_the_time_never_sees_a_part(tmp_path: Path) -> None:
    file = tmp_path / "f"
    contents = [b"a" * 5000, b"b" * 70_000]
    write_whole(Target(file), contents[0])
    ended = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not ended.is_set():
            seen.add(file.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        write_whole(Target(file), contents[number % 2])
    ended.set()
    reader.join()
    assert seen <= set(contents)


def test_a_fingerprint_tells_whether_somebody_touched_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert fingerprint(file) is None
    write_whole(Target(file), b"x")
    first = fingerprint(file)
    assert fingerprint(file) == first
    file.chmod(0o600)
    second = fingerprint(file)
    assert second != first
    write_whole(Target(file), b"x")
    assert fingerprint(file) not in (first, second)
