"""Facts about predictions: the numbers that their pictures and sentences share.

What :mod:`lvkit.facts` is for panels and fits, this is for predictions and hold-out tests: which
rows a picture shows and what was measured there, how often intervals of any level hold, and how
far predictions are from scores, family by family.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import without_rounding
from lvkit.data.panel import Panel
from lvkit.errors import LvkitError, count
from lvkit.facts import checked_names

if TYPE_CHECKING:
    from lvkit.holdout import Backtest
    from lvkit.predict import Prediction


KINDS = {"plugin": "plug-in", "model": "the model's own", "calibrated": "calibrated"}
"""What to call each kind of intervals."""

MOST_MODELS = 6
"""How many models a picture of predictions shows."""


def predicted(
    prediction: Prediction,
    models: Sequence[str] | None = None,
    observed: Panel | pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of a prediction that a picture shows, with what was measured.

    Parameters
    ----------
    prediction : Prediction
        What was predicted.
    models : sequence of str, optional
        Up to six of its models. None: the first six.
    observed : Panel or DataFrame, optional
        Measured scores, from 0 to 1: a column for each benchmark, and the models as the index or
        as a column ``model``. None: the scores that were given to the prediction.

    Returns
    -------
    DataFrame
        Rows of ``prediction.table`` in the order of `models`, with ``observed`` (NaN where there is
        none) and ``inside`` (whether the observed score is within the interval).

    Raises
    ------
    LvkitError
        For more than six models, the same one twice, a model that was not predicted, observed
        models of one name, and scores that are none.
    """
    held = list(dict.fromkeys(prediction.table["model"]))
    names = held[:MOST_MODELS] if models is None else checked_names(models, held, what="model")
    if not 0 < len(names) <= MOST_MODELS or len(set(names)) < len(names):
        raise LvkitError(
            f"got {count(len(names), 'model')}, {len(set(names))} of them different",
            where="argument 'models'",
            expected=f"one to {MOST_MODELS} different models",
        )
    table = prediction.table[prediction.table["model"].isin(names)].copy()
    table = table.sort_values("model", kind="stable", key=lambda column: column.map(names.index))
    table["observed"] = table["known_score"] if observed is None else _measured(observed, table)
    table["inside"] = table["observed"].between(table["lower"], table["upper"])
    return table.reset_index(drop=True)


def _measured(observed: Panel | pd.DataFrame, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the observed score of each row, NaN where there is none."""
    scores = observed.scores if isinstance(observed, Panel) else observed
    if "model" in scores.columns:
        scores = scores.set_index("model")
    scores = scores.set_axis([str(name) for name in scores.index])
    doubles = scores.index[scores.index.duplicated()]
    if len(doubles):
        raise LvkitError(
            f"got '{doubles[0]}' twice", where="observed", expected="one row for each model"
        )
    models, benchmarks = pd.unique(table["model"]), pd.unique(table["benchmark"])
    given = scores.reindex(index=models, columns=benchmarks)
    cells = given.apply(pd.to_numeric, errors="coerce").astype(float)
    cells[:] = without_rounding(cells.to_numpy())
    wrong = given.notna() & ~((cells >= 0.0) & (cells <= 1.0))
    for model, benchmark in wrong.stack().loc[lambda flags: flags].index:
        raise LvkitError(
            f"got {given[benchmark][model]!r}",
            where=f"observed, model '{model}', benchmark '{benchmark}'",
            expected="a score from 0 to 1, or nothing",
        )
    rows = cells.index.get_indexer(pd.Index(table["model"]))
    columns = cells.columns.get_indexer(pd.Index(table["benchmark"]))
    return np.asarray(cells.to_numpy()[rows, columns])


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
