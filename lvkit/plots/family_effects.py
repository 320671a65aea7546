"""Figures of all families: their effects on the skills, as a table, a ranking or a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.errors import count
from lvkit.fit.fit import Fit
from lvkit.fit.standings import TOP_FAMILIES, family_standings, known_families, two_skills
from lvkit.plots import drawing as draw
from lvkit.plots.fit import features_of
from lvkit.plots.phrases import listed
from lvkit.tools.checks import check_level, checked_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Array = npt.NDArray[np.float64]

_ROUND = np.linspace(0.0, 2.0 * np.pi, 49)
"""Angles at which the outline of an ellipse is drawn."""

_NAME_SIZE = 8.0
"""Size of the families' names on a map, in points."""


def plot_families(
    fit: Fit,
    *,
    skill: str | None = None,
    top: int | None = TOP_FAMILIES,
    ax: Axes | None = None,
) -> Axes:
    """Draw where families stand on the skills, beyond what size, tokens or other features explain.

    Read off it which recipes get more of a skill out of the same features. The numbers are
    posterior means of the families' latent variables: 0 is an average family, 1 a standard
    deviation above it. Families with few scores are drawn towards 0.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    skill : str, optional
        One skill, drawn as a ranking, each family with its posterior standard deviation. None draws
        all as a heat map, sorted by their mean.
    top : int, optional
        How many families, those with the most scores; None draws all.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If there is no such skill, or `top` is below one.
    """
    if skill is not None:
        return _ranked_families(fit, skill, top, ax)
    table = known_families(fit, top)
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    most = max(1.0, float(np.ceil(np.abs(table.to_numpy()).max())))
    return draw.heat_map(
        ax, table, draw.cell_texts(table, digits=1), most=most, ylabel="family",
        bar="standard deviations from the average", cell=(1.0, 0.24), margins=(3.4, 1.3),
    )  # fmt: skip


def _ranked_families(fit: Fit, skill: str, top: int | None, ax: Axes | None) -> Axes:
    """Draw how families stand on one skill, with a bar of one posterior standard deviation."""
    checked_names([skill], fit.skills, what="skill")
    table = family_standings(fit, skill, top).iloc[::-1]
    label = f"{draw.shown(skill)} (from the average family, ± posterior standard deviation)"
    height = 1.0 + 0.22 * len(table)
    ax = draw.canvas(ax, width=6.0, height=height, xlabel=label, ylabel="family")
    places = np.arange(len(table))
    bars = {"xerr": table["sd"], "fmt": "o", "ms": 5, "lw": 1.2, "color": draw.palette()[0]}
    ax.errorbar(table["standing"], places, **bars)
    ax.axvline(0, color=draw.INK, lw=0.8)
    ax.set_yticks(places, draw.shown_apart(table.index), fontsize=8)
    draw.tidy(ax, grid="x")
    return ax


def describe_families(fit: Fit, *, skill: str | None = None, top: int | None = TOP_FAMILIES) -> str:
    """Say what :func:`plot_families` shows."""
    table = known_families(fit, top)
    start = "All families" if len(table) == fit.n_families else "The families with the most scores"
    return f"{start} ({len(table)}), beyond {features_of(fit)}. " + " ".join(
        extremes(table[name]) for name in (fit.skills if skill is None else (skill,))
    )


families = draw.one_call(plot_families, describe_families)


def extremes(standings: pd.Series[float], known: pd.DataFrame | None = None) -> str:
    """Return which families stand highest and lowest on a skill, and how well that is known."""
    ranked = standings.sort_values(ascending=False, kind="stable")

    def named(group: pd.Series[float]) -> str:
        return listed(f"{name} ({value:+.1f}{doubt(name)})" for name, value in group.items())

    def doubt(name: Any) -> str:
        if known is None:
            return ""
        sd, scores = float(known["sd"][name]), int(known["n_scores"][name])
        return f" ± {sd:.1f}, {count(scores, 'score')}"

    if len(ranked) < 6:
        return f"{standings.name}: from the highest, {named(ranked)}."
    highest, lowest = named(ranked.head(3)), named(ranked.tail(2).iloc[::-1])
    return f"In {standings.name}, {highest} stand highest, {lowest} lowest."


