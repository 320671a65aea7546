"""The notebooks that lvkit ships: what holds for each, and a run on a user's file.

That every cell runs as it stands is shown by nbval, which `make test` calls apart from these tests
(`pytest --nbval-lax notebooks`): it also compares the outputs of the cells tagged
``nbval-check-output``. Here papermill runs each notebook with other data and settings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def cells(path: Path, tag: str | None = None) -> list[Any]:
    notebook = nbformat.read(path, as_version=4)
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        if tag is None or tag in cell.metadata.get("tags", ())
    ]


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


@each_notebook
def test_a_notebook_is_valid_and_small(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))
    assert path.stat().st_size < 300_000


@each_notebook
def test_a_notebook_says_what_can_be_set_in_one_cell(path: Path) -> None:
    assert len(cells(path, "parameters")) == 1
    parameters = papermill.inspect_notebook(str(path))
    assert "data" in parameters
    assert all(parameter["help"] for parameter in parameters.values())


@each_notebook
def test_a_notebook_defines_no_functions(path: Path) -> None:
    lines = [line for cell in cells(path) for line in cell.source.splitlines()]
    assert [line for line in lines if line.lstrip().startswith(("def ", "class "))] == []


@each_notebook
def test_a_notebook_was_run_from_top_to_bottom_or_not_at_all(path: Path) -> None:
    counts = [cell.execution_count for cell in cells(path)]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))
    outputs = [output for cell in cells(path) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []


@pytest.mark.slow
@each_notebook
def test_a_notebook_runs_on_a_users_file_with_other_settings(
    path: Path, small_file: Path, tmp_path: Path
) -> None:
    known = papermill.inspect_notebook(str(path))
    wanted: dict[str, object] = {"data": str(small_file), "n_skills": 2, "max_skills": 2}
    given = {name: value for name, value in wanted.items() if name in known}
    done = tmp_path / path.name
    papermill.execute_notebook(
        str(path), str(done), given, progress_bar=False, cwd=str(tmp_path), execution_timeout=600
    )
    assert len(cells(done, "injected-parameters")) == 1
