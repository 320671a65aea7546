"""Notebooks for tests of batches: small and without lvkit, so that they run in a second."""

from __future__ import annotations

from pathlib import Path

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
