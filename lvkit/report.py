"""Reports: the main job, from a file to a page that anybody can open.

A report is a notebook run by papermill on the user's data and settings, and then shown without its
code. Three files come of it: the page, the notebook (to look into, or to go on from) and the key
numbers for a program. They appear when all of them are ready; if a cell fails, none does, and the
notebook as far as it got is kept beside for those who want to see why.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lvkit.errors import LvkitError
from lvkit.features import DEFAULT_FEATURES
from lvkit.files import make_folder, shipped_notebooks, write_whole
from lvkit.fitting import objective_for, prepared_for
from lvkit.model import LatentSkillModel
from lvkit.progress import ProgressChoice, progress_bar
from lvkit.reading.opening import open_panel
from lvkit.reporting.keynumbers import MIME
from lvkit.select import USUAL_RANGE, USUAL_SKILLS, skill_range

__all__ = ["ReportPaths", "run_report"]

_FAILED = "report-failed.ipynb"

# A warning as Python prints it: file and line, kind, text, and often the line of code.
_WARNED = re.compile(r"^\S.*?:\d+: LvkitWarning: (.*)\n(?:  .*\n?)?", re.MULTILINE)


@dataclass(frozen=True)
class ReportPaths:
    """Where a report's files are.

    Attributes
    ----------
    html : pathlib.Path
        The page, complete in itself.
    notebook : pathlib.Path
        The notebook it was made from, with code and outputs.
    json : pathlib.Path
        The key numbers and the settings.
    """

    html: Path
    notebook: Path
    json: Path


def run_report(
    data: str | os.PathLike[str] | None = None,
    *,
    output: str | os.PathLike[str],
    n_skills: int | None = None,
    max_skills: int | None = None,
    seed: int = 0,
    family: str | Mapping[str, str] | None = None,
    benchmarks: str | os.PathLike[str] | Mapping[str, float | None] | None = None,
    drop_invalid: bool = False,
    complete: bool = False,
    anchors: Mapping[str, str] | None = None,
    features: str = DEFAULT_FEATURES,
    family_slopes: str | None = None,
    floor: Literal["none", "chance", "estimate"] = "none",
    clip: float = 0.0025,
    n_jobs: int = 2,
    progress: ProgressChoice = False,
) -> ReportPaths:
    """Fit a table of scores and write a report on it.

    Parameters
    ----------
    data : path-like, optional
        A table for :func:`lvkit.read_panel`; None for the embedded leaderboard.
    output : path-like
        Folder for the report, made if it is not there; an older report in it is replaced.
    n_skills : int, optional
        Number of skills to interpret. None: as many as there are anchors or, without anchors, 4;
        fewer where the table cannot bear so many.
    max_skills : int, optional
        Largest number of skills to compare, at least `n_skills`; no more are tried than the table
        can bear. None: 6, or `n_skills` if that is more.
    seed : int
        Seed of all that is random.
    family : str or mapping, optional
        Which family a model belongs to: ``"from_name"``, a column, a CSV file with the columns
        model and family, or a mapping. None for the column ``family``.
    benchmarks : path-like or mapping, optional
        Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance, or a
        mapping from one to the other.
    drop_invalid : bool
        Leave out rows with an unusable cell, with a warning that lists them.
    complete : bool
        Use only the models with every benchmark measured.
    anchors : mapping, optional
        The skills to interpret, each with its anchor benchmark.
    features, family_slopes, floor, clip
        As for :class:`lvkit.LatentSkillModel`. Tables without tokens need ``"log_params"``. Numbers
        of skills are compared without family slopes.
    n_jobs : int
        Workers to compare numbers of skills with; the results do not depend on it.
    progress : bool or tqdm class
        Show a bar over the notebook's cells.

    Returns
    -------
    ReportPaths
        ``report.html``, ``report.ipynb`` and ``report.json`` in `output`.

    Raises
    ------
    LvkitError
        If the data or the settings are faulty, before anything runs; if a cell of the notebook
        fails, with its section and its error, and the notebook is kept as ``report-failed.ipynb``.
    """
    settings: dict[str, Any] = {
        "data": _absolute(data or ""),
        "family": _absolute(family or "") if isinstance(family, str | None) else dict(family),
        "benchmarks": dict(benchmarks)
        if isinstance(benchmarks, Mapping)
        else _absolute(benchmarks or ""),
        "drop_invalid": bool(drop_invalid),
        "complete": bool(complete),
        "features": features,
        "family_slopes": family_slopes or "",
        "floor": floor,
        "clip": clip,
        "anchors": dict(anchors or {}),
        "seed": _whole("seed", seed, least=0),
        "n_jobs": _whole("n_jobs", n_jobs, least=1),
    }
    settings |= _numbers_of_skills(settings, n_skills, max_skills)
    folder = make_folder(output)
    with tempfile.TemporaryDirectory(prefix="lvkit-") as place:
        notebook = _executed(settings, Path(place) / "report.ipynb", folder, progress)
    return _written(notebook, settings, folder)


def _whole(name: str, value: Any, *, least: int) -> int:
    """Return a setting as a whole number, or say what it should be."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = least - 1
    if isinstance(value, bool) or number != value or number < least:
        raise LvkitError(f"saw {value!r}", where=name, expected=f"a whole number from {least}")
    return number


