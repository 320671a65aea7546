from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lvkit.tools.files import remove_stale, work_folder

HOLDING = """
import sys
from pathlib import Path
from lvkit.tools.files import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holding(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that works in a folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        (folder / "deep").mkdir()
        assert folder.parent == tmp_path
    assert names(tmp_path) == []


def test_a_folder_goes_away_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), work_folder(tmp_path):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_what_a_killed_process_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    process, left = holding(tmp_path)
    process.kill()
    process.communicate()
    assert (left / "half").exists()
    with work_folder(tmp_path) as folder:
        assert not left.exists()
        assert names(tmp_path) == [folder.name, f"{folder.name}.lock"]
    assert names(tmp_path) == []


def test_the_folder_of_a_process_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    process, held = holding(tmp_path)
    with work_folder(tmp_path):
        remove_stale(tmp_path)
        assert (held / "half").exists()
    process.communicate("")
    assert process.returncode == 0
    assert names(tmp_path) == []


def test_two_folders_of_one_process_are_left_alone(tmp_path: Path) -> None:
    with work_folder(tmp_path) as first, work_folder(tmp_path) as second:
        remove_stale(tmp_path)
        assert first.is_dir()
        assert second.is_dir()


def test_only_what_is_surely_left_is_removed(tmp_path: Path) -> None:
    mark = "0123456789abcdef"
    (tmp_path / "mine").mkdir()
    (tmp_path / f".lvkit-work-{mark}").mkdir()  # without a lock: nobody knows whose it is
    (tmp_path / f".lvkit-work-{mark[::-1]}").symlink_to(tmp_path / "mine")
    (tmp_path / f".lvkit-work-{mark[::-1]}.lock").write_text("")
    (tmp_path / ".lvkit-work-of-mine").mkdir()
    before = names(tmp_path)
    remove_stale(tmp_path)
    remove_stale(tmp_path / "none")
    assert names(tmp_path) == before


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / ".lvkit-work-0123456789abcdef"
    folder.mkdir()
    (tmp_path / "mine").write_text("mine")
    (tmp_path / f"{folder.name}.lock").symlink_to(tmp_path / "mine")
    remove_stale(tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
    assert folder.is_dir()


def test_without_filelock_or_locks_there_is_a_folder_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with work_folder(tmp_path) as folder:
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners here")
def test_nobody_else_can_look_into_a_folder(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o077 == 0
