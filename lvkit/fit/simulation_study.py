"""Simulation studies: panels drawn from known parameters are fitted, and errors compared.

The theory of the model says that estimates come closer to the truth as families are added, with an
error like one over the square root of their number, and that they are then normally distributed
around it, as widely as the standard errors say (arXiv 2512.06553, theorems 1 and 2). A simulation
study looks whether they do, for the parameters and the numbers of families one cares about.

A study takes long. It runs on several workers, with numbers that do not depend on how many, and
keeps what is done in a file, so that it can be interrupted and taken up again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, LvkitWarning
from lvkit.fit.simulation_task import Plan, Record, StudyFile, Task, make_plan
from lvkit.model.formula import DEFAULT_FEATURES
from lvkit.model.parameters import Parameters
from lvkit.tools.checks import check_whole, check_workers
from lvkit.tools.parallel import run
from lvkit.tools.progress import ProgressChoice, progress_bar

_SAVE_EVERY = 5
"""Tasks after which the file is written again."""

_KEYS = ["families", "replication"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Study:
    """What a simulation study found; made by :func:`simulation_study`.

    Attributes
    ----------
    params : Parameters
        The truth.
    estimates : DataFrame
        A row for each panel and parameter: ``families``, ``replication``, ``parameter``,
        ``truth``, ``estimate``, ``std_error``, ``lower``, ``upper`` and ``converged``. A fit that
        did not converge has estimates without errors; one that was refused has neither.
    failures : DataFrame
        The fits that did not converge or were refused: ``families``, ``replication``, ``reason``.
    level : float
        Level of the confidence intervals.
    """

    params: Parameters
    estimates: pd.DataFrame = field(repr=False)
    failures: pd.DataFrame = field(repr=False)
    level: float

    @property
    def table(self) -> pd.DataFrame:
        """Each parameter at each number of families.

        Index ``families`` and ``parameter``; columns ``truth``, ``mean`` and ``bias`` of the
        estimates, ``rmse`` (root mean squared error), ``median_error`` (median absolute error),
        ``fits`` (that converged) and ``intervals`` (how many of these determine it). Of the latter
        alone: ``spread`` (standard deviation of the estimates), ``std_error`` (their mean standard
        error), ``ratio`` (of that to the spread) and ``coverage`` (share of the intervals that hold
        the truth).
        """
        rows = self.estimates[self.estimates["converged"]]
        error = rows["estimate"] - rows["truth"]
        known = rows["std_error"].notna()
        inside = (rows["lower"] <= rows["truth"]) & (rows["truth"] <= rows["upper"])
        rows = rows.assign(
            error=error, squared=error**2, absolute=error.abs(),
            inside=inside.astype(float).where(known), known=known,
            determined=rows["estimate"].where(known),
        )  # fmt: skip
        found = rows.groupby(["families", "parameter"], sort=False).agg(
            truth=("truth", "first"), mean=("estimate", "mean"), bias=("error", "mean"),
            rmse=("squared", "mean"), median_error=("absolute", "median"),
            spread=("determined", "std"), std_error=("std_error", "mean"),
            coverage=("inside", "mean"), fits=("known", "size"), intervals=("known", "sum"),
        )  # fmt: skip
        found["rmse"] **= 0.5
        found.insert(7, "ratio", found["std_error"] / found["spread"])
        return found

    def summary(self) -> pd.DataFrame:
        """Return one row for each number of families.

        Returns
        -------
        DataFrame
            Index ``families``; columns ``replications``, ``converged`` (their share),
            ``median_error`` (median absolute error over parameters and replications), ``ratio`` (of
            mean standard error to spread) and ``coverage``, both averaged over parameters,
            ``lowest_coverage`` of a parameter, and ``determined`` (share of estimates that have a
            standard error).
        """
        runs = self.estimates.drop_duplicates(_KEYS).groupby("families")["converged"]
        good = self.estimates[self.estimates["converged"]]
        error = (good["estimate"] - good["truth"]).abs().groupby(good["families"])
        of_parameters = self.table.groupby("families")
        return pd.DataFrame(
            {
                "replications": runs.size(),
                "converged": runs.mean(),
                "median_error": error.median(),
                "ratio": of_parameters["ratio"].mean(),
                "coverage": of_parameters["coverage"].mean(),
                "lowest_coverage": of_parameters["coverage"].min(),
                "determined": good["std_error"].notna().groupby(good["families"]).mean(),
            }
        )

    def rate(self) -> float:
        """Return the slope of the log median absolute error on the log number of families.

        Theory says -1/2.

        Raises
        ------
        LvkitError
            If there is only one number of families with fits that converged.
        """
        error = self.summary()["median_error"].dropna()
        if len(error) < 2:
            raise LvkitError(
                f"got {len(error)} number of families with fits",
                where="rate",
                expected="at least two",
                remedy="Run the study with families=(50, 100, 200, 400).",
            )
        return float(np.polyfit(np.log(error.index), np.log(error), 1)[0])

    def _repr_html_(self) -> str:
        return str(self.summary().to_html(float_format="{:.3f}".format))


def simulation_study(
    params: Parameters,
    *,
    families: Iterable[int] = (50, 100, 200, 400),
    models_per_family: int = 3,
    replications: int | Mapping[int, int] = 200,
    features: str = DEFAULT_FEATURES,
    family_slopes: str = "log_params",
    level: float = 0.95,
    seed: int = 0,
    n_jobs: int | None = 1,
    progress: ProgressChoice = False,
    resume: str | PathLike[str] | None = None,
) -> Study:
    """Draw panels from given parameters, fit them, and compare estimates and truth.

    Parameters
    ----------
    params : Parameters
        The truth, in its anchored form: each skill has a benchmark that loads on it alone.
        Parameters of a fit have it (``fit.params``).
    families : iterable of int
        Numbers of families.
    models_per_family : int
        Models in each family.
    replications : int or mapping of int to int
        Panels for each number of families; one number for all, or one for each.
    features : str
        Formula of the features; ``params.slopes`` has a column for each.
    family_slopes : str
        The feature whose slopes differ between families, if ``params.slope_sd`` says that one does.
    level : float
        Level of the confidence intervals.
    seed : int
        Seed of the panels; each has its own, which follows from this one, its number of families
        and its number.
    n_jobs : int, optional
        Workers, by joblib under the backend of your choice (``joblib.parallel_config``). The
        numbers do not depend on it.
    progress : bool or tqdm class
        Show a bar over the panels.
    resume : path-like, optional
        A file that keeps what is done. If it exists, only the rest is computed: call again with
        the same file after an interruption, or with more replications or families.

    Returns
    -------
    Study

    Raises
    ------
    LvkitError
        For parameters that are not anchored or do not fit the features, for too few families, and
        for a file of another study.

    Notes
    -----
    Every panel has models of its own (:func:`lvkit.simulate_models`) and no gaps. Features are
    centred on the panel's models both when it is drawn and when it is fitted, so that intercepts
    mean the same. A fit begins where any fit begins, not at the truth. Fits that do not converge
    are counted in the tables and do not enter the errors.

    Examples
    --------
    >>> import lvkit as lv
    >>> truth = lv.Parameters(
    ...     loadings=np.array([[1.0], [0.8], [0.6]]), intercepts=np.zeros(3),
    ...     precisions=np.full(3, 80.0), floors=np.zeros(3),
    ...     slopes=np.array([[1.5]]), correlation=np.eye(1),
    ... )
    >>> study = simulation_study(
    ...     truth, families=(15, 60), replications=8, features="log_params", seed=1
    ... )
    >>> study.summary()["converged"].tolist(), study.rate() < -0.2
    ([1.0, 1.0], True)
    """
    plan = make_plan(params, features, family_slopes, models_per_family, level, seed)
    tasks, n_jobs = _tasks(families, replications), check_workers(n_jobs)
    free = plan.free(tasks[0][0])
    names, truth = pd.Index(free.names, name="parameter"), free.values(params)
    file = StudyFile.open(resume, plan.settings)
    waiting = [task for task in tasks if task not in file.records]
    with (
        progress_bar(progress, total=len(tasks), label="Simulation study") as bar,
        warnings.catch_warnings(),  # of parameters that one panel or other does not determine
        closing(run(plan.replicate, waiting, n_jobs)) as found,
    ):
        warnings.simplefilter("ignore", LvkitWarning)
        bar.update(len(tasks) - len(waiting))
        try:
            for number, (task, record) in enumerate(zip(waiting, found, strict=True), start=1):
                file.records[task] = record
                if number % _SAVE_EVERY == 0:
                    file.save()
                bar.update()
                bar.set_postfix_str(f"{task[0]} families")
        finally:
            file.save()
    return _study(plan, names, truth, {task: file.records[task] for task in tasks})


def _tasks(families: Iterable[int], replications: int | Mapping[int, int]) -> list[Task]:
    """Return (families, replication) pairs: one panel of each size, then the next of each."""
    sizes = sorted({check_whole(number, "families", 2) for number in families})
    if not sizes:
        raise LvkitError("got none", where="families", expected="numbers of families")
    given = (
        replications if isinstance(replications, Mapping) else dict.fromkeys(sizes, replications)
    )
    if set(given) != set(sizes):
        raise LvkitError(
            f"got {sorted(given)}",
            where="replications",
            expected=f"a number, or one for each of the {sizes} families",
        )
    counts = {size: check_whole(given[size], "replications", 2) for size in sizes}
    return [(n, r) for r in range(max(counts.values())) for n in sizes if r < counts[n]]


def _study(plan: Plan, names: pd.Index, truth: Array, records: dict[Task, Record]) -> Study:
    """Put the records in two tables, by number of families and of replication."""
    columns = ["estimate", "std_error", "ci_lower", "ci_upper"]
    pieces, failures = [], []
    for (families, replication), record in sorted(records.items()):
        piece = record.table.reindex(index=names, columns=columns).reset_index()
        piece.insert(0, "truth", truth)
        piece["converged"] = record.converged
        pieces.append(piece.assign(families=families, replication=replication))
        if not record.converged:
            failures.append((families, replication, record.reason))
    estimates = pd.concat(pieces, ignore_index=True)
    estimates = estimates.rename(columns={"ci_lower": "lower", "ci_upper": "upper"})
    first = [*_KEYS, "parameter", "truth", "estimate", "std_error", "lower", "upper", "converged"]
    return Study(
        plan.params,
        estimates[first],
        pd.DataFrame(failures, columns=[*_KEYS, "reason"]),
        plan.level,
    )
