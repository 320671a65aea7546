"""Figures of predictions: intervals beside scores, and their coverage in hold-out tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lvkit.data.panel import Panel
from lvkit.errors import count
from lvkit.fit.backtest import Backtest, errors_by_family, interval_coverage, own_coverage
from lvkit.plots import drawing as draw
from lvkit.plots.phrases import listed
from lvkit.prediction.predict import KINDS, Prediction, predicted

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_COLUMNS = 3

_BLANK = " "
"""A label that takes its room and is written later."""


def plot_prediction(
    prediction: Prediction,
    models: Sequence[str] | None = None,
    *,
    observed: Panel | pd.DataFrame | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted scores with their intervals, a small square for each model.

    Read off it how sure a prediction is, benchmark by benchmark, and whether the scores that were
    measured afterwards lie inside: an interval is a line, its median a dot, a measured score a
    diamond. Above each square stands how many of the measured scores are inside. (Figure 4 of
    arXiv:2512.06553.)

    Parameters
    ----------
    prediction : Prediction
        What ``fit.predict()`` returned.
    models : sequence of str, optional
        Up to six of its models; None takes the first six.
    observed : Panel or DataFrame, optional
        Measured scores, a row for each model (the index, or a column ``model``) and a column for
        each benchmark. None shows the scores that were given to the prediction.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of the models.

    Raises
    ------
    LvkitError
        For a model that was not predicted, and for more than six.
    """
    rows = predicted(prediction, models, observed)
    labels = prediction.labels
    groups = list(rows.groupby("model", sort=False))
    benchmarks = draw.shown_apart((labels[name] for name in pd.unique(rows["benchmark"])), 20)
    columns = min(_COLUMNS, len(groups))
    down, margin = -(-len(groups) // columns), 0.3 + 0.065 * max(map(len, benchmarks))
    width, tall = margin + 2.1 * columns, 0.5 + 0.2 * len(benchmarks)
    label = f"score ({prediction.level:.0%} intervals: {KINDS[prediction.intervals]})"
    ax = draw.canvas(ax, width=width, height=0.7 + tall * down, xlabel=label, ylabel="benchmark")
    squares: list[Axes] = []
    start, high = margin / width, (tall - 0.4) / tall / down
    titles = draw.shown_apart(name for name, _ in groups)
    for number, (_, table) in enumerate(groups):
        row, column = divmod(number, columns)
        left = start + column * (1 - start) / columns
        place = (left, 1 - (row + 1) / down, 0.9 * (1 - start) / columns, high)
        square = ax.inset_axes(place)
        squares.append(square)
        _intervals(square, table)
        square.set_title(_title(titles[number], table), fontsize=8, pad=3)
        square.set_yticks(range(len(table)), [] if column else benchmarks, fontsize=8)
        below = number + columns < len(groups)
        square.set_xticks([0, 0.5, 1], [] if below else ["0", "0.5", "1"], fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.xaxis.labelpad = 18
    legend = squares[0].get_legend_handles_labels()
    ax.legend(*legend, ncols=3, frameon=False, fontsize=8, loc="lower right",
              bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    draw.tidy(ax, spines=False)
    return ax


def describe_prediction(
    prediction: Prediction,
    models: Sequence[str] | None = None,
    *,
    observed: Panel | pd.DataFrame | None = None,
) -> str:
    """Say what :func:`plot_prediction` shows."""
    rows = predicted(prediction, models, observed)
    width = (rows["upper"] - rows["lower"]).groupby(rows["benchmark"], sort=False).mean()
    labels, groups = prediction.labels, rows.groupby("model", sort=False)
    widest, narrowest = str(width.idxmax()), str(width.idxmin())
    inside = [
        f"{int(table['inside'].sum())} of {table['observed'].count()} for {name}"
        for name, table in groups
        if table["observed"].notna().any()
    ]
    hits = f" Measured scores inside: {listed(inside)}." if inside else " None were measured."
    return (
        f"Predicted scores of {count(len(groups), 'model')} on {count(len(width), 'benchmark')}, "
        f"with {prediction.level:.0%} intervals: widest for {labels[widest]} "
        f"({width[widest]:.2f} on average), narrowest for {labels[narrowest]} "
        f"({width[narrowest]:.2f}).{hits}"
    )


prediction = draw.one_call(plot_prediction, describe_prediction)


def plot_forecast_ground(prediction: Prediction, *, ax: Axes | None = None) -> Axes:
    """Draw the lower layer of the forecast of one model: benchmarks, axes and legend.

    The simple form of :func:`plot_prediction`, for a picture that moves with a slider: all models,
    levels and kinds of intervals share the lower layer, so that it is drawn once. The label of the
    axis of scores depends on them, and is left blank.

    Parameters
    ----------
    prediction : Prediction
        What ``fit.predict()`` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    tests = pd.unique(prediction.table["benchmark"])
    names = draw.shown_apart(prediction.labels[name] for name in tests)
    height = 0.9 + 0.23 * len(names)
    ax = draw.canvas(ax, width=6.2, height=height, xlabel=_BLANK, ylabel="benchmark")
    _ruled(ax, len(names))
    ax.set_yticks(range(len(names)), names, fontsize=9)
    key = _key()
    ax.legend(handles=key, ncols=len(key), frameon=False, fontsize=8, loc="lower right",
              bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    return ax


def plot_forecast_intervals(
    prediction: Prediction,
    model: str | None = None,
    *,
    observed: Panel | pd.DataFrame | None = None,
    ax: Axes,
) -> Axes:
    """Draw the upper layer of the forecast of one model: intervals, medians and known scores.

    Parameters
    ----------
    prediction : Prediction
        What ``fit.predict()`` returned.
    model : str, optional
        One of its models; None takes the first.
    observed : Panel or DataFrame, optional
        Measured scores, as in :func:`plot_prediction`; None shows those given to the prediction.
    ax : matplotlib Axes
        What :func:`plot_forecast_ground` returned.

    Returns
    -------
    matplotlib Axes
    """
    if ax.get_xlabel() == _BLANK:
        ax.set_xlabel(f"score ({prediction.level:.0%} intervals: {KINDS[prediction.intervals]})")
    name = str(prediction.table["model"].iloc[0]) if model is None else model
    _marks(ax, predicted(prediction, [name], observed))
    return ax


def _intervals(square: Axes, table: pd.DataFrame) -> None:
    """Draw a model's intervals, medians and measured scores, the first benchmark on top."""
    _marks(square, table)
    _ruled(square, len(table))


def _marks(ax: Axes, table: pd.DataFrame) -> None:
    """Draw intervals, medians and measured scores, a line of the table below the other."""
    blue, orange = draw.palette()[0], draw.palette()[3]
    places = np.arange(len(table))
    ax.hlines(places, table["lower"], table["upper"], color=blue, lw=2.2, alpha=0.55,
              label="interval")  # fmt: skip
    ax.plot(table["median"], places, "o", color=blue, ms=4.5, label="median")
    ax.plot(table["observed"], places, "D", mfc="none", mec=orange, mew=1.4, ms=5,
            label="measured")  # fmt: skip


def _key() -> list[Any]:
    """Return what a legend shows of intervals, medians and measured scores."""
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    _marks(ax, pd.DataFrame(np.zeros((1, 4)), columns=["lower", "upper", "median", "observed"]))
    return ax.get_legend_handles_labels()[0]


def _ruled(ax: Axes, rows: int) -> None:
    """Make room for scores from 0 to 1 in some rows, the first on top."""
    ax.set(xlim=(-0.02, 1.02), ylim=(rows - 0.5, -0.5))
    draw.tidy(ax, grid="both")


def _title(name: str, table: pd.DataFrame) -> str:
    """Return a model's name and how many of its measured scores are inside."""
    measured = int(table["observed"].notna().sum())
    inside = f"{int(table['inside'].sum())} of {measured} inside" if measured else "not measured"
    return f"{name}\n{inside}"


def plot_backtest_calibration(test: Backtest, *, ax: Axes | None = None) -> Axes:
    """Draw how often intervals hold the score, against how often they say they do.

    Read off it whether intervals can be believed: below the diagonal they are too narrow, above it
    too wide. The curve is that of the central intervals of the model's predictive distribution, at
    every level; the diamonds are the intervals that were tested. Where these were calibrated, the
    way from the curve to the diamonds is what calibration did.

    Parameters
    ----------
    test : Backtest
        What :func:`lvkit.fit.backtest.backtest` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    levels = [percent / 100 for percent in range(1, 100)]
    own, tested = own_coverage(test, levels), interval_coverage(test)
    ax = draw.canvas(
        ax, width=5.0, height=4.6, xlabel="level of the interval",
        ylabel="share of held-out scores inside",
    )  # fmt: skip
    blue, orange = draw.palette()[0], draw.palette()[3]
    ax.plot([0, 1], [0, 1], "--", color=draw.INK, lw=1.0, label="as promised")
    ax.plot(own.index, own, color=blue, lw=2.0, label="by the predictive distribution")
    ax.plot(tested.index, tested, "D", color=orange, ms=7, mec="white",
            label=f"tested: {KINDS[test.intervals]}")  # fmt: skip
    for level, share in tested.items():
        ax.annotate(f"{share:.0%}", (float(str(level)), share), (7, -9),
                    textcoords="offset points", fontsize=8)  # fmt: skip
    ax.set(xlim=(0, 1.04), ylim=(0, 1.04), aspect="equal")
    ax.legend(frameon=False, loc="upper left")
    draw.tidy(ax, grid="both")
    return ax


def describe_backtest_calibration(test: Backtest) -> str:
    """Say what :func:`plot_backtest_calibration` shows."""
    tested, kind = interval_coverage(test), KINDS[test.intervals]
    parts = [f"{share:.1%} inside those of {level:.0%}" for level, share in tested.items()]
    before = ""
    if test.intervals == "calibrated":
        own = own_coverage(test, list(test.levels)).sort_index()
        before = f" Before calibration: {listed(f'{share:.1%}' for share in own)}."
    lie = f"Of {len(test.table):,} held-out scores lie, with {kind} intervals"
    return f"{lie}: {listed(parts)}.{before}"


backtest_calibration = draw.one_call(plot_backtest_calibration, describe_backtest_calibration)


def plot_backtest_errors(test: Backtest, *, ax: Axes | None = None) -> Axes:
    """Draw how far predictions are from held-out scores, benchmark by benchmark.

    Read off it which benchmarks can be foretold and which cannot, and whether a large error is
    every family's or that of a few: each faint dot is a family's mean absolute error, the diamond
    their mean, which is written beside the name. The best predicted benchmark is on top.

    Parameters
    ----------
    test : Backtest
        What :func:`lvkit.fit.backtest.backtest` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    errors = errors_by_family(test)
    height = 1.2 + 0.3 * errors.shape[1]
    label, rows = "mean absolute error (points of 100)", "benchmark, mean of families"
    ax = draw.canvas(ax, width=6.4, height=height, xlabel=label, ylabel=rows)
    blue, orange = draw.palette()[0], draw.palette()[3]
    places = np.arange(errors.shape[1])
    for place, name in zip(places, errors.columns, strict=True):
        values = errors[name].dropna()
        ax.plot(values, np.full(len(values), place), "o", color=blue, alpha=0.4, ms=5, mew=0,
                label="_one family" if place else "one family")  # fmt: skip
    ax.plot(errors.mean(), places, "D", color=orange, ms=7, mec="white", label="mean of families")
    called = draw.shown_apart(test.labels.get(str(name), str(name)) for name in errors.columns)
    names = [f"{name}  {mean:.1f}" for name, mean in zip(called, errors.mean(), strict=True)]
    ax.set_yticks(places, names, fontsize=8)
    ax.set_xlim(left=0)
    ax.invert_yaxis()
    ax.legend(frameon=False, loc="upper right")
    draw.tidy(ax, grid="both")
    return ax


def describe_backtest_errors(test: Backtest) -> str:
    """Say what :func:`plot_backtest_errors` shows."""
    table = errors_by_family(test)
    called = ((test.labels.get(str(name), str(name)), mean) for name, mean in table.mean().items())
    means = [f"{label} {mean:.1f}" for label, mean in called]
    return (
        f"Mean absolute error of predictions in points, averaged over "
        f"{len(table)} families, best predicted first: {', '.join(means)}; "
        f"{table.mean().mean():.1f} over all benchmarks."
    )


backtest_errors = draw.one_call(plot_backtest_errors, describe_backtest_errors)
