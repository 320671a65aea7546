"""Figures of one family or two: place among all others, growth with size, posterior densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import LvkitError, count
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.fit.fit import Fit
from lvkit.fit.standings import family_places, growth_points, ranked_families, two_skills
from lvkit.planning.plan_text import size
from lvkit.plots import drawing as draw
from lvkit.plots.phrases import listed, signed, span
from lvkit.prediction.predict import KINDS, Prediction
from lvkit.tools.checks import checked_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = npt.NDArray[np.float64]

_INSIDE = (0.9, 0.5)
"""Posterior probabilities inside the contours, the outermost first."""

_SHADES = (0.18, 0.42)
"""How dark it is between them, and inside the innermost."""

_GRID = 120
"""Points of the density's grid, in each direction."""

_COLUMNS = 4
"""Squares beside each other."""

_MANY = 300
"""With more families than these, only their means are drawn."""


def plot_family_place(
    fit: Fit, family: str, *, level: float = 0.95, ax: Axes | None = None
) -> Axes:
    """Draw where a family stands on each skill, among all others.

    Read off it how high a family stands, and how surely: in each square all families are sorted
    from the lowest to the highest, each with its interval, and the family is drawn boldly. Where
    its bar lies beside the bars of many others, its rank is hardly known.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    level : float
        Posterior probability of the intervals.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of the skills.

    Raises
    ------
    LvkitError
        If there is no such family, and for a level outside (0, 1).
    """
    tables = {skill: ranked_families(fit, skill, level) for skill in fit.skills}
    columns = min(_COLUMNS, len(tables))
    down = -(-len(tables) // columns)
    label = f"standing beyond what features explain ({level:.0%} intervals)"
    ax = draw.canvas(ax, width=1.0 + 2.0 * columns, height=0.7 + 2.7 * down, xlabel=label,
                     ylabel="families, from the lowest to the highest")  # fmt: skip
    squares = _squares(ax, len(tables), columns, gap=0.1, high=0.8)
    ends = pd.concat([table[["lower", "upper"]] for table in tables.values()])
    widest = float(ends.abs().to_numpy().max())
    names = draw.shown_apart(tables, 20)
    for square, name, table in zip(squares, names, tables.values(), strict=True):
        _standings(square, table, family)
        title = f"{name}\nrank {int(table['rank'][family])} of {len(table)}"
        square.set_title(title, fontsize=8, pad=3)
        square.set(xlim=(-1.04 * widest, 1.04 * widest), yticks=[])
    _finish(ax, squares, ncols=2)
    return ax


def describe_family_place(fit: Fit, family: str, *, level: float = 0.95) -> str:
    """Say what :func:`plot_family_place` shows."""
    places = family_places(fit, family, level)
    parts = [
        f"{skill} rank {row['rank']:.0f}, {signed(row['standing'])} ({signed(row['lower'])} to "
        f"{signed(row['upper'])})"
        for skill, row in places.iterrows()
    ]
    return (
        f"Standing of {family} among all {fit.n_families:,} families, sorted skill by skill, with "
        f"{level:.0%} intervals: {'; '.join(parts)}."
    )


family_place = draw.one_call(plot_family_place, describe_family_place)


def _standings(square: Axes, table: pd.DataFrame, family: str) -> None:
    """Draw all families of a skill, one of them boldly."""
    orange = draw.palette()[3]
    places = pd.Series(len(table) - table["rank"], index=table.index)
    if len(table) <= _MANY:
        square.hlines(places, table["lower"], table["upper"], color=draw.GREY, lw=0.8, alpha=0.6)
    size = 2.5 if len(table) <= _MANY else 1.0
    square.plot(table["standing"], places, "o", color=draw.GREY, ms=size, mew=0, label="others")
    own, place = table.loc[family], places[family]
    square.hlines([place], own["lower"], own["upper"], color=orange, lw=3.0)
    square.plot([own["standing"]], [place], "D", color=orange, ms=7, mec="white", zorder=3,
                label=draw.shown(family))  # fmt: skip
    square.axvline(0, color=draw.INK, lw=0.8)
    square.tick_params(labelsize=8)
    draw.tidy(square, grid="x")


def plot_family_growth(fit: Fit, prediction: Prediction, *, ax: Axes | None = None) -> Axes:
    """Draw a family's predicted scores against size, a small square for each benchmark.

    Read off it how the family grows and how far ahead that can be seen: the line joins the medians
    of the predicted scores, each with its interval; diamonds were measured. The next sizes, which
    nobody has trained, are drawn in another colour.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    prediction : Prediction
        What :func:`lvkit.fit.standings.family_forecast` returned.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
        Its ``child_axes`` are the squares, in the order of the benchmarks.
    """
    table = growth_points(fit, prediction)
    groups = [(name, table[table["benchmark"] == name]) for name in fit.benchmarks]
    columns = min(_COLUMNS, len(groups))
    down = -(-len(groups) // columns)
    scale = f"score ({prediction.level:.0%} intervals: {KINDS[prediction.intervals]})"
    ax = draw.canvas(ax, width=1.0 + 1.9 * columns, height=0.7 + 1.7 * down,
                     xlabel="parameters (billions)", ylabel=scale)  # fmt: skip
    squares = _squares(ax, len(groups), columns, gap=0.12, high=0.74)
    ends = float(table["params_b"].min()) / 1.5, float(table["params_b"].max()) * 1.5
    names = draw.shown_apart((prediction.labels[name] for name, _ in groups), 20)
    for number, (square, (_, rows)) in enumerate(zip(squares, groups, strict=True)):
        _grown(square, rows)
        square.set_title(names[number], fontsize=8, pad=3)
        square.set(xscale="log", xlim=ends, ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
        draw.plain_ticks(square)
        square.minorticks_off()  # most of the time of drawing
        square.tick_params(labelsize=8, labelbottom=number + columns >= len(groups))
        square.set_yticklabels([] if number % columns else ["0", "0.5", "1"])
    _finish(ax, squares, ncols=4)
    ax.yaxis.labelpad = 24
    return ax


def describe_family_growth(fit: Fit, prediction: Prediction) -> str:
    """Say what :func:`plot_family_growth` shows."""
    table = growth_points(fit, prediction)
    known, ahead = table[~table["ahead"]], table[table["ahead"]]
    sizes = span(size(known["params_b"].min()), size(table["params_b"].max()))
    first = known[known["params_b"] == known["params_b"].max()].groupby("benchmark")["median"].max()
    gain = ahead.groupby("benchmark")["median"].max().sub(first)
    best = str(gain.idxmax())
    return (
        f"Predicted scores on {count(len(fit.benchmarks), 'benchmark')} against size, from "
        f"{sizes}, with {prediction.level:.0%} intervals; "
        f"{int(known['inside'].sum())} of {int(known['observed'].notna().sum())} measured scores "
        f"lie inside. Among the next sizes {prediction.labels[best]} changes most upwards, by "
        f"{gain[best]:+.2f}."
    )


family_growth = draw.one_call(plot_family_growth, describe_family_growth)


def _grown(square: Axes, rows: pd.DataFrame) -> None:
    """Draw one benchmark's scores against size."""
    blue, orange, green = (draw.palette()[at] for at in (0, 3, 2))
    square.plot(rows["params_b"], rows["median"], "-", color=draw.GREY, lw=1.0, zorder=1)
    ahead = rows["ahead"].to_numpy()
    for chosen, colour, label in ((~ahead, blue, "predicted"), (ahead, green, "next sizes")):
        part = rows[chosen]
        if len(part):
            square.vlines(part["params_b"], part["lower"], part["upper"], color=colour, lw=2.0,
                          alpha=0.55)  # fmt: skip
            square.plot(part["params_b"], part["median"], "o", color=colour, ms=3.5, label=label)
    square.plot(rows["params_b"], rows["observed"], "D", mfc="none", mec=orange, mew=1.1, ms=4,
                label="measured")  # fmt: skip
    draw.tidy(square, grid="y")


def _squares(ax: Axes, number: int, columns: int, *, gap: float, high: float) -> list[Axes]:
    """Return small squares side by side, row by row, each with room for its title above."""
    down = -(-number // columns)
    places = [divmod(at, columns) for at in range(number)]
    return [
        ax.inset_axes((x / columns, 1 - (y + 0.1 + high) / down, (1 - gap) / columns, high / down))
        for y, x in places
    ]


def _finish(ax: Axes, squares: list[Axes], *, ncols: int) -> None:
    """Take away the outer ticks and write what the marks are, once."""
    marks: dict[str, Any] = {}
    for square in squares:
        marks |= dict(zip(*reversed(square.get_legend_handles_labels()), strict=True))
    ax.legend(list(marks.values()), list(marks), ncols=ncols, frameon=False, fontsize=8,
              loc="lower right", bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    ax.set(xticks=[], yticks=[])
    ax.xaxis.labelpad = 8
    draw.tidy(ax, spines=False)


def plot_family_density(
    post: FamilyPosterior,
    a: str,
    b: str,
    *,
    skills: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw where two families stand on two skills, as their joint posterior densities.

    Read off it how well the two can be distinguished: the inner contour holds half of the posterior
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
    across, up = two_skills(post, skills)
    checked_names([a, b], post.families)
    if a == b:
        raise LvkitError(f"got {a!r} twice", expected="two different families")
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
    _tell_shares(ax)
    ax.margins(0.08)
    draw.tidy(ax, grid="both")
    return ax


def describe_family_density(
    post: FamilyPosterior, a: str, b: str, *, skills: Sequence[str] | None = None
) -> str:
    """Say what :func:`plot_family_density` shows."""
    chosen = list(two_skills(post, skills))
    places = []
    for family in checked_names([a, b], post.families):
        draws = post.draws[post.families.index(family)][:, [post.skills.index(s) for s in chosen]]
        stands = zip(draws.mean(axis=0), draws.std(axis=0), strict=True)
        places.append(f"{family} at " + listed(f"{mean:.1f} ± {sd:.1f}" for mean, sd in stands))
    higher = post.compare(a, b)["probability"]
    odds = listed(f"{higher[skill]:.2f} in {skill}" for skill in chosen)
    return (
        f"Posterior densities of two families on {listed(chosen)}: {listed(places)}. The "
        f"probability that {a} stands higher is {odds}."
    )


family_density = draw.one_call(plot_family_density, describe_family_density)


def _cloud(ax: Axes, points: Array, colour: Any, style: str) -> None:
    """Draw contours of a cloud of draws, shape (draws, 2), and its mean."""
    x, y, density = _density(points)
    falling = np.sort(density, axis=None)[::-1]
    inside = np.cumsum(falling) / falling.sum()
    outer, inner = falling[np.searchsorted(inside, _INSIDE)]
    shades = [(*colour, shade) for shade in _SHADES]
    ax.contourf(x, y, density, levels=[outer, inner, falling[0]], colors=shades)
    ax.contour(x, y, density, levels=[outer, inner], colors=[colour], linewidths=1.3,
               linestyles=style)  # fmt: skip
    ax.plot(*points.mean(axis=0), "P", color=colour, mec="white", ms=10)


def _tell_shares(ax: Axes) -> None:
    """Write above the axes how much of the posterior each contour holds."""
    from matplotlib.colors import to_rgba
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: list[Any] = [
        Patch(fc=to_rgba(draw.INK, shade), ec=draw.INK, label=f"contour that holds {share:.0%}")
        for share, shade in zip(reversed(_INSIDE), reversed(_SHADES), strict=True)
    ]
    keys.append(Line2D([], [], ls="", marker="P", color=draw.INK, mec="white", ms=9, label="mean"))
    draw.legend_above(ax, keys)


def _density(points: Array) -> tuple[Array, Array, Array]:
    """Return the smoothed density of draws on a grid that reaches beyond them.

    A Gaussian kernel with Scott's width and the draws' covariance, applied to their counts on the
    grid by Fourier's transform: the picture of a kernel estimate at each point, in a fiftieth of
    the time.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    ends = [(low[0], high[0]), (low[1], high[1])]
    counts, *edges = np.histogram2d(points[:, 0], points[:, 1], bins=_GRID, range=ends)
    kernel = np.cov(points.T) * len(points) ** (-1.0 / 3.0)  # Scott (1992), two dimensions
    steps = (high - low) / _GRID
    waves = np.meshgrid(
        np.fft.fftfreq(_GRID, steps[0]), np.fft.rfftfreq(_GRID, steps[1]), indexing="ij"
    )
    fading = np.exp(-2.0 * np.pi**2 * np.einsum("aij,ab,bij->ij", waves, kernel, waves))
    density = np.fft.irfft2(np.fft.rfft2(counts) * fading, s=counts.shape)
    x, y = (0.5 * (each[1:] + each[:-1]) for each in edges)
    return x, y, np.maximum(density, 0.0).T


def _name_cloud(ax: Axes, family: str, points: Array, *, above: bool) -> None:
    """Write a family's name over its cloud, or under it, so that two names never meet."""
    from matplotlib.patheffects import withStroke

    edge = float(np.quantile(points[:, 1], 0.98 if above else 0.02))
    ax.annotate(
        draw.shown(family), (float(points[:, 0].mean()), edge), (0, 9 if above else -9),
        textcoords="offset points", ha="center", va="bottom" if above else "top", weight="bold",
        color=draw.INK, path_effects=[withStroke(linewidth=3, foreground="white")],
    )  # fmt: skip
