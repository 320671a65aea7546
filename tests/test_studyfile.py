from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lvkit as lv
from lvkit.studyfile import Record, StudyFile

SETTINGS: dict[str, Any] = {"seed": 0, "level": 0.95, "params": {"floors": [0.1, 1.0 / 3.0]}}
INDEX = pd.Index(["loading[a, k]", "precision[a]"], name="parameter")


def good() -> Record:
    columns = {"estimate": [1.0 / 3.0, 2e-9], "std_error": [0.1, np.nan]}
    columns |= {"ci_lower": [0.2, np.nan], "ci_upper": [0.5, np.nan]}
    return Record(pd.DataFrame(columns, INDEX), True, "")


def filled(path: Path) -> StudyFile:
    file = StudyFile.open(path, SETTINGS)
    file.records[50, 1] = good()
    file.records[50, 0] = Record(pd.DataFrame({"estimate": [1.0, 2.0]}, INDEX), False, "too slow")
    file.records[100, 0] = Record(pd.DataFrame(), False, "refused: größe")
    file.save()
    return file


def test_records_come_back_bit_for_bit(tmp_path: Path) -> None:
    written = filled(tmp_path / "study.json")
    found = StudyFile.open(tmp_path / "study.json", SETTINGS)
    assert found.records.keys() == written.records.keys()
    for task, record in written.records.items():
        again = found.records[task]
        assert (again.converged, again.reason) == (record.converged, record.reason)
        if record.table.empty:
            assert again.table.empty
        else:
            pd.testing.assert_frame_equal(again.table, record.table, check_exact=True)


def test_whether_a_parameter_is_determined_follows_from_its_error(tmp_path: Path) -> None:
    file = StudyFile.open(tmp_path / "study.json", SETTINGS)
    table = good().table.assign(determined=[True, False])
    file.records[50, 0] = Record(table, True, "")
    file.save()
    found = StudyFile.open(tmp_path / "study.json", SETTINGS).records[50, 0].table
    assert found.equals(table.drop(columns="determined"))


def test_a_new_file_is_written_at_once(tmp_path: Path) -> None:
    StudyFile.open(tmp_path / "study.json", SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]


def test_without_a_path_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = StudyFile.open(None, SETTINGS)
    file.records[50, 0] = good()
    file.save()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match="cannot write the file"):
        StudyFile.open(tmp_path / "nowhere" / "study.json", SETTINGS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, r"differs in seed \(0, not 1\)"),
        ({"params": {"floors": [0.1, 0.3]}}, "differs in params;"),
        ({"features": "log_params"}, r"features \(None, not 'log_params'\)"),
    ],
)
def test_a_file_of_another_study_is_refused_and_left_alone(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "study.json"
    filled(path)
    before = path.read_bytes()
    with pytest.raises(lv.LvkitError, match=words):
        StudyFile.open(path, SETTINGS | change)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b"\xff", b'{"schema": 1}', b'{"names": [], "records": [[1]]}'],
)
def test_what_is_no_file_of_a_study_is_refused_and_left_alone(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with pytest.raises(lv.LvkitError, match=r"mine\.json.*damaged, or no file of a study"):
        StudyFile.open(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match="cannot be read"):
        StudyFile.open(tmp_path, SETTINGS)


def test_records_that_do_not_hang_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    filled(path)
    text = json.loads(path.read_text())
    for wrong in ([[50, 0, "yes", "", [0], {}]], [[50, 0, True, "", [7], {}]], [[50]], 3):
        path.write_text(json.dumps(text | {"records": wrong}))
        with pytest.raises(lv.LvkitError, match="no file of a study"):
            StudyFile.open(path, SETTINGS)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    filled(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    with pytest.raises(lv.LvkitError, match=r"schema \(99, not 1\)"):
        StudyFile.open(path, SETTINGS)
