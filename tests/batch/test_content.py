from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tiny import SHOW, write_notebook

import lvkit as lv
from lvkit.batch import content
from lvkit.batch.content import (
    check_unchanged,
    content_key,
    data_digests,
    data_of,
    digest,
    file_digest,
    versions,
)
from lvkit.batch.source import Source, open_notebook, open_template


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
    one, two = (content_key(source, {"n_jobs": n}, {}, given={"n_jobs"}) for n in (1, 2))
    assert one != two
    report = open_template("report")
    one, two = (content_key(report, {"n_jobs": n}, {}, given={"n_jobs"}) for n in (1, 2))
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
    monkeypatch.setattr(content, "versions", lambda: versions() | {"numpy": "0"})
    assert key(source, {}) != before
    monkeypatch.setattr(content, "versions", lambda: versions() | {"seaborn": "0"})
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

    monkeypatch.setattr(content, "file_digest", refuse)
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
