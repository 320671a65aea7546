from __future__ import annotations

import errno
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lvkit as lv
from lvkit import files
from lvkit.batch.content import digest
from lvkit.batch.job import REPORT
from lvkit.batch.store import RECORD, Store

CONTENT = {name: name.encode() for name in REPORT}
DONE = {"status": "done", "key": "k"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one run in it."""
    made = Store(tmp_path / "out")
    with made.open(["a"]):
        made.put("a", CONTENT, DONE)
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_is_kept_with_a_record_of_its_files(store: Store) -> None:
    assert names(store.runs) == ["a"]
    assert names(store.runs / "a") == sorted([*REPORT, RECORD])
    record = json.loads((store.runs / "a" / RECORD).read_text())
    assert len(record.pop("sha256")) == 64
    assert record == DONE | {"files": {name: digest(text) for name, text in CONTENT.items()}}


def test_a_run_that_is_there_and_unchanged_is_known(store: Store) -> None:
    kept = store.kept("a", "k")
    assert kept is not None
    assert kept["status"] == "done"
    assert store.kept("a", "other key") is None
    assert store.kept("b", "k") is None


def damage_page(run: Path) -> None:
    (run / "report.html").write_bytes(b"report.htmk")


def lose_numbers(run: Path) -> None:
    (run / "report.json").unlink()


def cut_record(run: Path) -> None:
    (run / RECORD).write_text((run / RECORD).read_text()[:-9])


def empty_record(run: Path) -> None:
    (run / RECORD).write_text("[]")


def edit_record(run: Path) -> None:
    record = json.loads((run / RECORD).read_text())
    (run / RECORD).write_text(json.dumps(record | {"highlights": {"double": 5}}))


def unmark_record(run: Path) -> None:
    record = json.loads((run / RECORD).read_text())
    del record["sha256"]
    (run / RECORD).write_text(json.dumps(record))


def scramble_record(run: Path) -> None:
    (run / RECORD).write_bytes(b"\xff\xfe" + (run / RECORD).read_bytes())


def null_record(run: Path) -> None:
    (run / RECORD).write_text("null")


def deepen_record(run: Path) -> None:
    (run / RECORD).write_text("[" * 100_000)


def swell_record(run: Path) -> None:
    (run / RECORD).write_text('{"seconds": ' + "9" * 5000 + "}")


def fatten_record(run: Path) -> None:
    with open(run / RECORD, "ab") as file:
        file.truncate(2**40)  # a hole: no disk is filled


def retype_record(run: Path) -> None:
    record = json.loads((run / RECORD).read_text())
    (run / RECORD).write_text(json.dumps({name: [None] for name in record}))


def fold_record(run: Path) -> None:
    (run / RECORD).unlink()
    (run / RECORD).mkdir()


def fail(run: Path) -> None:
    (run / RECORD).write_text((run / RECORD).read_text().replace('"done"', '"failed"'))


def link_page(run: Path) -> None:
    (run / "report.html").rename(run.parent.parent / "elsewhere.html")
    (run / "report.html").symlink_to(run.parent.parent / "elsewhere.html")


def link_run(run: Path) -> None:
    run.rename(run.parent.parent / "elsewhere")
    run.symlink_to(run.parent.parent / "elsewhere")


HARM = [damage_page, lose_numbers, cut_record, empty_record, fail, link_page, link_run]
HARM += [edit_record, unmark_record, scramble_record, null_record, deepen_record, swell_record]
HARM += [fatten_record, retype_record, fold_record]


@pytest.mark.parametrize("harm", HARM)
def test_a_run_that_is_damaged_failed_or_elsewhere_is_made_again(
    harm: Callable[[Path], None], store: Store
) -> None:
    harm(store.runs / "a")
    assert store.kept("a", "k") is None
    with warnings.catch_warnings(), store.open(["a"]):
        warnings.simplefilter("ignore", lv.LvkitWarning)  # of what is kept beside it
        store.put("a", CONTENT, DONE)
    assert store.kept("a", "k") is not None


@pytest.mark.parametrize("name", REPORT)
def test_what_somebody_edited_in_a_run_is_kept_beside_the_new_one(name: str, store: Store) -> None:
    for number, text in enumerate(("mine", "mine again"), start=1):
        (store.runs / "a" / name).write_text(text)
        with store.open(["a"]), pytest.warns(lv.LvkitWarning, match=rf"a\.edited-{number}'"):
            store.put("a", CONTENT, DONE)
        assert (store.runs / "a" / name).read_bytes() == CONTENT[name]
        assert (store.runs / f"a.edited-{number}" / name).read_text() == text
    with store.open(["a"]):
        store.put("a", CONTENT, DONE)
    assert names(store.runs) == ["a", "a.edited-1", "a.edited-2"]


def test_an_edited_run_outlives_a_batch_that_is_killed_as_it_puts_another_in_its_place(
    store: Store,
) -> None:
    old = store.runs / ".lvkit-old-0123456789abcdef-a"
    (store.runs / "a").rename(old)
    (old / "report.ipynb").write_text("mine")
    (store.runs / "a").mkdir()
    with pytest.warns(lv.LvkitWarning, match="kept in"), store.open([]):
        pass
    assert names(store.runs) == ["a", "a.edited-1"]


def test_a_run_whose_record_is_lost_is_kept_beside_the_new_one(store: Store) -> None:
    (store.runs / "a" / RECORD).unlink()
    with store.open(["a"]), pytest.warns(lv.LvkitWarning, match="kept in"):
        store.put("a", CONTENT, DONE)
    assert names(store.runs) == ["a", "a.edited-1"]


def test_a_run_takes_the_place_of_the_one_before(store: Store) -> None:
    with store.open(["a"]):
        store.put("a", {"failed.ipynb": b"{}"}, {"status": "failed", "key": "k"})
    assert names(store.runs / "a") == ["failed.ipynb", RECORD]
    assert names(store.runs) == ["a"]


def test_what_a_killed_batch_has_left_is_cleared_and_nothing_else(store: Store) -> None:
    hexa = "0123456789abcdef"
    for name in (f".lvkit-new-{hexa}", f".lvkit-old-{hexa}-a", ".lvkit-new-mine"):
        (store.runs / name).mkdir()
        (store.runs / name / "report.html").write_text("half")
    (store.folder / ".lvkit-0123456789abcdef.tmp").write_text("half")
    (store.folder / "notes.txt").write_text("mine")
    with store.open([]):
        pass
    assert names(store.runs) == [".lvkit-new-mine", "a"]
    assert names(store.folder) == [".lvkit.lock", "notes.txt", "runs"]


def test_a_run_whose_successor_never_came_goes_back_to_its_place(store: Store) -> None:
    before = (store.runs / "a" / RECORD).read_bytes()
    (store.runs / "a").rename(store.runs / ".lvkit-old-0123456789abcdef-a")
    with store.open([]):
        pass
    assert names(store.runs) == ["a"]
    assert (store.runs / "a" / RECORD).read_bytes() == before


def test_what_is_not_a_run_is_not_replaced(store: Store) -> None:
    (store.runs / "a" / "notes.txt").write_text("mine")
    (store.runs / "b").write_text("mine")
    (store.runs / "c").mkdir()
    (store.runs / "c" / ".ipynb_checkpoints").mkdir()
    told = "holds also notes.txt; expected only a report(.|\n)*'b'|runs.b': is a file"
    with pytest.raises(lv.LvkitError, match=told), store.open(["a", "b", "c"]):
        raise AssertionError
    assert (store.runs / "a" / "notes.txt").read_text() == "mine"
    with store.open(["c"]):
        store.put("c", CONTENT, DONE)


@pytest.mark.parametrize("name", ["index.html", "manifest.json"])
def test_pages_that_are_not_a_batchs_are_not_replaced(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(lv.LvkitError, match="is not a batch's"), Store(tmp_path).open([]):
        raise AssertionError
    assert names(tmp_path) == [name]


def test_pages_of_an_earlier_batch_are_replaced(store: Store) -> None:
    for text in ("first", "second"):
        with store.open([]):
            store.write("index.html", text)
    assert (store.folder / "index.html").read_text() == "second"


def test_a_folder_that_cannot_be_locked_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(lv.LvkitError, match="cannot lock the folder.*denied"), store.open([]):
        raise AssertionError


@pytest.mark.parametrize("name", ["runs", ".cache"])
def test_links_in_the_batchs_own_places_are_refused(name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(outside)
    store = Store(tmp_path / "out")
    assert store.kept("a", "k") is None
    with pytest.raises(lv.LvkitError, match="is a link, which may lead outside"), store.open(["a"]):
        raise AssertionError
    assert names(outside) == []


def test_a_link_in_the_place_of_the_index_is_replaced_not_followed(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "victim").write_text("mine")
    (store.folder / "index.html").symlink_to(tmp_path / "victim")
    store.write("index.html", "the index")
    assert (tmp_path / "victim").read_text() == "mine"
    assert (store.folder / "index.html").read_text() == "the index"


def test_two_batches_never_work_in_one_folder(store: Store) -> None:
    other = Store(store.folder)
    told = pytest.raises(lv.LvkitError, match="another batch works in the folder")
    with store.open([]), told, other.open([]):
        raise AssertionError
    with other.open([]):
        pass


def test_without_filelock_the_remedy_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(lv.LvkitError, match=r"lvkit\[report\]"), store.open([]):
        raise AssertionError


# -- full disks and folders that cannot be written ----------------------------------------------


def refuse(number: int) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return raising


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_told_at_once(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "fsync", refuse(number))
    told = pytest.raises(lv.LvkitError, match=f"cannot write the file .{os.strerror(number)}")
    with told, Store(tmp_path / "out").open(["a"]):
        raise AssertionError


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    told = pytest.raises(lv.LvkitError, match="cannot make the folder")
    with told, Store(tmp_path / "out").open([]):
        raise AssertionError


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename"])
def test_a_run_that_cannot_be_written_leaves_the_one_before(
    number: int, call: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.open(["a"]), monkeypatch.context() as broken:
        broken.setattr(os, call, refuse(number))
        with pytest.raises(lv.LvkitError, match=os.strerror(number)):
            store.put("a", {name: b"new" for name in REPORT}, DONE | {"key": "new"})
    assert store.kept("a", "k") is not None
    assert names(store.runs) == ["a"]


def test_a_run_whose_place_cannot_be_taken_leaves_the_one_before(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def second_fails(source: Path, target: Path) -> None:
        if ".lvkit-new" in str(source):
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(lv.LvkitError, match="cannot write the report .No space left"):
        store.put("a", CONTENT, DONE | {"key": "new"})
    assert store.kept("a", "k") is not None
    assert names(store.runs) == ["a"]