def _absolute(path: str | os.PathLike[str]) -> str:
    """Return a path in full, for a notebook that works elsewhere; what is no file stays as is."""
    text = os.fspath(path)
    return os.path.abspath(text) if text and os.path.exists(text) else text


def _numbers_of_skills(
    settings: Mapping[str, Any], n_skills: int | None, max_skills: int | None
) -> dict[str, int]:
    """Return how many skills to interpret and to compare; refuse what cannot work.

    This happens before a kernel starts, so all settings are tried on the data here.
    """
    if n_skills is not None:
        n_skills = _whole("n_skills", n_skills, least=1)
    if max_skills is not None:
        max_skills = _whole("max_skills", max_skills, least=n_skills or 1)
    model = LatentSkillModel(
        anchors=settings["anchors"] or None,
        n_skills=n_skills,
        features=settings["features"],
        family_slopes=settings["family_slopes"] or None,
        floor=settings["floor"],
        clip=settings["clip"],
    )
    names = ("family", "benchmarks", "drop_invalid", "complete")
    panel = open_panel(settings["data"], **{name: settings[name] for name in names})
    k = model.k
    if k is None:
        k = skill_range(panel, model, most=min(USUAL_SKILLS, max_skills or USUAL_SKILLS))[-1]
    else:
        objective_for(model, prepared_for(model, panel), k)
    return {"n_skills": k, "max_skills": max(k, max_skills or USUAL_RANGE)}


def _executed(
    settings: Mapping[str, Any], target: Path, folder: Path, progress: ProgressChoice
) -> Any:
    """Return the notebook with its outputs; if a cell fails, keep it in `folder` and say so."""
    try:
        from lvkit.reporting.kernel import run_notebook
    except ImportError as error:
        raise LvkitError(
            f"reports need Jupyter, and {error.name} is not installed",
            remedy="Install it with: pip install 'lvkit[report]'",
        ) from error
    source = shipped_notebooks()["report.ipynb"].decode("utf-8")
    cells = sum(cell["cell_type"] == "code" for cell in json.loads(source)["cells"]) + 1
    try:
        with progress_bar(progress, total=cells, label="Report") as bar:
            notebook = run_notebook(source, settings, target, on_cell=bar.update)
    except Exception as error:
        raise _told(error, target, folder) from error
    del notebook.metadata["papermill"]
    _without_places_of_code(notebook)
    return notebook


def _without_places_of_code(notebook: Any) -> None:
    """Show lvkit's warnings as sentences, without the files and lines of code they come from."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if output.get("name") == "stderr":
            output["text"] = _WARNED.sub(r"lvkit: \1\n", output["text"])


def _told(error: Exception, target: Path, folder: Path) -> LvkitError:
    """Return what went wrong in plain words, and keep the notebook as far as it got."""
    import nbformat

    from lvkit.reporting.page import section_of

    remedy, where = "", "report"
    if target.is_file():
        kept = write_whole(folder / _FAILED, target.read_bytes())
        remedy = f"The notebook as far as it got: '{kept}'."
    if hasattr(error, "cell_index"):
        notebook = nbformat.read(target, as_version=4)  # type: ignore[no-untyped-call]
        where += f", section '{section_of(notebook, error.cell_index)}'"
    name = getattr(error, "ename", type(error).__name__)
    text = str(getattr(error, "evalue", error)).rstrip(".")
    seen = text if name == "LvkitError" else f"{name}: {text}"
    return LvkitError(seen, where=where, remedy=remedy)


def _written(notebook: Any, settings: Mapping[str, Any], folder: Path) -> ReportPaths:
    """Write the report's files and return where they are."""
    import nbformat

    from lvkit.reporting.page import html_page

    source = Path(settings["data"]).name if settings["data"] else "Open LLM Leaderboard"
    page = html_page(notebook, f"lvkit report: {source}")
    document = {"parameters": dict(settings)} | _key_numbers(notebook)
    paths = ReportPaths(*(folder / f"report.{kind}" for kind in ("html", "ipynb", "json")))
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    write_whole(paths.notebook, text + "\n")
    write_whole(paths.json, json.dumps(document, indent=2, allow_nan=False) + "\n")
    write_whole(paths.html, page)
    (folder / _FAILED).unlink(missing_ok=True)
    return paths


def _key_numbers(notebook: Any) -> dict[str, Any]:
    """Return the key numbers that a cell of the notebook has shown."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    (found,) = [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]
    return dict(found)
