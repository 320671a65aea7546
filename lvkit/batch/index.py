"""The index of a batch: a page for people, a manifest for programs.

The page lists the runs in a table that can be sorted, with links and with the text of every
failure; like the reports, it opens offline. The manifest says the same with versions, hashes and
times, so that somebody else can tell what was computed from what.
"""

from __future__ import annotations

import html
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lvkit.batch.content_policy import content_policy
from lvkit.batch.notebook import Source
from lvkit.batch.one_run import Run, now
from lvkit.batch.store import FAILED, REPORT, digest, versions
from lvkit.errors import count

if TYPE_CHECKING:
    import pandas as pd

_MOST_COLUMNS = 12

# Characters of a text that are shown, and whole numbers from which on only their size is.
_LONGEST = 200
_LONG = 10**21


@dataclass(frozen=True)
class Batch:
    """The runs of a batch and where they are, as ``lvkit.run_reports`` returns them.

    Attributes
    ----------
    folder : pathlib.Path
        Where everything is.
    runs : tuple of Run
        In the order of the plan.
    """

    folder: Path
    runs: tuple[Run, ...]

    @property
    def index(self) -> Path:
        """The page that lists all runs."""
        return self.folder / "index.html"

    @property
    def manifest(self) -> Path:
        """The same for a program, with versions, hashes and times."""
        return self.folder / "manifest.json"

    @property
    def document(self) -> dict[str, Any]:
        """The batch for a program: as the manifest has it, with the places of the pages."""
        runs = [run.document | {"html": run.html} for run in self.runs]
        return {"index": self.index, "manifest": self.manifest, "ok": self.ok, "runs": runs}

    @property
    def ok(self) -> bool:
        """Whether every run is done."""
        return all(run.status == "done" for run in self.runs)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each run: its varied values, status, time and highlights."""
        import pandas as pd

        rows = [
            {**run.varied, "status": run.status, "seconds": run.seconds, **run.highlights}
            for run in self.runs
        ]
        names = pd.Index([run.name for run in self.runs], name="run")
        try:
            return pd.DataFrame(rows, index=names)
        except OverflowError:  # pandas 2: a whole number beyond the largest float
            return pd.DataFrame(rows, index=names, dtype=object)

    def __str__(self) -> str:
        done, failed = (sum(r.status == status for r in self.runs) for status in ("done", "failed"))
        kept = sum(run.kept for run in self.runs)
        verb = "is" if done == 1 else "are"
        text = f"{done} of {count(len(self.runs), 'report')} {verb} there"
        text += f" ({kept} unchanged from before)" if kept else ""
        return text + (f", {failed} failed" if failed else "") + "."

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>{self.table.to_html(escape=True)}"


def index_page(batch: Batch, title: str) -> str:
    """Return the page that lists a batch's runs.

    Parameters
    ----------
    batch : Batch
        The runs.
    title : str
        The title of the reports.

    Returns
    -------
    str
        HTML, complete in itself; everything from names, parameters and errors is escaped.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("lvkit.batch") / "templates"
    file, script = (folder / f"batch_index.{ending}" for ending in ("html.j2", "js"))
    sorting = script.read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    values = [value for run in batch.runs for value in run.varied.values()]
    files = Counter(os.path.basename(path) for path in {*filter(_is_path, values)})
    environment.filters["shown"] = _shown
    environment.filters["sortable"] = _sortable
    environment.filters["as_file"] = lambda value: _file_name(value, files)
    varied, same_varied = _parted([run.varied for run in batch.runs])
    found, same_found = _parted([run.highlights for run in batch.runs if run.status == "done"])
    same = {
        "The same in all runs": same_varied | (same_found if batch.ok else {}),
        "The same in all runs that are done": {} if batch.ok else same_found,
    }
    return environment.from_string(file.read_text("utf-8")).render(
        policy=content_policy(sorting),
        script=Markup(sorting),
        title=f"{title}: {len(batch.runs)} runs" if len(batch.runs) > 1 else title,
        batch=batch,
        varied=varied,
        found=found[:_MOST_COLUMNS],
        same={words: values for words, values in same.items() if values},
        page=REPORT[0],
        notebook=REPORT[1],
        numbers=REPORT[2],
        failed=FAILED,
        failures=[run for run in batch.runs if run.failure],
        written=now(),
    )


def manifest_text(batch: Batch, source: Source, started: str) -> str:
    """Return the manifest of a batch, as JSON.

    Parameters
    ----------
    batch : Batch
        The runs.
    source : Source
        The notebook.
    started : str
        When the batch was started.
    """
    document = {
        "notebook": {"name": source.name, "own": source.own, "sha256": digest(source.text)},
        "versions": versions(),
        "started": started,
        "ended": now(),
        "ok": batch.ok,
        "runs": [run.document for run in batch.runs],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _parted(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Return the names whose values differ between rows, and the others with their one value.

    Where there is only one row nothing can differ, and all stay names.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(rows) < 2:
        return names, {}
    same = {name: rows[0][name] for name in names if _alike([row.get(name) for row in rows])}
    return [name for name in names if name not in same], same


def _alike(values: Sequence[Any]) -> bool:
    """Return whether values are there and read the same; 1 and true do not."""
    return values[0] is not None and len({json.dumps(value) for value in values}) == 1


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and os.path.isabs(value)


def _file_name(value: Any, files: Mapping[str, int]) -> str:
    """Return the name of a file, with its path if others share the name; "" for what is no path."""
    name = os.path.basename(value) if _is_path(value) else ""
    return value if name and files.get(name) != 1 else name


def _shown(value: Any) -> str:
    """Return a value as a reader of a page sees it, cut where it is long."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and abs(value) >= _LONG:
        return f"{Decimal(value):.3e}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _sortable(value: Any) -> str:
    """Return a value as the table is sorted by it."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    number = whole or (isinstance(value, float) and math.isfinite(value))
    return repr(value) if number else _shown(value)
