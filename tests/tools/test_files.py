from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from golden import Message, refused
from waiting import PATIENCE

from lvkit.errors import LvkitError
from lvkit.tools.files import write_together, write_whole


def test_text_is_written_in_utf8_with_its_line_ends(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.csv", "é\r\n")
    assert path.read_bytes() == "é\r\n".encode()


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old and longer")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_whole(tmp_path / "a.csv", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.csv"
    real.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(real)
    write_whole(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_whole(tmp_path / "a.csv", "old")
    monkeypatch.setattr(os, "fsync", full)
    with refused() as error:
        write_whole(path, "new")
    message(error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    path = write_whole(tmp_path / "a.csv", "old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path: Path, message: Message) -> None:
    with refused() as error:
        write_whole(tmp_path / "nowhere" / "a.csv", "x")
    message(error)


def test_a_folder_is_refused(tmp_path: Path, message: Message) -> None:
    with refused() as error:
        write_whole(tmp_path, "x")
    message(error)


def test_a_file_in_a_forbidden_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "replace", forbidden)
    with refused() as error:
        write_whole(tmp_path / "a.csv", "x")
    message(error)


def test_a_named_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "through")
    reader.join(timeout=PATIENCE)
    assert received == ["through"]
    assert pipe.is_fifo()


# -- several files together ----------------------------------------------------------------------

NAMES = ["a.ipynb", "a.json", "a.html"]


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with two files of an older report, and a staging folder."""
    folder, staging = tmp_path / "out", tmp_path / "out" / "staging"
    staging.mkdir(parents=True)
    for name in (NAMES[0], NAMES[2]):
        (folder / name).write_text(f"old {name}")
    return folder, staging


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


NEW = {name: f"new {name}".encode() for name in NAMES}


def test_files_that_belong_together_are_written_together(place: tuple[Path, Path]) -> None:
    folder, staging = place
    (folder / NAMES[0]).chmod(0o640)
    write_together(folder, NEW, staging)
    assert content(folder) == {name: f"new {name}" for name in NAMES}
    assert stat.S_IMODE((folder / NAMES[0]).stat().st_mode) == 0o640


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("call", ["fsync", "replace", "mkdir"])
def test_where_one_cannot_be_written_all_are_as_before(
    call: str, number: int, place: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, staging = place
    usual, calls = getattr(os, call), []

    def full_once(*arguments: Any, **more: Any) -> Any:
        calls.append(arguments)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return usual(*arguments, **more)

    before = content(folder)
    with monkeypatch.context() as full:
        full.setattr(os, call, full_once)
        with suppress(LvkitError):
            write_together(folder, NEW, staging)
    expected = before if len(calls) >= number else {name: f"new {name}" for name in NAMES}
    assert content(folder) == expected


def test_a_folder_in_the_place_of_a_file_is_not_replaced(
    place: tuple[Path, Path], message: Message
) -> None:
    folder, staging = place
    (folder / NAMES[1]).mkdir()
    before = content(folder)
    with refused() as error:
        write_together(folder, NEW, staging)
    message(error)
    assert content(folder) == before
    assert (folder / NAMES[1]).is_dir()


def test_a_link_is_replaced_and_not_followed(place: tuple[Path, Path], tmp_path: Path) -> None:
    folder, staging = place
    (tmp_path / "mine").write_text("mine")
    (folder / NAMES[1]).symlink_to(tmp_path / "mine")
    write_together(folder, NEW, staging)
    assert (tmp_path / "mine").read_text() == "mine"
    assert (folder / NAMES[1]).read_text() == "new a.json"
