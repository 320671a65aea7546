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
from tiny import SHOW, write_notebook

import lvkit as lv
from lvkit.batch import store as module
from lvkit.batch.notebook import Source, open_notebook, open_template
from lvkit.batch.store import (
    RECORD,
    REPORT,
    Store,
    check_unchanged,
    content_key,
    data_digests,
    data_of,
    digest,
    file_digest,
    versions,
)
from lvkit.tools import files

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


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_notebook(write_notebook(tmp_path))


def key(source: Source, values: dict[str, Any], *, code: bool = False) -> str:
    return content_key(source, values, data_digests([values]), code=code)


def test_the_digest_is_sha_256(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest("abc") == digest(b"abc") == file_digest(tmp_path / "a") == expected


def test_the_key_is_the_same_for_the_same_content_only(source: Source, tmp_path: Path) -> None:
    before = key(source, {"x": 1})
    assert before == key(source, {"x": 1})
    other = open_notebook(write_notebook(tmp_path, SHOW + "\n", name="other"))
    assert len({before, key(source, {"x": 2}), key(other, {"x": 1})}) == 3
    assert key(source, {"x": 1}, code=True) != before


def test_the_cache_and_the_workers_do_not_count(source: Source) -> None:
    assert key(source, {"cache": "/a", "n_jobs": 1}) == key(source, {"cache": "", "n_jobs": 9})


def test_workers_that_somebody_chose_count_in_a_notebook_of_the_users(source: Source) -> None:
    one, two = (content_key(source, {"n_jobs": n}, {}, chosen={"n_jobs"}) for n in (1, 2))
    assert one != two
    report = open_template("report")
    one, two = (content_key(report, {"n_jobs": n}, {}, chosen={"n_jobs"}) for n in (1, 2))
    assert one == two


def test_a_file_inside_a_mapping_counts_by_its_content(source: Source, tmp_path: Path) -> None:
    values = {"files": {"train": str(tmp_path / "a.csv")}}
    (tmp_path / "a.csv").write_text("1")
    before = key(source, values)
    (tmp_path / "a.csv").write_text("2")
    assert key(source, values) != before


def test_a_file_counts_by_its_content_and_name_not_by_its_place(
    source: Source, tmp_path: Path
) -> None:
    for folder, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scores.csv").write_text(text)
    here, moved, changed = (
        key(source, {"data": [str(tmp_path / folder / "scores.csv")]}) for folder in "abc"
    )
    assert here == moved != changed


def test_other_versions_make_another_key(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(source, {})
    monkeypatch.setattr(module, "versions", lambda: versions() | {"numpy": "0"})
    assert key(source, {}) != before
    monkeypatch.setattr(module, "versions", lambda: versions() | {"seaborn": "0"})
    assert key(source, {}) == before


def test_the_hashes_of_files_are_told_for_each_run(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        path.write_text(path.name)
    runs = [{"data": str(path), "x": 1, "text": "a\0b"} for path in paths]
    found = data_digests(runs)
    assert found == {str(path): digest(path.name) for path in paths}
    assert data_of(runs[0], found) == {str(paths[0]): digest("a.csv")}


def test_a_file_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("")

    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(module, "file_digest", refuse)
    with pytest.raises(lv.LvkitError, match="a.csv': cannot read the file .Permission denied"):
        data_digests([{"data": str(path)}])


def test_versions_name_what_makes_reports() -> None:
    assert {"Python", "lvkit", "numpy", "papermill"} <= {*versions()}
    assert versions()["lvkit"] == lv.__version__


def test_files_that_are_as_they_were_are_no_problem(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    data = data_digests([{"data": str(tmp_path / "a")}])
    os.utime(tmp_path / "a", (1, 1))
    check_unchanged(data)
    check_unchanged({})


def test_files_that_changed_or_went_away_are_all_reported(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("1")
    data = data_digests([{"files": [str(tmp_path / name) for name in "abc"]}])
    (tmp_path / "a").write_text("2")
    (tmp_path / "b").unlink()
    with pytest.raises(lv.LvkitError, match="changed, or went away") as caught:
        check_unchanged(data)
    places = [problem.where for problem in caught.value.problems]
    assert places == [f"'{tmp_path / name}'" for name in "ab"]
