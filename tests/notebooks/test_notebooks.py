"""The notebooks that lvkit ships: what holds for each, and a run on a user's file.

That every cell runs as it stands is shown by nbval, which `make test` calls apart from these tests
(`pytest --nbval-lax notebooks`): it also compares the outputs of the cells tagged
``nbval-check-output``. Here papermill runs each notebook with other data and settings.
"""

from __future__ import annotations

import re
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from waiting import PATIENCE

sys.path.insert(0, str(Path(__file__).parent))
import tables

FOLDER = Path(__file__).parents[2] / "notebooks"
PATH = sorted(FOLDER.glob("*.ipynb"))
NOTEBOOKS = [*PATH, *sorted((FOLDER / "apps").glob("*.ipynb"))]
WIDGET = "application/vnd.jupyter.widget-view+json"
ROTATION = list(zip(PATH, cycle(tables.TABLES), strict=False))
"""Each notebook with one table; ``make tables`` runs every notebook on every table."""
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def cells(path: Path, tag: str | None = None) -> list[Any]:
    notebook = nbformat.read(path, as_version=4)
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        if tag is None or tag in cell.metadata.get("tags", ())
    ]


def outputs(cell: Any) -> list[Any]:
    """What a cell shows, by kind."""
    return [output.data for output in cell.outputs if "data" in output]


def test_there_are_notebooks_and_apps() -> None:
    assert PATH
    assert [path.stem for path in NOTEBOOKS[len(PATH) :]] == ["app_planner", "app_skills"]


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
def test_a_notebook_takes_controls_by_their_names_and_nothing_that_is_private(path: Path) -> None:
    source = "\n".join(cell.source for cell in cells(path))
    assert ".children" not in source
    assert re.findall(r"(?:\.|import )_\w+", source) == []


@each_notebook
def test_every_picture_of_a_notebook_is_described(path: Path) -> None:
    shown = [data for cell in cells(path) for data in outputs(cell)]
    assert [data for data in shown if "image/png" in data and "text/html" not in data] == []
    notebook = nbformat.read(path, as_version=4)
    written = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    images = re.findall(r"<img\b[^>]*>", "".join(data.get("text/html", "") for data in shown))
    alts = [re.search(r'\balt="([^"]*)"', image) for image in images]
    assert all(alt is not None and len(alt[1]) > 20 for alt in alts)
    assert all(len(alt) > 20 for alt in re.findall(r"!\[([^\]]*)\]", "".join(written)))


@pytest.mark.parametrize("path", PATH, ids=[path.stem for path in PATH])
def test_after_a_widget_a_notebook_shows_the_same_to_those_who_only_read(path: Path) -> None:
    run = cells(path)
    for cell, following in zip(run, [*run[1:], None], strict=True):
        if any(WIDGET in data for data in outputs(cell)):
            assert following is not None
            still = [data for data in outputs(following) if WIDGET not in data]
            assert still, f"a still picture or table is missing after:\n{cell.source}"


@each_notebook
def test_a_notebook_was_run_from_top_to_bottom_or_not_at_all(path: Path) -> None:
    counts = [cell.execution_count for cell in cells(path)]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))
    shown = [output for cell in cells(path) for output in cell.outputs]
    assert [output for output in shown if output.output_type == "error"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("path", "table"), ROTATION, ids=[f"{p.stem}-{t}" for p, t in ROTATION])
def test_a_notebook_runs_on_an_unusual_table(path: Path, table: str, tmp_path: Path) -> None:
    done = tables.run(path, table, tmp_path)
    assert [cell for cell in done.cells if "injected-parameters" in cell.metadata.get("tags", ())]


def test_the_rotation_covers_every_notebook_and_every_table() -> None:
    assert {path for path, _ in ROTATION} == set(PATH)
    assert {table for _, table in ROTATION} == set(tables.TABLES)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS[len(PATH) :], ids=lambda path: path.stem)
def test_an_app_runs_on_a_users_file_with_other_settings(
    path: Path, small_file: Path, tmp_path: Path
) -> None:
    known = papermill.inspect_notebook(str(path))
    wanted: dict[str, object] = {"data": str(small_file), "n_skills": 2, "max_skills": 2}
    given = {name: value for name, value in wanted.items() if name in known}
    done = tmp_path / path.name
    papermill.execute_notebook(
        str(path),
        str(done),
        given,
        progress_bar=False,
        cwd=str(tmp_path),
        execution_timeout=600,
        start_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
    )
    assert len(cells(done, "injected-parameters")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["family", "leaderboard"])
def test_a_report_on_hard_names_without_tokens_is_harmless(name: str, tmp_path: Path) -> None:
    from pictures import ODD, odd_panel

    from lvkit.batch.page import html_page

    panel = odd_panel()
    panel.write_csv(tmp_path / "odd.csv")
    panel.benchmarks[["chance"]].to_csv(tmp_path / "chance.csv")
    wanted = {
        "data": str(tmp_path / "odd.csv"),
        "benchmarks": str(tmp_path / "chance.csv"),
        "features": "log_params",
        "n_skills": 1,
        "max_skills": 1,
        "about": ODD[0],
        "cache": str(tmp_path / "cache"),
    }
    source, done = FOLDER / f"{name}.ipynb", tmp_path / "done.ipynb"
    given = {key: wanted[key] for key in wanted if key in papermill.inspect_notebook(str(source))}
    papermill.execute_notebook(
        str(source),
        str(done),
        given,
        progress_bar=False,
        cwd=str(tmp_path),
        execution_timeout=600,
        start_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
    )
    page = html_page(nbformat.read(done, as_version=4), ODD[0])
    assert "&lt;script&gt;alert(" in page
    assert "<script>alert(" not in page
    assert any((tmp_path / "cache").iterdir())
