"""Figures of a simulation study: how errors fall, and whether they are normal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lvkit.errors import LvkitError
from lvkit.fit.simulation_study import Study
from lvkit.plots import drawing as draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_MARKERS = "osD^vP*X"
_POINTS = 199
"""Quantiles that are compared."""


def plot_study_errors(study: Study, *, ax: Axes | None = None) -> Axes:
    """Draw the size of the errors against the number of families, on logarithmic axes.

    Read off it whether estimates come closer to the truth as families are added, and how fast: the
    dashed line falls like one over the square root of the number of families, as theory says
    (consistency, theorem 1 of arXiv:2512.06553). The thick line is the median absolute error over
    all parameters; each thin line is one parameter's, relative to its geometric mean over the
    numbers of families and moved onto the thick line, since parameters have units of their own.

    Parameters
    ----------
    study : Study
        What :func:`lvkit.simulation_study` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there are not two numbers of families to compare.
    """
    rate, error = study.rate(), study.summary()["median_error"].dropna()
    each = study.table["median_error"].unstack("families")[error.index].map(np.log)
    each = each.sub(each.mean(axis=1), axis=0) + np.log(error).mean()
    label = "number of families"
    ax = draw.canvas(ax, width=6.0, height=4.2, xlabel=label, ylabel="median absolute error")
    ax.plot(each.columns, np.exp(each.T), color=draw.GREY, alpha=0.35, lw=0.8, label="_parameters")
    middle = np.exp(np.log(error).mean() + 0.5 * np.log(error.index.to_numpy()).mean())
    ax.plot(error.index, error, "-o", color=draw.palette()[0], lw=2.0, label=f"slope {rate:.2f}")
    theory = middle * error.index.to_numpy() ** -0.5
    ax.plot(error.index, theory, "--", color=draw.INK, lw=1.2, label="theory, slope -0.50")
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(error.index, [str(number) for number in error.index])
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ticks = [t for p in range(-6, 7) for t in (10.0**p, 2 * 10.0**p, 5 * 10.0**p) if low < t < high]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.legend(frameon=False)
    draw.tidy(ax, grid="both")
    return ax


def describe_study_errors(study: Study) -> str:
    """Say what :func:`plot_study_errors` shows."""
    errors = ", ".join(
        f"{error:.3f} with {families} families"
        for families, error in study.summary()["median_error"].items()
    )
    return f"Median absolute error: {errors}; slope {study.rate():.2f}, in theory -0.50."


study_errors = draw.one_call(plot_study_errors, describe_study_errors)


def plot_study_normality(study: Study, *, ax: Axes | None = None) -> Axes:
    """Draw quantiles of the standardised errors against those of the normal distribution.

    Read off it whether intervals hold what they promise: an error divided by its standard error has
    a standard normal distribution if the points lie on the line (asymptotic normality, theorem 2 of
    arXiv:2512.06553). A curve steeper than the line says that standard errors are too small, one
    that bends that errors are skewed.

    Parameters
    ----------
    study : Study
        What :func:`lvkit.simulation_study` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If no fit of the study has standard errors.
    """
    from scipy.special import ndtri

    errors = _standardised(study)
    shares = np.arange(1, _POINTS + 1) / (_POINTS + 1)
    expected = ndtri(shares)
    ax = draw.canvas(
        ax, width=5.2, height=4.8, xlabel="quantile of the normal distribution",
        ylabel="quantile of error / standard error",
    )  # fmt: skip
    ax.plot(expected[[0, -1]], expected[[0, -1]], color=draw.INK, lw=1.0, label="_normal")
    groups = errors.groupby(level="families")
    for colour, marker, (number, values) in zip(draw.palette(), _MARKERS, groups, strict=False):
        observed = np.quantile(values, shares)
        ax.plot(expected, observed, marker, color=colour, ms=2.5, mew=0, label=f"{number} families")
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(frameon=False, markerscale=2.5)
    draw.tidy(ax, grid="both")
    return ax


def describe_study_normality(study: Study) -> str:
    """Say what :func:`plot_study_normality` shows."""
    spreads = ", ".join(
        f"{spread:.2f} with {families} families"
        for families, spread in _standardised(study).groupby(level="families").std().items()
    )
    return f"Quantiles of error over standard error; standard deviation {spreads}, in theory 1."


study_normality = draw.one_call(plot_study_normality, describe_study_normality)


def _standardised(study: Study) -> pd.Series:
    """Return errors in standard errors, indexed by the number of families."""
    rows = study.estimates.dropna(subset="std_error").set_index("families")
    if not len(rows):
        raise LvkitError(
            "no fit has standard errors",
            where="plot_study_normality",
            expected="a study with fits that converged",
            remedy="study.failures says what went wrong.",
        )
    return (rows["estimate"] - rows["truth"]) / rows["std_error"]
