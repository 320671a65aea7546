"""The picture of a response curve: expected scores, their scatter, and the scores at one skill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lvkit import drawing as draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.curve import ResponseCurve

__all__ = ["plot_response"]

_POINTS = 121
_EDGE = 0.0025
"""How near to 0 and 1 densities are drawn, which may be infinite there."""


def plot_response(
    curve: ResponseCurve,
    *,
    skill: float | None = None,
    level: float = 0.9,
    span: tuple[float, float] = (-4.0, 4.0),
    ax: Axes | None = None,
) -> Axes:
    """Draw the expected score against the skill, with the band that holds most scores.

    Read off it that the same step in skill gains much half-way up and little at the ends, and that
    scores scatter most half-way up too. Beside the curve stands, on the same axis of scores, the
    density of scores at one skill: at the ends of the curve it is skewed.

    Parameters
    ----------
    curve : ResponseCurve
        The benchmark.
    skill : float, optional
        The skill whose scores are shown beside the curve; None shows the curve alone.
    level : float
        The probability that the band holds at each skill.
    span : (float, float)
        Where the axis of skills begins and ends.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    LvkitError
        If `level` is not strictly between 0 and 1.
    """
    skills = np.linspace(*span, _POINTS)
    lower, upper = curve.interval(skills, level)
    blue, orange = draw.palette()[:2]
    ax = draw.canvas(ax, width=7.2, height=3.6, xlabel="skill", ylabel="score")
    ax.fill_between(
        skills, lower, upper, color=blue, alpha=0.2, lw=0, label=f"{level:.0%} of scores"
    )
    ax.plot(skills, curve.mean(skills), color=blue, lw=2.0, label="expected score")
    if curve.floor > 0:
        ax.axhline(curve.floor, color=draw.GREY, lw=1.0, ls=":", label="floor")
    ax.set(xlim=span, ylim=(-0.02, 1.02))
    if skill is not None:
        mean = float(curve.mean(skill))
        ax.axvline(skill, color=orange, lw=1.2, ls="--", label="_skill")
        ax.plot([skill], [mean], "o", color=orange, ms=7, label=f"at skill {skill:.1f}: {mean:.2f}")
        _density_beside(ax, curve, skill, orange)
    early = float(curve.mean(span[0] + 0.3 * (span[1] - span[0])))  # where the legend has room
    ax.legend(fontsize=8, frameon=False, loc="upper left" if early < 0.55 else "lower left")
    draw.tidy(ax, grid="both")
    return ax


def _density_beside(ax: Axes, curve: ResponseCurve, skill: float, colour: Any) -> None:
    """Draw the density of scores at a skill on its side, along the same axis of scores."""
    beside = ax.inset_axes((1.03, 0.0, 0.3, 1.0), sharey=ax)
    scores = np.linspace(_EDGE, 1.0 - _EDGE, 4 * _POINTS)
    density = curve.density(scores, skill)
    beside.fill_betweenx(scores, density, color=colour, alpha=0.25, lw=0)
    beside.plot(density, scores, color=colour, lw=1.6)
    beside.set_xlim(0.0, 1.08 * float(density.max()))
    beside.set_xticks([])
    beside.tick_params(axis="y", labelleft=False, length=0)
    beside.set_xlabel(f"density at skill {skill:.1f}")
    draw.tidy(beside, grid="y")
