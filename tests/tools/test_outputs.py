from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.tools.outputs import check_output, is_panel_table, is_saved_fit, is_selection_table

SELECTION = "K,loglik,n_params,aic,bic,converged\n1,2.5,3,4.0,5.0,True\n"


def check(path: Path, **options: Any) -> None:
    check_output(path, kind="a table", ours=lambda path: b"ours" in path.read_bytes(), **options)


def test_a_new_file_may_be_written_and_nothing_is_left_of_the_trial(tmp_path: Path) -> None:
    check(tmp_path / "new.csv", inputs=[None, "", "from_name", {"a": "b"}, tmp_path / "no.csv"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "this is ours"])
def test_an_empty_file_and_one_of_ours_may_be_replaced(content: str, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(content)
    check(path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == [content]


def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path, message: Message) -> None:
    (tmp_path / "theirs").write_text("a thesis")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    (tmp_path / "loose").symlink_to(tmp_path / "nothing yet")
    check(tmp_path / "loose")
    assert not (tmp_path / "nothing yet").exists()
    with refused() as error:
        check(tmp_path / "link")
    message(error)


def test_one_of_ours_that_is_also_an_input_is_refused(tmp_path: Path, message: Message) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("this is ours")
    with refused() as caught:
        check(path, inputs=[str(path)], argument="output")
    message(caught)
    assert caught.value.problems[0].where == f"output '{path}'"


def test_a_file_that_is_read_only_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.csv"
    path.write_text("this is ours")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(lv.LvkitError, match="read-only"):
        check(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(lv.LvkitError, match="cannot write the file"):
        check(tmp_path / "new.csv")
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300], ids=["null", "long"])
def test_a_name_that_no_file_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with refused(f"'{tmp_path / name}'") as error:  # in Python's and the system's words
        check(tmp_path / name)
    assert error.value.problems[0].seen.startswith("cannot write the file (")


def test_a_device_is_not_tried() -> None:
    check(Path(os.devnull))


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (SELECTION, True),
        (SELECTION.replace("2.5", "nan"), True),
        (SELECTION.replace("2.5", "I prefer this one"), False),
        (SELECTION + "\nNote: K = 1 is best\n", False),
        ("K,loglik\n1,2.5\n", False),
        ("model,mmlu\na,0.5\n", False),
        ("", False),
    ],
)
def test_a_table_of_numbers_of_skills_is_known_again(text: str, ours: bool, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert is_selection_table(path) is ours


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\x03\x04", b"\xff\xfe", b"a\0b", b'"' * 200_000]
)
def test_other_files_are_none_of_ours(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_saved_fit(path)
    assert not is_selection_table(path)
    assert not is_panel_table(path)


def test_an_archive_whose_first_file_has_a_longer_name_is_no_fit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine", "w") as archive:
        archive.writestr("fit.json.txt", "my notes")
    assert not is_saved_fit(tmp_path / "mine")


def test_a_panel_replaces_a_table_of_models_and_nothing_else(
    small_panel: lv.Panel, tmp_path: Path, message: Message
) -> None:
    table, notes = tmp_path / "table.csv", tmp_path / "notes.csv"
    for _ in range(2):
        small_panel.write_csv(table)
    notes.write_text("when,what\n")
    with refused() as error:
        small_panel.write_csv(notes)
    message(error)
    assert notes.read_text() == "when,what\n"
