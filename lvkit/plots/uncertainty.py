"""Pictures of what is uncertain: loadings with intervals, families with their posteriors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit import drawing as draw
from lvkit import facts
from lvkit.errors import LvkitError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.posterior import FamilyPosterior
    from lvkit.results import Fit

__all__ = ["plot_family_density", "plot_loading_intervals"]

Array = npt.NDArray[np.float64]

_INSIDE = (0.9, 0.5)
"""Posterior probabilities inside the contours, the outermost first."""

_MOST_DRAWS = 2000
"""So many draws are smoothed; more would look the same."""

_GRID = 60
"""Points of the density's grid, in each direction."""


def plot_loading_intervals(
    fit: Fit, skill: str, *, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw a skill's loadings with confidence intervals, the largest at the top.

    Read off it which benchmarks surely rise with the skill: those whose interval does not reach
    zero. An anchor of another skill has zero by definition, and no interval; nor has a loading that
    the data do not determine.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str
        One of its skills.
    level : float
        Level of the intervals.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there is no such skill, for a level outside (0, 1), and for a fit that did not converge.
    """
    table = facts.loading_intervals(fit, skill, level).sort_values("estimate", kind="stable")
    label = f"loading on {draw.shown(skill)} (logits per standard deviation, {level:.0%} interval)"
    height = 1.0 + 0.28 * len(table)
    ax = draw.canvas(ax, width=6.4, height=height, xlabel=label, ylabel="benchmark")
    ax.axvline(0, color=draw.INK, lw=0.8)
    places = np.arange(len(table))
    open_dots = table["std_error"].isna().to_numpy()
    ends = table[["ci_lower", "ci_upper"]].sub(table["estimate"], axis=0).abs().to_numpy().T
    shut = {"fmt": "o", "ms": 5, "lw": 1.4, "color": draw.palette()[0]}
    ax.errorbar(table["estimate"][~open_dots], places[~open_dots], xerr=ends[:, ~open_dots], **shut)
    ax.plot(table["estimate"][open_dots], places[open_dots], "o", mfc="white", mec=draw.GREY, ms=5)
    ax.set_yticks(places, _benchmark_names(fit, skill, table), fontsize=8)
    draw.tidy(ax, grid="x")
    return ax


def _benchmark_names(fit: Fit, skill: str, table: pd.DataFrame) -> list[str]:
    """Return what to write beside each loading: its benchmark, and what is special about it."""
    labels, names = draw.benchmark_labels(fit.panel), []
    for benchmark, row in table.iterrows():
        special = " (not determined)" if np.isnan(row["std_error"]) else ""
        special = " (0 by definition)" if row["fixed"] else special
        special = " (anchor)" if fit.anchors[skill] == benchmark and not special else special
        names.append(draw.shown(labels[str(benchmark)]) + special)
    return names


def plot_family_density(
    post: FamilyPosterior,
    a: str,
    b: str,
    *,
    skills: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw where two families stand on two skills, as their joint posterior densities.

    Read off it how well the two can be told apart: the inner contour holds half of the posterior
    probability, the outer one nine tenths, and the cross is the mean. Clouds that overlap may stand
    the other way round; ``post.compare(a, b)`` has the probabilities. A cloud that leans says
    that the family's two skills are known better together than each alone. Zero is the average
    family, beyond what the features explain. (Figure 3 of arXiv:2512.06553.)

    Parameters
    ----------
    post : FamilyPosterior
        What ``fit.sample_families()`` returned.
    a, b : str
        Names of two families.
    skills : sequence of two str, optional
        The skills along the axes; None takes the first two.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        For a family or skill that was not fitted, and for other than two different skills and
        families.
    """
    across, up = facts.two_skills(post, skills)
    facts.checked_names([a, b], post.families)
    if a == b:
        raise LvkitError(f"saw {a!r} twice", expected="two different families")
    chosen = [post.skills.index(across), post.skills.index(up)]
    clouds = {name: post.draws[post.families.index(name)][:, chosen] for name in (a, b)}
    labels = [f"{draw.shown(name)} (standard deviations among families)" for name in (across, up)]
    ax = draw.canvas(ax, width=6.0, height=5.0, xlabel=labels[0], ylabel=labels[1])
    styles = zip(clouds.items(), draw.palette(), ("-", "--"), strict=False)
    for (_, points), colour, style in styles:
        _cloud(ax, points, colour, style)
    low, high = sorted(clouds, key=lambda name: float(clouds[name][:, 1].mean()))
    _name_cloud(ax, high, clouds[high], above=True)
    _name_cloud(ax, low, clouds[low], above=False)
    ax.margins(0.08)
    draw.tidy(ax, grid="both")
    return ax


def _cloud(ax: Axes, points: Array, colour: Any, style: str) -> None:
    """Draw contours of a cloud of draws, shape (draws, 2), and its mean."""
    x, y, density = _density(points)
    falling = np.sort(density, axis=None)[::-1]
    inside = np.cumsum(falling) / falling.sum()
    outer, inner = falling[np.searchsorted(inside, _INSIDE)]
    shades = [(*colour, 0.18), (*colour, 0.42)]
    ax.contourf(x, y, density, levels=[outer, inner, falling[0]], colors=shades)
    ax.contour(x, y, density, levels=[outer, inner], colors=[colour], linewidths=1.3,
               linestyles=style)  # fmt: skip
    ax.plot(*points.mean(axis=0), "P", color=colour, mec="white", ms=10)


def _density(points: Array) -> tuple[Array, Array, Array]:
    """Return the smoothed density of draws on a grid that reaches beyond them."""
    from scipy.stats import gaussian_kde

    points = points[:: -(-len(points) // _MOST_DRAWS)]
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - 0.1 * (high - low), high + 0.1 * (high - low)
    x, y = np.linspace(low, high, _GRID).T
    grid = np.stack([each.ravel() for each in np.meshgrid(x, y)])
    return x, y, np.asarray(gaussian_kde(points.T)(grid)).reshape(_GRID, _GRID)


def _name_cloud(ax: Axes, family: str, points: Array, *, above: bool) -> None:
    """Write a family's name over its cloud, or under it, so that two names never meet."""
    from matplotlib.patheffects import withStroke

    edge = float(np.quantile(points[:, 1], 0.98 if above else 0.02))
    ax.annotate(
        draw.shown(family), (float(points[:, 0].mean()), edge), (0, 9 if above else -9),
        textcoords="offset points", ha="center", va="bottom" if above else "top", weight="bold",
        color=draw.INK, path_effects=[withStroke(linewidth=3, foreground="white")],
    )  # fmt: skip