def plot_family_map(
    fit: Fit,
    *,
    skills: Sequence[str] | None = None,
    families: Sequence[str] = (),
    top: int | None = TOP_FAMILIES,
    level: float = 0.5,
    ax: Axes | None = None,
) -> Axes:
    """Draw where families stand on two skills, each with the ellipse it lies in.

    Read off it which recipes get more of one skill, of the other, or of both, out of the same
    features, and how well each family's place is known: a family with few scores has a wide ellipse
    near the middle. Zero, where the lines cross, is the average family; one is a standard
    deviation among families. :func:`plot_family_density` draws two of them closely.

    Parameters
    ----------
    fit : Fit
        The fitted model, of two skills or more.
    skills : sequence of two str, optional
        The skills along the axes; None takes the first two.
    families : sequence of str
        Families to mark with a colour; they are drawn and named whatever `top` says.
    top : int, optional
        How many families, those with the most scores; None draws all. Names are written where
        there is room.
    level : float
        Posterior probability that an ellipse holds.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        For a family or skill that was not fitted, for other than two different skills, for a level
        outside (0, 1), and if `top` is below one.

    Notes
    -----
    The ellipses are those of normal distributions with the posterior's mean and covariance, at the
    fitted parameters; the posterior itself leans a little where scores are near 0 or 1.
    """
    from matplotlib.lines import Line2D

    chosen, level = two_skills(fit, skills), check_level(level)
    marked = list(dict.fromkeys(checked_names(families, fit.families)))
    rest = [str(name) for name in known_families(fit, top).index if name not in marked]
    labels = [f"{draw.shown(name)} (standard deviations among families)" for name in chosen]
    ax = draw.canvas(ax, width=6.4, height=5.2, xlabel=labels[0], ylabel=labels[1])
    centres, outlines = _ellipses(fit, [*marked, *rest], chosen, level)
    ax.axhline(0, color=draw.INK, lw=0.8)
    ax.axvline(0, color=draw.INK, lw=0.8)
    colours = [draw.palette()[number % 8] for number in range(len(marked))]
    _outline(ax, centres[len(marked) :], outlines[len(marked) :], [draw.GREY] * len(rest))
    if marked:
        _outline(ax, centres[: len(marked)], outlines[: len(marked)], colours, marked=True)
    ax.autoscale_view()
    ring = Line2D([], [], ls="", marker="o", mfc="none", mec=draw.GREY, ms=9)
    ring.set_label(f"ellipse that holds {level:.0%} of the posterior")
    draw.legend_above(ax, [ring])
    _name_places(ax, [*marked, *rest], centres, len(marked))
    draw.tidy(ax, grid="both")
    return ax


def describe_family_map(
    fit: Fit,
    *,
    skills: Sequence[str] | None = None,
    families: Sequence[str] = (),
    top: int | None = TOP_FAMILIES,
    level: float = 0.5,
) -> str:
    """Say what :func:`plot_family_map` shows."""
    chosen = two_skills(fit, skills)
    most = known_families(fit, top)
    tables = [family_standings(fit, name, None) for name in chosen] if families else []
    start = (
        "All families" if len(most) == fit.n_families else f"The {len(most)} best known families"
    )
    marked = [
        f"{family} at "
        + listed(f"{t['standing'][family]:.1f} ± {t['sd'][family]:.1f}" for t in tables)
        for family in dict.fromkeys(families)
    ]
    marks = f" Marked: {listed(marked)}." if marked else ""
    return (
        f"{start} on {listed(chosen)}, beyond {features_of(fit)}, each in the ellipse that holds "
        f"{level:.0%} of its posterior. {' '.join(extremes(most[name]) for name in chosen)}{marks}"
    )


family_map = draw.one_call(plot_family_map, describe_family_map)


