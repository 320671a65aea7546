from __future__ import annotations

import errno
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from tiny import notebook_text

import lvkit as lv
from lvkit.batch import job as jobs
from lvkit.batch.content import digest
from lvkit.batch.job import (
    FAILED,
    REPORT,
    Failure,
    Job,
    now,
    require_jupyter,
    run_job,
    scalars,
    titled,
)
from lvkit.reporting import kernel

TWICE = """from IPython.display import display
for highlights in ({"a": 1, "b": [2], "c": None}, {"d": "<b>"}):
    document = {"highlights": highlights, "deep": {"n": 3}}
    display({"application/vnd.lvkit.key-numbers+json": document}, raw=True)"""


def job(*cells: str, **settings: Any) -> Job:
    given = {"name": "tiny", "title": "A <tiny> one", "parameters": {"x": 4}} | settings
    return Job(text=notebook_text(*cells), **given)


def test_a_job_gives_back_the_bytes_of_its_report() -> None:
    cells: list[int] = []
    outcome = run_job(job(), on_cell=lambda: cells.append(1))
    assert tuple(outcome.files) == REPORT
    page, notebook, numbers = (outcome.files[name].decode() for name in REPORT)
    assert "<title>A &lt;tiny&gt; one</title>" in page
    assert "x = 4" in notebook
    assert "papermill" not in json.loads(notebook)["metadata"]
    assert json.loads(numbers) == {"parameters": {"x": 4}, "highlights": {"double": 8}, "x": 4}
    assert outcome.highlights == {"double": 8}
    assert outcome.failure is None
    assert outcome.started <= outcome.ended
    assert outcome.seconds > 0
    assert len(cells) == 3


def test_key_numbers_of_several_cells_are_merged() -> None:
    outcome = run_job(job(TWICE, code=True))
    document = json.loads(outcome.files["report.json"])
    assert document["deep"] == {"n": 3}
    assert document["highlights"] == {"a": 1, "d": "<b>"}
    assert outcome.highlights == {"a": 1, "d": "<b>"}
    assert "from IPython.display" in outcome.files["report.html"].decode()


def test_a_job_and_its_outcome_can_be_sent_to_another_machine() -> None:
    outcome = run_job(pickle.loads(pickle.dumps(job("pass"))))
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_a_cell_that_fails_is_an_outcome_with_the_notebook_as_far_as_it_got() -> None:
    outcome = run_job(job("print('so far')", "raise ValueError('no <i>good</i>.' + 3000 * 'x')"))
    assert outcome.failure is not None
    assert (outcome.failure.section, outcome.failure.name) == ("The work", "ValueError")
    assert outcome.failure.text.startswith("no <i>good</i>.xxx")
    assert len(outcome.failure.text) < 2100
    assert list(outcome.files) == [FAILED]
    assert b"so far" in outcome.files[FAILED]


def test_a_cell_that_hangs_is_stopped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, limit = "while True: pass", NotebookClient._get_timeout

    def limit_of(client: NotebookClient, cell: Any) -> int | None:
        """Time the cell that hangs alone: on a busy machine the others may be slow."""
        return limit(client, cell) if cell and cell.source == hanging else None

    monkeypatch.setattr(NotebookClient, "_get_timeout", limit_of)
    outcome = run_job(job(hanging, timeout=1))
    expected = Failure("The work", "TimeoutError", "a cell took longer than 1 seconds")
    assert outcome.failure == expected
    assert FAILED in outcome.files


def test_a_notebook_that_never_started_is_kept_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("Kernel didn't respond in 60 seconds")

    monkeypatch.setattr(kernel, "run_notebook", refuse)
    outcome = run_job(job())
    assert outcome.failure == Failure("", "RuntimeError", "Kernel didn't respond in 60 seconds")
    assert json.loads(outcome.files[FAILED])["cells"]  # as it was before


