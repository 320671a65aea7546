from __future__ import annotations

from pathlib import Path

from lvkit.batch.job import Failure
from lvkit.batch.results import Batch, Run


def batch() -> Batch:
    done = Run("a", "A", "done", Path("runs/a"), {"x": 1, "y": 2}, {"x": 1},
               highlights={"AIC": 1.5}, seconds=2.0, kept=True)  # fmt: skip
    failed = Run("b", "B", "failed", Path("runs/b"), {"x": "<b>"}, {"x": "<b>"},
                 failure=Failure("", "ValueError", "no"))  # fmt: skip
    waiting = Run("c", "C", "not run", Path("runs/c"), {"x": 3}, {"x": 3})
    return Batch(Path("out"), (done, failed, waiting))


def test_a_batch_says_what_is_there() -> None:
    assert str(batch()) == "1 of 3 reports is there (1 unchanged from before), 1 failed."
    assert not batch().ok
    assert Batch(Path(), batch().runs[:1]).ok


def test_a_batch_is_a_table() -> None:
    table = batch().table
    assert list(table.index) == ["a", "b", "c"]
    assert list(table.columns) == ["x", "status", "seconds", "AIC"]
    assert list(table["status"]) == ["done", "failed", "not run"]


def test_only_a_run_that_is_done_has_a_page() -> None:
    assert [run.html for run in batch().runs] == [Path("runs/a/report.html"), None, None]


def test_names_are_text_in_a_notebook() -> None:
    shown = batch()._repr_html_()
    assert "1 of 3 reports" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


def test_the_index_and_the_manifest_are_in_the_folder() -> None:
    assert batch().index == Path("out/index.html")
    assert batch().manifest == Path("out/manifest.json")
