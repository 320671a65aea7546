"""Views: the pictures of a fit that a widget shows, each with the words that say what is seen.

A view is not drawn yet: it knows how to be drawn, what it shows, and which pictures before it had
the same shape, so that :class:`~lvkit.widgets.picture.PictureBox` need not work out anew what goes
where.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from lvkit import plots
from lvkit.reporting import describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.posterior import FamilyPosterior
    from lvkit.results import Fit

__all__ = [
    "View",
    "compared",
    "correlation_view",
    "loadings_view",
    "map_view",
    "pair_view",
]


class View(NamedTuple):
    """A picture to be drawn.

    Attributes
    ----------
    paint : callable
        Draws it on a figure of its own and returns the axes.
    alt : str
        What is to be seen.
    keep : hashable
        The same for pictures in which everything goes where it went before.
    """

    paint: Callable[[], Axes]
    alt: str
    keep: Hashable


def loadings_view(fit: Fit, *, errors: bool = False, skill: str | None = None) -> View:
    """Return the view of the loadings: all skills or, with errors, one skill's intervals."""
    if errors and skill is not None:
        alt = describe.describe_loading_intervals(fit, skill)
        keep: Hashable = ("intervals", skill, tuple(fit.anchors.values()))
        return View(lambda: plots.plot_loading_intervals(fit, skill), alt, keep)
    alt = describe.describe_loadings(fit, errors=errors)
    keep = ("loadings", errors, _longest(fit))
    return View(lambda: plots.plot_loadings(fit, errors=errors), alt, keep)


def correlation_view(fit: Fit) -> View:
    """Return the view of the skills' correlations between families."""
    alt, keep = describe.describe_correlation(fit), ("correlation", _longest(fit))
    return View(lambda: plots.plot_correlation(fit), alt, keep)


def map_view(
    fit: Fit, skills: tuple[str, str], *, families: Sequence[str] = (), top: int | None = None
) -> View:
    """Return the view of families on two skills; of a fit with one skill, their ranking."""
    if len(fit.skills) == 1:
        alone, alt = skills[0], describe.describe_families(fit, skill=skills[0], top=top)
        keep: Hashable = ("ranking", top)
        return View(lambda: plots.plot_families(fit, skill=alone, top=top), alt, keep)
    more = {"skills": skills, "families": families, "top": top}
    alt = describe.describe_family_map(fit, **more)  # type: ignore[arg-type]
    return View(lambda: _steady(plots.plot_family_map(fit, **more)), alt, "map")  # type: ignore[arg-type]


def pair_view(post: FamilyPosterior, a: str, b: str, skills: tuple[str, str]) -> View:
    """Return the view of two families' posteriors on two skills."""
    alt = describe.describe_family_density(post, a, b, skills=skills)
    return View(
        lambda: _steady(plots.plot_family_density(post, a, b, skills=skills)), alt, "density"
    )


def compared(post: FamilyPosterior, a: str, b: str, *, level: float = 0.95) -> pd.DataFrame:
    """Return how family a differs from b, a row for each skill, in columns with plain names."""
    names = {"difference": f"{a} less {b}", "probability": f"probability that {a} stands higher"}
    return post.compare(a, b, level).rename(columns=names).reset_index()


def _steady(ax: Axes) -> Axes:
    """Put the label of the upright axis where it stays, however long the numbers beside it are."""
    ax.yaxis.set_label_coords(-0.09, 0.5)
    return ax


def _longest(fit: Fit) -> tuple[int, int]:
    """Return what decides how much room the skills' names take."""
    return len(fit.skills), max(len(skill) for skill in fit.skills)
