"""Figures of a panel: scores, their correlations and missing scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.panel import Panel, benchmark_labels
from lvkit.errors import LvkitError, count, nearest
from lvkit.plots import drawing as draw
from lvkit.tools.checks import checked_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = npt.NDArray[np.float64]

_MARKERS = "osD^vP*X"
_AGAINST = {"params_b": "size (billions of parameters)", "tokens_t": "training tokens (trillions)"}


def plot_scores(
    panel: Panel,
    benchmark: str,
    *,
    against: str = "params_b",
    families: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a benchmark's scores against size or tokens, each family's models joined by a line.

    Read off it how a benchmark grows with scale, and how far apart families of one size are: that
    distance is what the families' latent variables are for.

    Parameters
    ----------
    panel : Panel
        The scores.
    benchmark : str
        Its name in the panel.
    against : {"params_b", "tokens_t"}
        What to draw it against, on a logarithmic axis.
    families : sequence of str, optional
        Families in colour, the others stay grey; at most eight. None: those with most models here.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If the panel has no such benchmark, column or family, or no score to draw.
    """
    from matplotlib.ticker import MaxNLocator

    points = score_points(panel, benchmark, against)
    if families is None:
        families = list(points["family"].value_counts(sort=False).nlargest(8).index)
    bright = checked_names(families, panel.families)[:8]
    score = f"score on {draw.shown(benchmark_labels(panel)[benchmark])}"
    ax = draw.canvas(ax, width=8.0, height=4.4, xlabel=_AGAINST[against], ylabel=score)
    x, y = _broken(points[~points["family"].isin(bright)], against)
    ax.plot(x, y, "-o", color=draw.GREY, alpha=0.45, lw=0.8, ms=3)
    lines = []
    for colour, marker, family in zip(draw.palette(), _MARKERS, bright, strict=False):
        rows = points[points["family"] == family]
        lines += ax.plot(rows[against], rows["score"], "-" + marker, color=colour, lw=1.5, ms=6)
    ax.set_xscale("log")
    draw.plain_ticks(ax)
    ax.yaxis.set_major_locator(MaxNLocator(6))
    names = draw.shown_apart(bright)
    ax.legend(lines, names, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    draw.tidy(ax, grid="both")
    return ax


def describe_scores(panel: Panel, benchmark: str, *, against: str = "params_b") -> str:
    """Say what :func:`plot_scores` shows."""
    points = score_points(panel, benchmark, against)
    what = {"params_b": "size", "tokens_t": "training tokens"}[against]
    trend = ""
    if points[against].nunique() > 1 and points["score"].nunique() > 1:
        rank = points[against].rank().corr(points["score"].rank())
        trend = f" Their rank correlation is {rank:.2f}."
    return (
        f"Scores of {count(len(points), 'model')} on {benchmark_labels(panel)[benchmark]} against "
        f"their {what}, joined by family: from {points['score'].min():.2f} to "
        f"{points['score'].max():.2f}.{trend}"
    )


scores = draw.one_call(plot_scores, describe_scores)


def score_points(panel: Panel, benchmark: str, against: str = "params_b") -> pd.DataFrame:
    """Return a benchmark's scores with the models' size or tokens, where both are known.

    Parameters
    ----------
    panel : Panel
        The scores.
    benchmark : str
        Its name in the panel.
    against : {"params_b", "tokens_t"}
        The column of ``panel.models`` to go with it.

    Returns
    -------
    DataFrame
        Indexed by model, sorted by `against`: ``family``, `against`, ``score``.

    Raises
    ------
    LvkitError
        If there is no such benchmark or column, or no model has both.
    """
    scores, models = panel.scores, panel.models
    if benchmark not in scores.columns:
        raise LvkitError(
            f"no benchmark '{benchmark}' in the panel",
            expected=f"one of {', '.join(map(str, scores.columns))}",
            remedy=nearest(benchmark, scores.columns).strip(),
        )
    if against not in ("params_b", "tokens_t"):
        raise LvkitError(
            f"got {against!r}", where="argument 'against'", expected="'params_b' or 'tokens_t'"
        )
    known = models.reindex(columns=["family", against]).assign(score=scores[benchmark]).dropna()
    if known.empty:
        raise LvkitError(f"no model has both a score on '{benchmark}' and '{against}'")
    return known.sort_values(against, kind="stable")


def _broken(points: pd.DataFrame, against: str) -> tuple[Array, Array]:
    """Return all families' points as one line that breaks between families, quick to draw."""
    rows = points.sort_values("family", kind="stable")
    starts = np.flatnonzero(rows["family"].ne(rows["family"].shift()).to_numpy())
    x, y = (
        np.insert(rows[column].to_numpy(float), starts, np.nan) for column in (against, "score")
    )
    return x, y


def plot_score_correlations(panel: Panel, *, ax: Axes | None = None) -> Axes:
    """Draw how the scores of benchmarks are correlated, as a heat map: benchmarks by benchmarks.

    Read off it how many things the benchmarks measure: rows that look alike tell the same story.
    Correlations are over the models that have both scores; where fewer than five have, the cell is
    empty. Models differ in size, too, which alone makes most benchmarks go together.

    Parameters
    ----------
    panel : Panel
        The scores.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    labels = benchmark_labels(panel)
    table = correlation_table(panel).rename(index=labels, columns=labels)
    words = draw.cell_texts(table)
    words[table.isna().to_numpy()] = ""
    return draw.heat_map(
        ax, table, words, most=1.0, bar="correlation", cell=(0.6, 0.3), margins=(2.6, 1.6),
        xlabel="benchmark", ylabel="benchmark",
    )  # fmt: skip


def describe_score_correlations(panel: Panel) -> str:
    """Say what :func:`plot_score_correlations` shows."""
    table = correlation_table(panel)
    names, numbers = [benchmark_labels(panel)[str(name)] for name in table], table.to_numpy(float)
    upper = np.triu(np.ones(table.shape, dtype=bool), k=1)
    values = {
        f"{names[row]} and {names[column]}": float(numbers[row, column])
        for row, column in np.argwhere(upper & ~np.isnan(numbers))
    }
    start = f"Correlations of scores on {count(len(table), 'benchmark')}"
    if not values:
        return f"{start}: too few models have two scores."
    high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    if len(values) == 1:
        return f"{start}: {high} {values[high]:.2f}."
    return f"{start}: highest {high} with {values[high]:.2f}, lowest {low} with {values[low]:.2f}."


score_correlations = draw.one_call(plot_score_correlations, describe_score_correlations)


def correlation_table(panel: Panel) -> pd.DataFrame:
    """Return how the scores of benchmarks are correlated, over the models that have both.

    NaN stands where fewer than five models have both, and where all have one and the same score.
    """
    return panel.scores.corr(min_periods=5)


def plot_missing(panel: Panel, *, ax: Axes | None = None) -> Axes:
    """Draw which scores are there: a column for each model, a row for each benchmark.

    Read off it which benchmarks were measured on which models, and whether the gaps come in blocks.
    Models of one family stand together, by size; the families with fewest gaps come first.

    Parameters
    ----------
    panel : Panel
        The scores.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    from matplotlib.colors import ListedColormap

    order = missing_order(panel)
    edges = np.flatnonzero(order.ne(order.shift()).to_numpy()).tolist()
    centres, names = draw.spaced_labels(order, edges)
    note = "" if len(names) == panel.n_families else " (not all families are named)"
    ax = draw.canvas(
        ax, width=9.0, height=1.6 + 0.24 * panel.n_benchmarks,
        xlabel=f"models, by family and size{note}", ylabel="benchmark (models scored)",
    )  # fmt: skip
    measured = panel.scores.loc[order.index].notna().to_numpy()
    colours = ListedColormap(["#ececec", draw.palette()[0]])
    ax.pcolormesh(measured.T, cmap=colours, vmin=0, vmax=1, rasterized=True)
    labels = benchmark_labels(panel)
    tests = draw.shown_apart(labels[str(name)] for name in panel.scores)
    rows = [f"{name}  {n}" for name, n in zip(tests, measured.sum(axis=0), strict=True)]
    ax.set_yticks(np.arange(panel.n_benchmarks) + 0.5, rows, fontsize=8)
    ax.invert_yaxis()
    ax.vlines(edges[1:], 0, panel.n_benchmarks, color="white", lw=0.7)
    ax.hlines(range(1, panel.n_benchmarks), 0, len(order), color="white", lw=0.7)
    ax.set_xticks(centres, names, rotation=90, fontsize=7)
    ax.tick_params(length=0)
    draw.tidy(ax, spines=False)
    return ax


def describe_missing(panel: Panel) -> str:
    """Say what :func:`plot_missing` shows."""
    measured, labels = panel.scores.notna(), benchmark_labels(panel)
    cells = panel.n_models * panel.n_benchmarks
    counts = measured.sum()
    most, fewest = str(counts.idxmax()), str(counts.idxmin())
    ends = (f"{labels[most]} has most ({counts.max():,})", f"{labels[fewest]} fewest")
    spread = f"{', '.join(ends)} ({counts.min():,})"
    if counts.max() == counts.min():
        spread = f"Each benchmark has {counts.max():,}"
    return (
        f"Of {cells:,} possible scores ({count(panel.n_models, 'model')}, "
        f"{count(panel.n_benchmarks, 'benchmark')}), {panel.n_scores:,} were measured "
        f"({panel.n_scores / cells:.0%}). {count(int(measured.all(axis=1).sum()), 'model')} "
        f"have them all. {spread}."
    )


missing = draw.one_call(plot_missing, describe_missing)


def missing_order(panel: Panel) -> pd.Series[str]:
    """Return each model's family, in the order of the columns of the picture."""
    models = panel.models[["family", "params_b"]]
    share = panel.scores.notna().mean(axis=1).groupby(models["family"]).transform("mean")
    order = models.assign(share=-share).sort_values(["share", "family", "params_b"])
    return order["family"]
