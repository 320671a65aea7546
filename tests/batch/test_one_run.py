from __future__ import annotations

import errno
import json
import pickle
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import execute_here, notebook_text

import lvkit as lv
from lvkit.batch import kernel
from lvkit.batch.one_run import Failure, Making, Run, make, now, require_jupyter, scalars, titled
from lvkit.batch.store import FAILED, REPORT, digest

TWICE = """from IPython.display import display
for highlights in ({"a": 1, "b": [2], "c": None}, {"d": "<b>"}):
    document = {"highlights": highlights, "deep": {"n": 3}}
    display({"application/vnd.lvkit.key-numbers+json": document}, raw=True)"""

TINY = Run("tiny", "A <tiny> one", {"x": 4})


def making(*cells: str, **settings: Any) -> Making:
    return Making(notebook_text(*cells), **{"execute": execute_here} | settings)


def raising(error: Exception) -> Any:
    """An executor that fails with an error."""

    def execute(*_: Any, **__: Any) -> None:
        raise error

    return execute


def test_a_run_gives_back_the_bytes_of_its_report() -> None:
    cells: list[int] = []
    run, files = make(TINY, making(), on_cell=lambda: cells.append(1))
    assert tuple(files) == REPORT
    page, notebook, numbers = (files[name].decode() for name in REPORT)
    assert "<title>A &lt;tiny&gt; one</title>" in page
    assert "x = 4" in notebook
    assert "papermill" not in json.loads(notebook)["metadata"]
    assert json.loads(numbers) == {"parameters": {"x": 4}, "highlights": {"double": 8}, "x": 4}
    assert (run.status, run.highlights, run.failure) == ("done", {"double": 8}, None)
    assert run.started <= run.ended
    assert len(cells) == 3


def test_without_an_executor_the_notebook_runs_in_a_kernel_and_takes_time() -> None:
    pid, here = "import os; print('process', os.getpid())", __import__("os").getpid()
    run, files = make(TINY, making(pid, execute=None))
    assert "process" in (page := files["report.html"].decode())
    assert f"process {here}" not in page
    assert "papermill" not in json.loads(files["report.ipynb"])["metadata"]
    assert run.seconds > 0


def test_key_numbers_of_several_cells_are_merged() -> None:
    run, files = make(TINY, making(TWICE, code=True))
    document = json.loads(files["report.json"])
    assert document["deep"] == {"n": 3}
    assert document["highlights"] == {"a": 1, "d": "<b>"}
    assert run.highlights == {"a": 1, "d": "<b>"}
    assert "from IPython.display" in files["report.html"].decode()


def test_a_run_can_be_sent_to_another_machine_and_back() -> None:
    made = make(*pickle.loads(pickle.dumps((TINY, making("pass")))))
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_cell_that_fails_is_an_outcome_with_the_notebook_as_far_as_it_got() -> None:
    code = "raise ValueError('no <i>good</i>.' + 3000 * 'x')"
    run, files = make(TINY, making("print('so far')", code))
    assert (run.status, run.highlights) == ("failed", {})
    assert run.failure is not None
    assert (run.failure.section, run.failure.name) == ("The work", "ValueError")
    assert run.failure.text.startswith("no <i>good</i>.xxx")
    assert len(run.failure.text) < 2100
    assert list(files) == [FAILED]
    assert b"so far" in files[FAILED]


def test_a_cell_that_hangs_is_stopped_and_reported() -> None:
    run, files = make(TINY, making("raise TimeoutError", timeout=1))
    expected = Failure("The work", "TimeoutError", "a cell took longer than 1 seconds")
    assert run.failure == expected
    assert FAILED in files


def test_a_notebook_that_never_started_is_kept_as_it_was() -> None:
    error = RuntimeError("Kernel didn't respond in 60 seconds")
    run, files = make(TINY, making(execute=raising(error)))
    assert run.failure == Failure("", "RuntimeError", "Kernel didn't respond in 60 seconds")
    assert json.loads(files[FAILED])["cells"]  # as it was before


def test_a_run_that_is_stopped_has_no_outcome() -> None:
    halt = kernel.Halt()
    halt.pull()
    for execute in (execute_here, None):
        with pytest.raises(kernel.HaltedError):
            make(TINY, making(execute=execute), halt=halt)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_is_not_the_notebooks_fault(number: int) -> None:
    execute = raising(OSError(number, "It cannot be written"))
    with pytest.raises(lv.LvkitError, match="temporary files .It cannot be written.*TMPDIR"):
        make(TINY, making(execute=execute))


def test_no_folder_for_temporary_files_is_not_the_notebooks_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse = raising(FileNotFoundError(errno.ENOENT, "No usable temporary directory found"))
    monkeypatch.setattr("tempfile.gettempdir", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(lv.LvkitError, match="TMPDIR: cannot work in the folder.*No usable"):
        make(TINY, making())


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
    monkeypatch.delitem(sys.modules, "lvkit.batch.kernel", raising=False)
    monkeypatch.setitem(sys.modules, "papermill", None)
    with pytest.raises(lv.LvkitError, match=r"papermill is not installed.*lvkit\[report\]"):
        require_jupyter()


def test_a_run_leaves_nothing_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for execute in (execute_here, raising(ValueError("no"))):
        make(TINY, making("pass", execute=execute))
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
    run = Run("a", "lvkit family report: a.csv", {"x": 1})
    _, files = make(run, making(f"from IPython.display import display\n{show}"))
    page = files["report.html"].decode()
    assert "<h1>lvkit family report: &lt;i&gt;opt&lt;/i&gt;, a.csv</h1>" in page


def test_a_run_works_in_the_folder_of_its_batch(tmp_path: Path) -> None:
    targets: list[Path] = []

    def execute(source: str, parameters: Any, target: Path, **more: Any) -> Any:
        targets.append(target)
        return execute_here(source, parameters, target, **more)

    make(TINY, making("pass", place=tmp_path, execute=execute))
    assert targets[0].parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_data_are_others_than_planned_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("2")
    run = replace(TINY, data={str(tmp_path / "a.csv"): "0" * 64})
    run, files = make(run, making(execute=lambda *_, **__: pytest.fail("it began")))
    assert run.failure is not None
    assert "a.csv': the file changed" in str(run.failure)
    assert list(files) == [FAILED]


def test_a_run_whose_data_change_meanwhile_has_failed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    change = f"import pathlib\npathlib.Path({str(tmp_path / 'a.csv')!r}).write_text('2')"
    run, _ = make(replace(TINY, data={str(tmp_path / "a.csv"): digest("1")}), making(change))
    assert run.failure is not None
    assert run.failure.section == ""
    assert "the file changed" in str(run.failure)


def test_only_a_run_that_is_done_has_a_page(tmp_path: Path) -> None:
    runs = [replace(TINY, folder=tmp_path, status=status) for status in ("done", "failed")]
    assert [run.html for run in runs] == [tmp_path / "report.html", None]
