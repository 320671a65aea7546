"""Hold-out tests: models are held out, predicted from the rest, and compared with their scores.

See :mod:`lvkit.prediction.folds` for what is held out. Everything a prediction rests on, the
calibration included, is learned from a fold's training models alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lvkit.data.panel import Panel, benchmark_labels
from lvkit.errors import LvkitError
from lvkit.estimation.estimate import fit_model, prepared_for
from lvkit.fit.latent_skill_model import LatentSkillModel
from lvkit.prediction.calibration import calibrate, records
from lvkit.prediction.folds import Fold, folds
from lvkit.prediction.predict import INTERVALS, Prediction, predict
from lvkit.tools.checks import check_choice, check_level, check_whole, check_workers
from lvkit.tools.parallel import run
from lvkit.tools.progress import ProgressChoice, progress_bar

_CALIBRATION_KEEP = (1, 2)
"""How many models families keep in the hold-outs inside a training fold."""

_UNTESTED = ("lineage", "family", "model", "benchmark", "y")


@dataclass(frozen=True, eq=False)
class _Settings:
    """What is the same for all folds."""

    panel: Panel
    model: LatentSkillModel
    levels: tuple[float, ...]
    intervals: str
    draws: int
    seed: int


@dataclass(frozen=True, eq=False)
class Backtest:
    """Held-out scores beside their predictions.

    Attributes
    ----------
    table : DataFrame
        A row for each held-out score: ``family``, ``model``, ``benchmark``, ``y``, ``mean``,
        ``median``, ``lower`` and ``upper`` (of the first level; further levels as ``lower_0.8``
        and so on), ``z`` (normal score in the model's own predictive distribution), ``lineage``,
        ``distance``, ``complete`` (whether the model would be tested if only models with every
        benchmark measured took part, as in the published tests).
    levels : tuple of float
        Levels of the intervals.
    keep : int
        Models each tested family kept.
    intervals : str
        Kind of the intervals.
    unconverged : tuple of str
        Lineages whose fit did not converge: without its parameters' errors, their intervals are
        plug-in ones.
    failures : dict of str to str
        Lineages that could not be tested, and why.
    untested : DataFrame
        Held-out scores of the other lineages that are not in the table, as nothing can be said of
        them: their fold's training models have no score on the benchmark. Columns ``lineage``,
        ``family``, ``model``, ``benchmark``, ``y``.
    labels : dict of str to str
        What to call each benchmark in pictures and sentences; one that is not among them goes by
        its name.
    """

    table: pd.DataFrame
    levels: tuple[float, ...]
    keep: int
    intervals: str
    unconverged: tuple[str, ...]
    failures: dict[str, str] = field(default_factory=dict)
    untested: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(_UNTESTED)))
    labels: dict[str, str] = field(default_factory=dict)

    def summary(self, by: str | None = None, *, complete: bool = False) -> pd.DataFrame:
        """Return how well the predictions did.

        Parameters
        ----------
        by : {None, "family", "benchmark"}
            Over all, or a row for each family or benchmark.
        complete : bool
            Only the scores that the published tests look at.

        Returns
        -------
        DataFrame
            ``mae``: mean absolute error of the median in points of 100, averaged over families and
            then over benchmarks; ``scores``: how many; and for each level ``coverage``, ``width``
            and ``interval_score`` (width plus 2 / (1 - level) times the miss), over all scores.
        """
        by = None if by is None else check_choice(by, ("family", "benchmark"), "by")
        table = self.table[self.table["complete"]] if complete else self.table
        if table.empty:
            raise LvkitError(
                "no model that was tested is complete, or its family has too few such models",
                where="summary",
                remedy="Leave out complete=True.",
            )
        if by is None:
            return pd.DataFrame([self._measures(table)], index=pd.Index(["all"], name="scores of"))
        groups = table.groupby(by, sort=True)
        rows = {name: self._measures(group) for name, group in groups}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)

    def _measures(self, table: pd.DataFrame) -> dict[str, float]:
        error = (table["median"] - table["y"]).abs() * 100.0
        by_family = error.groupby([table["benchmark"], table["family"]]).mean()
        out = {"mae": by_family.groupby("benchmark").mean().mean(), "scores": len(table)}
        for level in self.levels:
            lower, upper = (table[name].to_numpy() for name in self._columns(level))
            y = table["y"].to_numpy()
            miss = np.maximum(lower - y, 0.0) + np.maximum(y - upper, 0.0)
            suffix = "" if level == self.levels[0] else f"_{level:g}"
            out[f"coverage{suffix}"] = float(np.mean(miss == 0.0))
            out[f"width{suffix}"] = float(np.mean(upper - lower))
            score = upper - lower + 2.0 / (1.0 - level) * miss
            out[f"interval_score{suffix}"] = float(np.mean(score))
        return out

    def _columns(self, level: float) -> tuple[str, str]:
        suffix = "" if level == self.levels[0] else f"_{level:g}"
        return f"lower{suffix}", f"upper{suffix}"

    def _repr_html_(self) -> str:
        return str(self.summary().to_html(float_format="{:.3f}".format))


def backtest(
    panel: Panel,
    model: LatentSkillModel,
    *,
    keep: int = 1,
    level: float | Sequence[float] = 0.95,
    intervals: str | None = None,
    draws: int = 2_000,
    seed: int = 0,
    n_jobs: int | None = 1,
    progress: ProgressChoice = False,
) -> Backtest:
    """Hold out each lineage's larger models, fit without them, and compare.

    Parameters
    ----------
    panel : Panel
        The data; ``panel.complete()`` for complete models only.
    model : LatentSkillModel
        Settings.
    keep : int
        How many models each tested family keeps: its smallest, ties by name; 0 tests whole
        families as unknown recipes.
    level : float or sequence of float
        Level of the intervals, one or several.
    intervals : {"model", "plugin", "calibrated"}, optional
        Kind of the intervals, ``"model"`` if left out. Calibrated ones are learned inside each
        fold's training models, by further hold-outs: many more fits.
    draws : int
        Draws behind each prediction.
    seed : int
        Seed.
    n_jobs : int, optional
        Workers over folds, by joblib under the backend of your choice. The numbers do not depend
        on it.
    progress : bool or tqdm class
        Show a bar over the folds.

    Returns
    -------
    Backtest

    Raises
    ------
    LvkitError
        If there is nothing to test, and for settings that are none.
    """
    keep, draws = check_whole(keep, "keep", 0), check_whole(draws, "draws")
    seed, n_jobs = check_whole(seed, "seed", 0), check_workers(n_jobs)
    given = level if isinstance(level, Sequence) else [level]
    levels = tuple(dict.fromkeys(check_level(value) for value in given))
    if not levels:
        raise LvkitError("got no level", where="level", expected="at least one level")
    kind = "model" if intervals is None else check_choice(intervals, INTERVALS, "intervals")
    tasks = folds(panel, prepared_for(model, panel).models, keep)
    if not tasks:
        raise LvkitError(
            f"no lineage has a family of more than {keep} models, or there is one lineage only",
            where="keep",
            remedy="Use a smaller number.",
        )
    settings = _Settings(panel, model, levels, kind, draws, seed)
    tables: list[pd.DataFrame] = []
    unconverged: list[str] = []
    failures: dict[str, str] = {}
    with (
        progress_bar(progress, total=len(tasks), label="Holding out") as bar,
        closing(run(_test, [(settings, fold) for fold in tasks], n_jobs)) as found,
    ):
        for fold, (table, state) in zip(tasks, found, strict=True):
            if table is None:
                failures[fold.lineage] = state
            else:
                tables.append(table)
                unconverged += [fold.lineage] if state else []
            bar.update()
    return _collected(settings, tasks, tables, tuple(unconverged), failures)


def _collected(
    settings: _Settings,
    tasks: list[Fold],
    tables: list[pd.DataFrame],
    unconverged: tuple[str, ...],
    failures: dict[str, str],
) -> Backtest:
    """Put the folds' tables together, and account for every held-out score."""
    panel, keep = settings.panel, tasks[0].keep
    some = [table for table in tables if len(table)]
    if not some:
        reason = next(iter(failures.values()), "no held-out score is on a benchmark they know")
        raise LvkitError(f"no fold could be fitted and tested ({reason})")
    table = pd.concat(some, ignore_index=True)
    usable = prepared_for(settings.model, panel).models
    table["complete"] = _as_published(panel, usable, table["model"], keep)
    tested = [name for fold in tasks if fold.lineage not in failures for name in fold.test]
    untested = _untested(panel, tested, table)
    intervals, levels = settings.intervals, settings.levels
    labels = benchmark_labels(panel)
    return Backtest(table, levels, keep, intervals, unconverged, failures, untested, labels)


def _untested(panel: Panel, tested: list[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the tested models' scores that are not in the table."""
    scores = _long(panel.scores.loc[tested])
    cells = ["model", "benchmark"]
    there = pd.MultiIndex.from_frame(scores[cells]).isin(pd.MultiIndex.from_frame(table[cells]))
    left = scores[~there].join(panel.models[["family", "lineage"]], on="model")
    return left[list(_UNTESTED)].reset_index(drop=True)


def _as_published(panel: Panel, usable: Sequence[str], tested: pd.Series, keep: int) -> pd.Series:
    """Whether a model would be tested if only complete models took part."""
    complete = panel.scores.loc[list(usable)].notna().all(axis=1)
    of_them = folds(panel, list(complete.index[complete]), keep)
    return tested.isin({name for fold in of_them for name in fold.test})


def _test(settings: _Settings, fold: Fold) -> tuple[pd.DataFrame | None, str]:
    """Return predictions beside scores, and what is wrong with the fit ("" if nothing is).

    Without a table where the fold could not be fitted.
    """
    try:
        return _tested(settings, fold)
    except LvkitError as error:
        return None, str(error)


def _tested(settings: _Settings, fold: Fold) -> tuple[pd.DataFrame, str]:
    """Fit without a fold's models, predict them, and put prediction beside score."""
    panel, seed = settings.panel, settings.seed
    fit = fit_model(settings.model, panel.select(models=list(fold.train)), seed=seed)
    kind = settings.intervals if fit.converged else "plugin"
    calibration = None
    if kind == "calibrated":
        calibration = calibrate(fit, keep=_CALIBRATION_KEEP if fold.keep else (0,), seed=seed)
    found = predict(
        fit,
        fold.question(panel),
        level=settings.levels[0],
        intervals=kind,
        new_family="population",
        draws=settings.draws,
        seed=seed,
        calibration=calibration,
    )
    table = records(fit, panel, fold, found.predictive, found.request)
    return _beside(panel, table, found, settings.levels), "" if fit.converged else fit.message


def _beside(
    panel: Panel, table: pd.DataFrame, found: Prediction, levels: tuple[float, ...]
) -> pd.DataFrame:
    """Put predictions beside the scores of a fold's records."""
    cells = ["model", "benchmark"]
    columns = found.table[[*cells, "mean", "median", "lower", "upper"]].copy()
    for level in levels[1:]:
        ends = [end.ravel() for end in found.interval(level)]
        columns[f"lower_{level:g}"], columns[f"upper_{level:g}"] = ends
    scores = _long(panel.scores)
    ordered = ["family", *cells, "lineage", "keep", "z", "own", "distance"]
    table = table[ordered].merge(scores, on=cells, how="left", validate="one_to_one")
    return table.merge(columns, on=cells, how="left", validate="one_to_one")


def _long(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores as rows of model, benchmark and y."""
    row, column = np.nonzero(scores.notna().to_numpy())
    values = scores.to_numpy(float)[row, column]
    names = {"model": scores.index[row], "benchmark": scores.columns[column], "y": values}
    return pd.DataFrame(names)


def own_coverage(test: Backtest, levels: Sequence[float]) -> pd.Series[float]:
    """Return how often the model's own central intervals hold a held-out score.

    Parameters
    ----------
    test : Backtest
        A hold-out test.
    levels : sequence of float
        Probabilities between 0 and 1.

    Returns
    -------
    Series
        Share of the scores inside, by level: those whose normal score in the predictive
        distribution is at most ``ndtri(0.5 + level / 2)`` in size.
    """
    from scipy.special import ndtri

    sizes = np.sort(test.table["z"].abs().to_numpy(float))
    limits = ndtri(0.5 + 0.5 * np.asarray(levels, dtype=float))
    shares = np.searchsorted(sizes, limits, side="right") / len(sizes)
    return pd.Series(shares, index=pd.Index(levels, name="level"), name="coverage")


def interval_coverage(test: Backtest) -> pd.Series[float]:
    """Return how often the tested intervals hold a held-out score, by level, lowest first."""
    measures = test.summary().iloc[0]
    columns = [
        "coverage" if at == 0 else f"coverage_{level:g}" for at, level in enumerate(test.levels)
    ]
    levels = pd.Index(test.levels, name="level")
    return pd.Series(measures[columns].to_numpy(float), levels, name="coverage").sort_index()


def errors_by_family(test: Backtest) -> pd.DataFrame:
    """Return the medians' mean absolute error for each family and benchmark, in points.

    Returns
    -------
    DataFrame
        Families x benchmarks, hundredths of the score; NaN where nothing was held out. Benchmarks
        are sorted by their mean over families, the best predicted first. The mean of those means is
        the ``mae`` of ``test.summary()``.
    """
    table = test.table
    error = (table["median"] - table["y"]).abs() * 100.0
    errors = error.groupby([table["family"], table["benchmark"]]).mean().unstack("benchmark")
    return errors[errors.mean().sort_values(kind="stable").index]
