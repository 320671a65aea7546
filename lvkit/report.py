"""Reports: the main job, from a file to a page that anybody can open.

A report is a notebook run by papermill on the user's data and settings, and then shown without its
code. Three files come of it: the page, the notebook (to look into, or to go on from) and the key
numbers for a program. They appear when all of them are ready; if a cell fails, none does, and the
notebook as far as it got is kept beside for those who want to see why.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lvkit.batch.content import data_digests
from lvkit.batch.job import FAILED, REPORT, Failure, Job, Outcome, require_jupyter, run_job
from lvkit.batch.preflight import completed_settings
from lvkit.batch.source import open_template
from lvkit.checks import check_path, check_whole
from lvkit.data.read import open_panel
from lvkit.errors import LvkitError, LvkitWarning
from lvkit.files import make_folder, write_together, write_whole
from lvkit.formula import DEFAULT_FEATURES
from lvkit.outputs import check_output
from lvkit.progress import ProgressChoice, progress_bar
from lvkit.seals import is_sealed, sealed
from lvkit.workfolder import work_folder

_FAILED = f"report-{FAILED}"


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
    timeout: int | None = None,
    code: bool = False,
    progress: ProgressChoice = False,
) -> ReportPaths:
    """Fit a table of scores and write a report on it.

    Parameters
    ----------
    data : path-like, optional
        A table for :func:`lvkit.read_panel`; None for the embedded leaderboard.
    output : path-like
        Folder for the report, made if it is not there; an older report in it is replaced, unless
        somebody has edited it.
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
    timeout : int, optional
        Seconds that a cell of the notebook may take; None for as long as it likes.
    code : bool
        Show the code on the page.
    progress : bool or tqdm class
        Show a bar over the notebook's cells.

    Returns
    -------
    ReportPaths
        ``report.html``, ``report.ipynb`` and ``report.json`` in `output`.

    Raises
    ------
    LvkitError
        If the data or the settings are faulty, or the folder holds files of these names that are
        not a report as lvkit wrote it, before anything runs; if a cell of the notebook
        fails, with its section and its error, and the notebook is kept as ``report-failed.ipynb``.
    """
    path = check_path(data)
    settings: dict[str, Any] = {
        "data": _absolute(path),
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
        "seed": check_whole(seed, "seed", 0),
        "n_jobs": check_whole(n_jobs, "n_jobs"),
    }
    data_read = data_digests([settings])
    opening = ("family", "benchmarks", "drop_invalid", "complete")
    panel = open_panel(settings["data"], **{name: settings[name] for name in opening})
    settings |= completed_settings(settings, panel, n_skills, max_skills)
    if timeout is not None:
        check_whole(timeout, "timeout")
    require_jupyter()
    folder = make_folder(output)
    _check_folder(folder, [settings[name] for name in ("data", "family", "benchmarks")])
    source = open_template("report")
    title = f"{source.title}: {Path(path).name if path else 'Open LLM Leaderboard'}"
    with (
        _working_in(folder) as place,
        progress_bar(progress, total=source.n_cells, label="Report") as bar,
    ):
        job = Job("report", title, source.text, settings, code, timeout, "", data_read, str(place))
        outcome = run_job(job, on_cell=bar.update)
        return _written(outcome, folder, place)


@contextmanager
def _working_in(folder: Path) -> Generator[Path, None, None]:
    """Have a working folder in a report's folder, or say why there is none."""
    with ExitStack() as stack:
        try:
            place = stack.enter_context(work_folder(folder))
        except OSError as error:
            raise LvkitError(
                f"cannot write to the folder ({error.strerror or error})",
                where=f"'{folder}'",
                remedy="Choose a place you may write to, with room on its disk.",
            ) from error
        yield place


def _check_folder(folder: Path, inputs: list[Any]) -> None:
    """Refuse to replace what is not a report, or one that somebody has edited."""
    kind = "an unedited lvkit report"
    for name in (*REPORT, _FAILED):
        check_output(folder / name, kind=kind, ours=is_sealed, inputs=inputs, argument="output")


def _is_edited(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0 and not is_sealed(file)


def _unedited(folder: Path, names: Iterable[str]) -> Path:
    """Return a report's folder; a new one in it if somebody edited a file while the report ran."""
    if not any(_is_edited(folder / name) for name in names):
        return folder
    numbered = (folder / f"report-{number}" for number in itertools.count(2))
    other = make_folder(next(place for place in numbered if not os.path.lexists(place)))
    warnings.warn(
        f"the report in '{folder}' was edited while a new one was made, which is in '{other}'",
        LvkitWarning,
        stacklevel=4,
    )
    return other


def _absolute(path: str | os.PathLike[str]) -> str:
    """Return a path in full, for a notebook that works elsewhere; what is no file stays as is."""
    text = os.fspath(path)
    return os.path.abspath(text) if text and os.path.exists(text) else text


def _written(outcome: Outcome, folder: Path, place: Path) -> ReportPaths:
    """Write a report's files and return where they are; if it failed, keep the notebook."""
    if outcome.failure is not None:
        raise _told(outcome.failure, outcome.files.get(FAILED), folder)
    page, notebook, numbers = REPORT
    files = {name: sealed(name, outcome.files[name]) for name in (notebook, numbers, page)}
    folder = _unedited(folder, REPORT)
    write_together(folder, files, place)  # the page last: where it is, all are
    if not _is_edited(folder / _FAILED):
        (folder / _FAILED).unlink(missing_ok=True)
    return ReportPaths(html=folder / page, notebook=folder / notebook, json=folder / numbers)


def _told(failure: Failure, notebook: bytes | None, folder: Path) -> LvkitError:
    """Return what went wrong in plain words, and keep the notebook as far as it got."""
    remedy = ""
    if notebook is not None:
        folder = _unedited(folder, [_FAILED])
        kept = write_whole(folder / _FAILED, sealed(_FAILED, notebook))
        remedy = f"The notebook as far as it got: '{kept}'."
    section = f", section '{failure.section}'" if failure.section else ""
    return LvkitError(str(failure), where=f"report{section}", remedy=remedy)
