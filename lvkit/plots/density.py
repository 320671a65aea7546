"""Two families side by side: their posteriors on two skills, as clouds with contours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lvkit import drawing as draw
from lvkit.checks import checked_names
from lvkit.errors import LvkitError
from lvkit.standings import two_skills

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.posterior import FamilyPosterior


Array = npt.NDArray[np.float64]

_INSIDE = (0.9, 0.5)
"""Posterior probabilities inside the contours, the outermost first."""

_SHADES = (0.18, 0.42)
"""How dark it is between them, and inside the innermost."""

_GRID = 120
"""Points of the density's grid, in each direction."""


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
