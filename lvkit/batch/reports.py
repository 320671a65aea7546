"""Reports: the front door of batches, from wishes to a folder of reports."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lvkit.batch.grid import planned_runs
from lvkit.batch.planfile import PlanFile, read_plan
from lvkit.batch.results import Batch
from lvkit.batch.wishes import Wishes, chosen_source
from lvkit.batch.work import Manner, Work
from lvkit.checks import check_path, check_whole
from lvkit.errors import LvkitError
from lvkit.progress import ProgressChoice


def run_reports(
    data: str | os.PathLike[str] | None = None,
    *,
    output: str | os.PathLike[str],
    template: str | None = None,
    notebook: str | os.PathLike[str] | None = None,
    plan: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    runs: Iterable[Mapping[str, Any]] = (),
    n_jobs: int = 2,
    resume: bool = False,
    timeout: int | None = None,
    code: bool = False,
    dask: str | None = None,
    progress: ProgressChoice = False,
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
        A notebook that it names must be named here too.
    parameters : mapping, optional
        Values that all runs share; they come on top of the plan's.
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

    Returns
    -------
    Batch
        ``index.html``, ``manifest.json`` and a folder for each run in `output`. A run that failed
        has its error there, and its notebook as far as it got.

    Raises
    ------
    LvkitError
        With all that is wrong with the wishes, before anything runs; if the output cannot be
        written, at once or on the way: what is stored by then stays.
    KeyboardInterrupt
        After Ctrl-C, once kernels are stopped and index and manifest written.
    """
    told = read_plan(plan) if plan is not None else PlanFile()
    source = chosen_source(template, notebook, told)
    fixed = dict(parameters or {})
    if data is not None:
        if "data" in fixed:
            raise LvkitError("given twice", where="parameter 'data'")
        fixed["data"] = check_path(data)
    wishes = Wishes.gathered(source, told, fixed, grid or {}, runs)
    planned = planned_runs(source, wishes.fixed, wishes.grid, wishes.runs)
    manner = Manner(
        check_whole(n_jobs, "n_jobs"),
        None if timeout is None else check_whole(timeout, "timeout"),
        code,
        dask,
    )
    work = Work(source, planned, Path(os.path.abspath(output)), manner)
    return work.done(resume=resume, progress=progress)
