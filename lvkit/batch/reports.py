"""Reports from settings to pages: one report, or a batch.

A single report goes the way of a batch of one; only its folder differs: the three files lie in it
directly, an older report there is replaced, and a failure is an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lvkit.batch.all_runs import Runner
from lvkit.batch.grid import planned_runs
from lvkit.batch.index import Batch
from lvkit.batch.notebook import open_template
from lvkit.batch.one_run import Executor, Run
from lvkit.batch.report_folder import KEPT, ReportFolder
from lvkit.batch.spec import Spec, open_spec
from lvkit.batch.store import REPORT, Store
from lvkit.errors import LvkitError
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.tools.checks import check_path, check_whole, is_number
from lvkit.tools.progress import ProgressChoice


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
    execute: Executor | None = None,
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
        fewer where the table does not support as many.
    max_skills : int, optional
        Largest number of skills to compare, at least `n_skills`; no more are tried than the table
        supports. None: 6, or `n_skills` if that is more.
    seed : int
        Seed of all that is random.
    family : str or mapping, optional
        Which family a model belongs to: ``"from_name"``, a column, a CSV file with the columns
        model and family, or a mapping. None for the column ``family``.
    benchmarks : path-like or mapping, optional
        Benchmarks lvkit does not know: a CSV file with the columns benchmark and chance, or a
        mapping from one to the other.
    drop_invalid : bool
        Drop rows with invalid cells, with a warning that lists them.
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
        Seconds that a cell of the notebook may take; None for no limit.
    code : bool
        Show the code on the page.
    progress : bool or tqdm class
        Show a bar over the notebook's cells.
    execute : callable, optional
        What executes the notebook, as :class:`lvkit.batch.one_run.Executor`; None for a Jupyter
        kernel.

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
    source = open_template("report")
    path = check_path(data)
    counts = {"n_skills": n_skills, "max_skills": max_skills}
    usual = {parameter.name: parameter.default for parameter in source.parameters}
    settings: dict[str, Any] = {
        "data": _absolute(path),
        "family": _absolute(family),
        "benchmarks": _absolute(benchmarks),
        "drop_invalid": bool(drop_invalid),
        "complete": bool(complete),
        "features": features,
        "family_slopes": family_slopes or "",
        "floor": floor,
        "clip": float(clip) if is_number(clip) else clip,
        "anchors": dict(anchors or {}),
        "seed": check_whole(seed, "seed", 0),
        "n_jobs": check_whole(n_jobs, "n_jobs"),
    } | {
        name: usual[name] if number is None else check_whole(number, name)
        for name, number in counts.items()
    }
    free = {name for name, number in counts.items() if number is None}
    title = f"{source.title}: {Path(path).name if path else 'Open LLM Leaderboard'}"
    planned = Run("report", title, settings, frozenset(settings.keys() - free))
    inputs = [settings[name] for name in ("data", "family", "benchmarks")]
    (run,) = Runner(
        source,
        [planned],
        ReportFolder(Path(output), inputs),
        timeout=_checked_timeout(timeout),
        code=code,
        execute=execute,
    ).done(progress=progress).runs  # fmt: skip
    if run.failure is not None:
        section = f", section '{run.failure.section}'" if run.failure.section else ""
        remedy = f"The notebook as far as it got: '{run.folder / KEPT}'."
        raise LvkitError(str(run.failure), where=f"report{section}", remedy=remedy)
    return ReportPaths(*(run.folder / name for name in REPORT))


def run_reports(
    data: str | os.PathLike[str] | None = None,
    *,
    output: str | os.PathLike[str],
    template: str | None = None,
    notebook: str | os.PathLike[str] | None = None,
    plan: str | os.PathLike[str] | Spec | None = None,
    parameters: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    runs: Iterable[Mapping[str, Any]] = (),
    n_jobs: int = 2,
    resume: bool = False,
    timeout: int | None = None,
    code: bool = False,
    dask: str | None = None,
    progress: ProgressChoice = False,
    execute: Executor | None = None,
) -> Batch:
    """Write many reports: one notebook, run for each of many values.

    Parameters
    ----------
    data : path-like, optional
        The parameter `data` of all runs: a table of scores.
    output : path-like
        Folder for the batch, made if it is not there. A run that is there already is replaced.
    template : str, optional
        One of lvkit's reports: ``"report"`` (the default), ``"family"`` or ``"leaderboard"``.
    notebook : path-like, optional
        A notebook of your own instead, with a cell tagged ``parameters``.
    plan : path-like, optional
        A plan file, TOML or YAML, with the keys template or notebook, parameters, grid and runs.
        A notebook that it names must be named here too. Or what
        :func:`lvkit.batch.spec.open_spec` has made of all three.
    parameters : mapping, optional
        Values that all runs share; they override the plan's.
    grid : mapping, optional
        Lists of values by parameter; every combination is a run.
    runs : iterable of mapping
        Runs one by one; the grid is run for each of them.
    n_jobs : int
        Kernels at once.
    resume : bool
        Keep runs that are done, undamaged, and made from what is there now.
    timeout : int, optional
        Seconds that a cell may take; a run with a cell that takes longer fails.
    code : bool
        Show the code on the pages.
    dask : str, optional
        Address of a Dask scheduler, to run the notebooks on its workers; they must see the files
        that parameters name under the same paths. Fits are not shared then, unless the parameter
        `cache` names a folder for it.
    progress : bool or tqdm class
        Show a bar over the runs.
    execute : callable, optional
        What executes the notebook, as :class:`lvkit.batch.one_run.Executor`; None for a Jupyter
        kernel.

    Returns
    -------
    Batch
        ``index.html``, ``manifest.json`` and a folder for each run in `output`. A run that failed
        has its error there, and its notebook as far as it got.

    Raises
    ------
    LvkitError
        With all problems of the specification, before anything runs; if the output cannot be
        written, at once or on the way: what is stored by then stays.
    KeyboardInterrupt
        After Ctrl-C, once kernels are stopped and index and manifest written.
    """
    fixed = dict(parameters or {})
    if data is not None:
        if "data" in fixed:
            raise LvkitError("given twice", where="parameter 'data'")
        fixed["data"] = check_path(data)
    spec = plan if isinstance(plan, Spec) else open_spec(template, notebook, plan)
    spec = spec.plus(fixed, grid, runs)
    runner = Runner(
        spec.source,
        planned_runs(spec),
        Store(Path(os.path.abspath(output))),
        n_jobs=check_whole(n_jobs, "n_jobs"),
        timeout=_checked_timeout(timeout),
        code=code,
        dask=dask,
        execute=execute,
    )
    return runner.done(resume=resume, progress=progress)


def _checked_timeout(timeout: int | None) -> int | None:
    return None if timeout is None else check_whole(timeout, "timeout")


def _absolute(value: Any) -> Any:
    """Return a path in full, for a notebook that works elsewhere; what is no file stays as is."""
    if value is not None and not isinstance(value, str | os.PathLike):
        return dict(value)  # a mapping, or pairs
    text = os.fspath(value or "")
    return os.path.abspath(text) if text and os.path.exists(text) else text
