"""The HTML page of an executed notebook.

No code unless it is asked for, a table of contents, a description on every picture, and no request
to any other machine, so that it opens offline and can be sent by mail. nbconvert does the
conversion, with a small template of lvkit's own: of those that come with it, one drops the
descriptions and the others fetch scripts.

Imported only when a report is made, since it needs Jupyter.
"""

from __future__ import annotations

import copy
import re
from importlib import resources
from typing import Any

from nbconvert import HTMLExporter

from lvkit.batch.content_policy import content_policy

_ASIDE = {"notebook-only"}
_SETTINGS = {"parameters", "injected-parameters"}

# A header row whose corner is empty, then one with nothing but the corner.
_STAGGERED = re.compile(
    r"(<thead>\s*<tr[^>]*>\s*)<th></th>((?:\s*<th>[^<]*</th>)+\s*)</tr>"
    r"\s*<tr>\s*(<th>[^<]+</th>)(?:\s*<th></th>)+\s*</tr>"
)


def html_page(notebook: Any, title: str, *, code: bool = False, index: str = "") -> str:
    """Return a notebook's prose and outputs as a page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        A notebook that has run; it is not changed.
    title : str
        The page's title and first heading, as plain text; the notebook's own is left out.
    code : bool
        Show the code cells too.
    index : str
        Where the page that lists this one with others lies, for a link; empty if there is none.

    Returns
    -------
    str
        HTML, complete in itself.
    """
    shown = copy.deepcopy(notebook)
    hidden = _ASIDE if code else _ASIDE | _SETTINGS
    shown.cells = [cell for cell in shown.cells if not hidden & set(cell.metadata.get("tags", ()))]
    _without_title(shown)
    for cell in shown.cells:
        if cell.cell_type != "markdown":
            cell.outputs = [output for output in cell.get("outputs", ()) if _can_be_shown(output)]
    told = {"title": title, "contents": contents_of(shown), "code": code, "index": index}
    told["policy"] = content_policy()
    with resources.as_file(resources.files("lvkit.batch") / "templates") as folder:
        exporter = HTMLExporter(  # type: ignore[no-untyped-call]
            template_name="lvkit_page", extra_template_basedirs=[str(folder)]
        )
        page, _ = exporter.from_notebook_node(_one_header(shown), resources={"lvkit": told})
    return str(page)


def _without_title(notebook: Any) -> None:
    """Take out a notebook's first heading, also if other words stand above it in its cell."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, found = re.subn(r"^# .*\n*", "", cell.source, count=1, flags=re.M)
            if found:
                return


def _can_be_shown(output: Any) -> bool:
    """Tell whether an output is for readers; some are for programs only."""
    kinds = output.get("data", {"text/plain": ""})
    return any(not kind.startswith("application/vnd.") for kind in kinds)


def _one_header(notebook: Any) -> Any:
    """Move the name of a table's index, to which pandas gives a row, into the row above it."""
    for output in [output for cell in notebook.cells for output in cell.get("outputs", ())]:
        data = output.get("data", {})
        if "text/html" in data:
            data["text/html"] = _STAGGERED.sub(r"\1\3\2</tr>", data["text/html"])
    return notebook


def contents_of(notebook: Any) -> list[tuple[str, str]]:
    """Return the second-level headings of a notebook, each with its anchor in the page."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = [title for text in sources for title in re.findall(r"^## (.+?)\s*$", text, re.M)]
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title) for title in titles]
    return [(title.replace(" ", "-"), title) for title in plain]


def section_of(notebook: Any, position: int) -> str:
    """Return the heading that a cell of a notebook stands under; empty if under none."""
    sources = [c.source for c in notebook.cells[: position + 1] if c.cell_type == "markdown"]
    titles = [title for text in sources for title in re.findall(r"^#+ (.+?)\s*$", text, re.M)]
    return str(titles[-1]) if titles else ""