def _ellipses(
    fit: Fit, families: Sequence[str], skills: Sequence[str], level: float
) -> tuple[Array, Array]:
    """Return centres, shape (families, 2), and outlines, shape (families, points, 2)."""
    at = [fit.families.index(name) for name in families]
    weights = fit.frame.factor[0][[fit.skills.index(skill) for skill in skills]]
    covariance = np.einsum("aq,fqr,br->fab", weights, fit.latent_covariances[at], weights)
    values, vectors = np.linalg.eigh(covariance)
    radius = np.sqrt(-2.0 * np.log1p(-level))  # the root of a chi-squared quantile, two degrees
    axes = radius * vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    centres = fit.latent_means[at] @ weights.T
    circle = np.stack([np.cos(_ROUND), np.sin(_ROUND)])
    return centres, centres[:, None, :] + np.swapaxes(axes @ circle, 1, 2)


def _outline(
    ax: Axes, centres: Array, outlines: Array, colours: Sequence[Any], *, marked: bool = False
) -> None:
    """Draw families as dots in ellipses; marked ones stand out."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    faces = [to_rgba(colour, 0.2 if marked else 0.0) for colour in colours]
    edges = [to_rgba(colour, 1.0 if marked else 0.45) for colour in colours]
    width, order = (1.8, 2.5) if marked else (0.7, 2.0)
    shapes: dict[str, Any] = {
        "facecolors": faces,
        "edgecolors": edges,
        "lw": width,
        "zorder": order,
    }
    ax.add_collection(PolyCollection(list(outlines), **shapes))
    size, dot = (70, "P") if marked else (14, "o")
    across, up = centres.T
    ax.scatter(across, up, s=size, c=colours, marker=dot, lw=0, zorder=order + 0.2)


def _name_places(ax: Axes, families: Sequence[str], centres: Array, marked: int) -> None:
    """Write the marked families' names, then others', from the outside in, where there is room."""
    outside = marked + np.argsort(-np.hypot(*centres[marked:].T), kind="stable")
    unit = ax.figure.dpi / 72.0 * _NAME_SIZE
    places, (left, right) = ax.transData.transform(centres), ax.bbox.intervalx
    taken = [(x - 0.2 * unit, x + 0.2 * unit, y, 0.0) for x, y in places]
    for number in (*range(marked), *map(int, outside)):
        name, (x, y) = draw.shown(families[number], 22), places[number]
        wide = 0.62 * unit * len(name) * (1.15 if number < marked else 1.0)
        sides = [(x + 0.8 * unit, x + 0.8 * unit + wide), (x - 0.8 * unit - wide, x - 0.8 * unit)]
        inside = [ends for ends in sides if left <= ends[0] and ends[1] <= right]
        free = [ends for ends in inside if _is_free(*ends, y, 1.3 * unit, taken)]
        if free or number < marked:
            ends = (free or inside or sides)[0]
            taken.append((*ends, y, 1.3 * unit))
            _write_beside(ax, name, centres[number], right=ends[0] > x, bold=number < marked)


def _is_free(
    start: float, end: float, y: float, high: float, taken: Sequence[tuple[float, ...]]
) -> bool:
    """Tell whether a name would stand on no dot, and on no name that is written already."""
    return all(
        abs(y - other_y) > 0.5 * (high + other_high) or start > other_end or other_start > end
        for other_start, other_end, other_y, other_high in taken
    )


def _write_beside(ax: Axes, name: str, centre: Array, *, right: bool, bold: bool) -> None:
    """Write a family's name to the right or left of its dot."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=3, foreground="white")] if bold else []
    ax.annotate(
        name, (float(centre[0]), float(centre[1])), (0.8 * _NAME_SIZE * (1 if right else -1), 0),
        textcoords="offset points", ha="left" if right else "right", va="center",
        fontsize=_NAME_SIZE, weight="bold" if bold else "normal", color=draw.INK,
        path_effects=halo, zorder=3,
    )  # fmt: skip
