"""The figure of a response curve: expected scores and their spread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lvkit.model.response_curve import ResponseCurve
from lvkit.plots import drawing as draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_POINTS = 121
_EDGE = 0.0025
"""How near to 0 and 1 densities are drawn, which may be infinite there."""

_BLANK = " "
"""A label that takes its room and is written later."""


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
    ground = plot_response_ground(beside=skill is not None, span=span, ax=ax)
    return plot_response_curve(curve, skill=skill, level=level, ax=ground)


def describe_response(
    curve: ResponseCurve, *, skill: float | None = None, level: float = 0.9
) -> str:
    """Say what :func:`plot_response` shows."""
    low, high = f"{curve.floor:.2f}", "1"
    way = f"rises from {low} to {high}" if curve.loading > 0 else f"falls from {high} to {low}"
    if curve.middle is None:
        start = f"The expected score is {float(curve.mean(0.0)):.2f} at every skill"
    else:
        half = f"half-way at skill {curve.middle + 0.0:.1f}"
        start = f"The expected score {way}, {half}"
    if skill is None:
        return f"{start}."
    lower, upper = curve.interval(skill, level)
    return (
        f"{start}. At skill {skill:.1f} it is {float(curve.mean(skill)):.2f}, and {level:.0%} of "
        f"scores lie between {float(lower):.2f} and {float(upper):.2f}."
    )


response = draw.one_call(plot_response, describe_response)


def plot_response_ground(
    *, beside: bool = True, span: tuple[float, float] = (-4.0, 4.0), ax: Axes | None = None
) -> Axes:
    """Draw the lower layer of :func:`plot_response`: axes, and beside them those of the density.

    All curves share it, so that a picture that moves draws it once; what is written below the
    density tells the skill, and is left blank.

    Parameters
    ----------
    beside : bool
        Whether there is to be a density.
    span : (float, float)
        Where the axis of skills begins and ends.
    ax : matplotlib Axes, optional
        Where to draw; None makes a figure.

    Returns
    -------
    matplotlib Axes
    """
    ax = draw.canvas(ax, width=7.2, height=3.6, xlabel="skill", ylabel="score")
    ax.set(xlim=span, ylim=(-0.02, 1.02))
    draw.tidy(ax, grid="both")
    if beside:
        place = ax.inset_axes((1.03, 0.0, 0.3, 1.0), sharey=ax)
        place.set(xticks=[], xlabel=_BLANK)
        place.tick_params(axis="y", labelleft=False, length=0)
        draw.tidy(place, grid="y")
    return ax


def plot_response_curve(
    curve: ResponseCurve, *, skill: float | None = None, level: float = 0.9, ax: Axes
) -> Axes:
    """Draw the upper layer of :func:`plot_response`: the curve, its band and the density.

    Parameters
    ----------
    curve, skill, level
        As in :func:`plot_response`.
    ax : matplotlib Axes
        What :func:`plot_response_ground` returned.

    Returns
    -------
    matplotlib Axes
    """
    left, right = ax.get_xlim()
    skills = np.linspace(left, right, _POINTS)
    lower, upper = curve.interval(skills, level)
    blue, orange = draw.palette()[:2]
    ax.fill_between(
        skills, lower, upper, color=blue, alpha=0.2, lw=0, label=f"{level:.0%} of scores"
    )
    ax.plot(skills, curve.mean(skills), color=blue, lw=2.0, label="expected score")
    if curve.floor > 0:
        ax.axhline(curve.floor, color=draw.GREY, lw=1.0, ls=":", label="floor")
    if skill is not None:
        mean = float(curve.mean(skill))
        ax.axvline(skill, color=orange, lw=1.2, ls="--", label="_skill")
        ax.plot([skill], [mean], "o", color=orange, ms=7, label=f"at skill {skill:.1f}: {mean:.2f}")
        _density(ax.child_axes[-1], curve, skill, orange)
    early = float(curve.mean(left + 0.3 * (right - left)))  # where the legend has room
    ax.legend(fontsize=8, frameon=False, loc="upper left" if early < 0.55 else "lower left")
    return ax


def _density(beside: Any, curve: ResponseCurve, skill: float, colour: Any) -> None:
    """Draw the density of scores at a skill on its side, along the same axis of scores."""
    scores = np.linspace(_EDGE, 1.0 - _EDGE, 4 * _POINTS)
    density = curve.density(scores, skill)
    beside.fill_betweenx(scores, density, color=colour, alpha=0.25, lw=0)
    beside.plot(density, scores, color=colour, lw=1.6)
    beside.set_xlim(0.0, 1.08 * float(density.max()))
    beside.set_xlabel(f"density at skill {skill:.1f}")
