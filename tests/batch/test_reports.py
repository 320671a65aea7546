"""Batches from their front door: small notebooks, and one of lvkit's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny import SHOW, execute_here, write_notebook

import lvkit as lv
from lvkit.batch import Batch
from lvkit.batch import run_reports as run_reports_in_kernels

NASTY = ["<script>alert(1)</script>", "../../x", "/etc/passwd", "a" * 300]


def run_reports(*data: Any, **settings: Any) -> Batch:
    """A batch without kernels."""
    return run_reports_in_kernels(*data, **{"execute": execute_here} | settings)


def pages(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("report.html"))


def test_a_batch_makes_a_report_for_each_run(tmp_path: Path) -> None:
    batch = run_reports(
        notebook=write_notebook(tmp_path), output=tmp_path / "out", grid={"x": [1, 2, 3]}
    )
    assert batch.ok
    assert pages(batch.folder) == [f"runs/x-{n}/report.html" for n in (1, 2, 3)]
    assert [run.highlights for run in batch.runs] == [{"double": n} for n in (2, 4, 6)]
    assert batch.index.is_file()
    assert "Tiny (x = 2)" in (batch.folder / "runs/x-2/report.html").read_text()
    assert [run["status"] for run in json.loads(batch.manifest.read_text())["runs"]] == ["done"] * 3


def test_runs_that_fail_or_hang_stop_no_other(tmp_path: Path) -> None:
    def execute(*arguments: Any, timeout: int | None, **more: Any) -> Any:
        assert timeout == 2
        return execute_here(*arguments, **more)

    code = "if x == 1: raise ValueError('<b>one</b>')\nif x == 2: raise TimeoutError"
    batch = run_reports(
        notebook=write_notebook(tmp_path, code),
        output=tmp_path / "out",
        grid={"x": [1, 2, 3]},
        timeout=2,
        execute=execute,
    )
    assert [run.status for run in batch.runs] == ["failed", "failed", "done"]
    assert [str(run.failure) for run in batch.runs[:2]] == [
        "ValueError: <b>one</b>",
        "TimeoutError: a cell took longer than 2 seconds",
    ]
    assert "<b>one" in (batch.runs[0].folder / "failed.ipynb").read_text()
    page = batch.index.read_text()
    assert "ValueError: &lt;b&gt;one&lt;/b&gt;" in page
    assert "section “The work”" in page


def test_hostile_values_stay_text_and_inside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    notebook = write_notebook(tmp_path, "print(name)", parameters="name: str = ''")
    batch = run_reports(notebook=notebook, output=tmp_path / "deep/er/out", grid={"name": NASTY})
    assert batch.ok
    there = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path == notebook or batch.folder in path.parents for path in there)
    folders = sorted(path.name for path in (batch.folder / "runs").iterdir())
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in folders)
    assert max(map(len, folders)) <= 60
    page = (batch.runs[0].folder / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_what_is_wrong_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError) as caught:
        run_reports(
            notebook=write_notebook(tmp_path),
            output=tmp_path / "out",
            parameters={"y": 1},
            grid={"x": ["a"]},
        )
    assert len(caught.value.problems) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_jobs": 0}, "n_jobs: got 0"),
        ({"timeout": 0}, "timeout: got 0"),
        ({"data": "a.csv", "parameters": {"data": "b.csv"}}, "'data': given twice"),
        ({"template": "report", "notebook": "x.ipynb"}, "both a template and a notebook"),
        ({"data": "no-such.csv"}, "no-such.csv"),
        ({"data": pd.DataFrame()}, "data: got a DataFrame; expected the path .* data.to_csv"),
    ],
)
def test_faulty_settings_are_refused(settings: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(lv.LvkitError, match=told):
        run_reports(output=tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_plan_file_says_it_all(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, parameters="x: int = 1\nfile: str = ''")
    (tmp_path / "scores.csv").write_text("mine")
    (tmp_path / "plan.toml").write_text(
        'notebook = "tiny.ipynb"\n[parameters]\nfile = "scores.csv"\n[[runs]]\nx = 4\n'
    )
    batch = run_reports(plan=tmp_path / "plan.toml", notebook=notebook, output=tmp_path / "out")
    (run,) = batch.runs
    assert run.parameters == {"x": 4, "file": str(tmp_path / "scores.csv")}
    assert list(run.data) == [str(tmp_path / "scores.csv")]


def test_the_cache_and_workers_are_filled_in_unless_somebody_chose(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path, SHOW, parameters="x: int = 1\ncache: str = ''\nn_jobs: int = 4"
    )
    filled = run_reports(notebook=notebook, output=tmp_path / "out").runs[0]
    assert (filled.parameters["cache"], filled.parameters["n_jobs"]) == (
        str(tmp_path / "out" / ".cache"),
        1,
    )
    again = run_reports(notebook=notebook, output=tmp_path / "out", resume=True).runs[0]
    assert again.kept
    chosen = run_reports(
        notebook=notebook,
        output=tmp_path / "out",
        parameters={"cache": "", "n_jobs": 3},
        resume=True,
    ).runs[0]
    assert (chosen.parameters["cache"], chosen.parameters["n_jobs"]) == ("", 3)
    assert not chosen.kept  # in a notebook of the user's they may mean anything


@pytest.mark.slow
def test_family_reports_of_a_users_file_share_a_fit(small_file: Path, tmp_path: Path) -> None:
    families = list(lv.read_panel(small_file).families[:2])
    settings: dict[str, Any] = {
        "template": "family",
        "output": tmp_path / "out",
        "parameters": {"n_skills": 2},
        "grid": {"about": families},
    }
    batch = run_reports_in_kernels(small_file, **settings)
    assert batch.ok, [str(run.failure) for run in batch.runs]
    assert all(run.highlights for run in batch.runs)
    assert len(list((tmp_path / "out" / ".cache").glob("*.entry"))) == 1
    assert all(run.kept for run in run_reports(small_file, **settings, resume=True).runs)