def test_a_job_that_is_stopped_has_no_outcome() -> None:
    halt = kernel.Halt()
    halt.pull()
    with pytest.raises(kernel.HaltedError):
        run_job(job(), halt=halt)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_is_not_the_notebooks_fault(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, "It cannot be written")

    monkeypatch.setattr(kernel, "run_notebook", refuse)
    with pytest.raises(lv.LvkitError, match="temporary files .It cannot be written.*TMPDIR"):
        run_job(job())


def test_no_folder_for_temporary_files_is_not_the_notebooks_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(lv.LvkitError, match="TMPDIR: cannot work in the folder.*No usable"):
        run_job(job())


def test_errors_of_lvkit_are_told_in_their_own_words() -> None:
    assert str(Failure("", "LvkitError", "one family")) == "one family"
    assert str(Failure("", "KeyError", "'a'")) == "KeyError: 'a'"


def test_highlights_are_numbers_and_texts() -> None:
    assert scalars({"a": 1, "b": None, "c": [1], 4: "x", "d": True}) == {
        "a": 1, "4": "x", "d": True,
    }  # fmt: skip
    assert scalars(["a"]) == scalars(None) == {}


def test_times_are_in_utc() -> None:
    assert now().endswith("+00:00")


def test_without_jupyter_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    require_jupyter()
    monkeypatch.delitem(sys.modules, "lvkit.reporting.kernel", raising=False)
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(lv.LvkitError, match=r"papermill is not installed.*lvkit\[report\]"):
        require_jupyter()


def test_a_job_leaves_nothing_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.tempfile, "tempdir", str(tmp_path))
    run_job(job("pass"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("title", "heading"),
    [
        ("lvkit family report: a.csv", "lvkit family report: opt, a.csv"),
        ("lvkit family report: a.csv (about = )", "lvkit family report: opt, a.csv (about = )"),
        ("lvkit family report: a.csv (about = opt)", "lvkit family report: a.csv (about = opt)"),
        ("My report: a part", "My report: a part"),
    ],
)
def test_a_family_report_names_its_family_once(title: str, heading: str) -> None:
    assert titled(title, {"family": "opt"}) == heading
    assert titled(title, {}) == title


def test_the_family_that_a_report_is_about_stands_on_its_page() -> None:
    show = 'display({"application/vnd.lvkit.key-numbers+json": {"family": "<i>opt</i>"}}, raw=True)'
    text = notebook_text(f"from IPython.display import display\n{show}")
    outcome = run_job(Job("a", "lvkit family report: a.csv", text, {"x": 1}))
    page = outcome.files["report.html"].decode()
    assert "<h1>lvkit family report: &lt;i&gt;opt&lt;/i&gt;, a.csv</h1>" in page


def test_a_job_works_in_the_folder_it_is_given(tmp_path: Path) -> None:
    show = "import os; print(os.getcwd())"
    outcome = run_job(job(show, place=str(tmp_path)))
    assert str(tmp_path) in outcome.files["report.html"].decode()
    assert list(tmp_path.iterdir()) == []


def test_a_job_whose_data_are_others_than_planned_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "run_notebook", lambda *_, **__: pytest.fail("it began"))
    (tmp_path / "a.csv").write_text("2")
    outcome = run_job(job(data={str(tmp_path / "a.csv"): "0" * 64}))
    assert outcome.failure is not None
    assert "a.csv': the file changed" in str(outcome.failure)
    assert list(outcome.files) == [FAILED]


def test_a_job_whose_data_change_meanwhile_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text("1")

    def change(*_: Any, **__: Any) -> None:
        (tmp_path / "a.csv").write_text("2")

    monkeypatch.setattr(kernel, "run_notebook", change)
    data = {str(tmp_path / "a.csv"): digest("1")}
    outcome = run_job(job(data=data))
    assert outcome.failure is not None
    assert outcome.failure.section == ""
    assert "the file changed" in str(outcome.failure)
