"""Notebooks for tests of batches: small, without lvkit, and executed in this process.

A kernel is a process that takes two seconds to start. Most laws of reports are about what happens
around a notebook, so their tests execute its cells here: `execute_here` replaces the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

new = nbformat.v4

SHOW = """from IPython.display import display
display({"application/vnd.lvkit.key-numbers+json": {"highlights": {"double": 2 * x}, "x": x},
         "text/plain": f"x is {x}"}, raw=True)"""


def notebook_text(*cells: str, parameters: str = "x: int = 1  # a number") -> str:
    """A notebook as JSON: a title, the parameters cell, a heading, and code."""
    made = [
        new.new_markdown_cell("# Tiny"),
        new.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new.new_markdown_cell("## The work"),
        *map(new.new_code_cell, cells or (SHOW,)),
    ]
    return str(nbformat.writes(new.new_notebook(cells=made)))


def write_notebook(
    folder: Path, *cells: str, parameters: str = "x: int = 1  # a number", name: str = "tiny"
) -> Path:
    """Write such a notebook and return where."""
    path = folder / f"{name}.ipynb"
    path.write_text(notebook_text(*cells, parameters=parameters))
    return path


class CellError(Exception):
    """Raised for a cell that fails, with the fields of papermill's error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.ename, self.evalue = type(error).__name__, str(error)


def execute_here(
    source: str,
    parameters: Mapping[str, Any],
    target: Path,
    *,
    timeout: int | None = None,
    halt: Any = None,
    on_cell: Callable[[], object] = lambda: None,
) -> Any:
    """Execute a notebook as `lvkit.batch.kernel.run_notebook` does, but in this process."""
    notebook = nbformat.reads(source, as_version=4)
    tagged = ["parameters" in cell.metadata.get("tags", ()) for cell in notebook.cells]
    code = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    injected = new.new_code_cell(code, metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(tagged.index(True) + 1 if True in tagged else 0, injected)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if halt is not None:
            halt.check()
        cell.metadata["papermill"] = {"start_time": "now"}
        names |= {"print": partial(_print, cell), "display": partial(_display, cell)}
        try:
            exec(cell.source.replace("from IPython.display import display\n", ""), names)
        except Exception as error:
            raise error if isinstance(error, TimeoutError) else CellError(error) from error
        finally:
            nbformat.write(notebook, target)
        on_cell()
    return notebook


def _print(cell: Any, *values: object) -> None:
    text = " ".join(map(str, values)) + "\n"
    cell.outputs.append(new.new_output("stream", name="stdout", text=text))


def _display(cell: Any, data: dict[str, Any], *, raw: bool) -> None:
    assert raw
    cell.outputs.append(new.new_output("display_data", data=data))
