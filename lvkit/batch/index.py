"""The index: a batch at a glance, for a person and for a program.

The page lists the runs in a table that can be sorted, with links and with the text of every
failure; like the reports, it opens offline. The manifest says the same with versions, hashes and
times, so that somebody else can tell what was computed from what.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from importlib import resources
from typing import Any

from lvkit.batch.content import digest, versions
from lvkit.batch.job import FAILED, REPORT, now
from lvkit.batch.results import Batch, Run
from lvkit.batch.source import Source
from lvkit.reporting.contentpolicy import content_policy

_MOST_COLUMNS = 12

# Characters of a text that are shown, and whole numbers from which on only their size is.
_LONGEST = 200
_LONG = 10**21


def index_page(batch: Batch, title: str) -> str:
    """Return the page that lists a batch's runs.

    Parameters
    ----------
    batch : Batch
        What there is.
    title : str
        What the reports are called.

    Returns
    -------
    str
        HTML, complete in itself; everything from names, parameters and errors is escaped.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("lvkit.reporting") / "templates"
    file, script = (folder / f"batch_index.{ending}" for ending in ("html.j2", "js"))
    sorting = script.read_text("utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["shown"] = _shown
    environment.filters["sortable"] = _sortable
    files = _file_names(value for run in batch.runs for value in run.told.values())
    environment.filters["as_file"] = lambda value: _file_name(value, files)
    told, same_told = _parted([run.told for run in batch.runs])
    found, same_found = _parted([run.highlights for run in batch.runs if run.status == "done"])
    return environment.from_string(file.read_text("utf-8")).render(
        policy=content_policy(sorting),
        script=Markup(sorting),
        title=f"{title}: {len(batch.runs)} runs" if len(batch.runs) > 1 else title,
        batch=batch,
        told=told,
        found=found[:_MOST_COLUMNS],
        same=_same(batch, same_told, same_found),
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
        What there is.
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
        "runs": [_run_document(run) for run in batch.runs],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def batch_document(batch: Batch) -> dict[str, Any]:
    """Return what a batch left, for a program that has asked for it."""
    return {
        "index": batch.index,
        "manifest": batch.manifest,
        "ok": batch.ok,
        "runs": [_run_document(run) | {"html": run.html} for run in batch.runs],
    }


def _run_document(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "title": run.title,
        "status": run.status,
        "parameters": dict(run.parameters),
        "seed": run.parameters.get("seed"),
        "data": dict(run.data),
        "failure": asdict(run.failure) if run.failure else None,
        "highlights": dict(run.highlights),
        "started": run.started,
        "ended": run.ended,
        "seconds": run.seconds,
        "kept": run.kept,
    }


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all names in some rows, in the order in which they first come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _parted(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], dict[str, Any]]:
    """Return the names whose values differ between rows, and the others with their one value.

    Where there is only one row nothing can differ, and all stay names.
    """
    names = _columns(rows)
    if len(rows) < 2:
        return names, {}
    same = {name: rows[0][name] for name in names if _alike([row.get(name) for row in rows])}
    return [name for name in names if name not in same], same


def _alike(values: Sequence[Any]) -> bool:
    """Tell whether values are there and read the same; 1 and true do not."""
    return values[0] is not None and len({json.dumps(value) for value in values}) == 1


def _same(
    batch: Batch, told: Mapping[str, Any], found: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """Return what is the same in all runs, under the words that say in which."""
    lines: dict[str, Mapping[str, Any]] = {
        "The same in all runs": {**told, **found} if batch.ok else told,
        "The same in all runs that are done": {} if batch.ok else found,
    }
    return {words: values for words, values in lines.items() if values}


def _file_names(values: Iterable[Any]) -> Counter[str]:
    """Return the names of the files among some values, each with how many paths end in it."""
    paths = {value for value in values if isinstance(value, str) and os.path.isabs(value)}
    return Counter(os.path.basename(path) for path in paths)


def _file_name(value: Any, files: Mapping[str, int]) -> str:
    """Return what to call a file: its name where that tells it apart; "" for what is no path."""
    if not isinstance(value, str) or not os.path.isabs(value):
        return ""
    name = os.path.basename(value)
    return name if files.get(name) == 1 else value


def _shown(value: Any) -> str:
    """Return a value as a reader sees it."""
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
