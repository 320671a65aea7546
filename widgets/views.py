"""Views: the pictures of a fit that a widget shows, each with the words that say what is seen.

A view is not drawn yet: it knows how to be drawn, what it shows, and which pictures are of the same
kind, so that :class:`~lvkit.widgets.picture.PictureBox` need not make axes anew.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from lvkit import plots
from lvkit.plots.family import describe_family_density
from lvkit.plots.family_effects import describe_families, describe_family_map
from lvkit.plots.fit import describe_correlation, describe_loading_intervals, describe_loadings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lvkit.estimation.family_posterior import FamilyPosterior
    from lvkit.fit.fit import Fit


class View(NamedTuple):
    """A picture to be drawn.

    Attributes
    ----------
    paint : callable
        Draws it on axes, or given None on a figure of its own, and returns the axes.
    alt : str
        What is to be seen.
    keep : hashable
        Its kind: pictures of one kind are drawn on the same axes, in turn.
    room : hashable
        The same for pictures of a kind that need as much room for what is written around them.
    """

    paint: Callable[[Axes | None], Axes]
    alt: str
    keep: Hashable
    room: Hashable = None


def loadings_view(fit: Fit, *, errors: bool = False, skill: str | None = None) -> View:
    """Return the view of the loadings: all skills or, with errors, one skill's intervals."""
    if errors and skill is not None:
        alt = describe_loading_intervals(fit, skill)
        room: Hashable = (skill, tuple(fit.anchors.values()))
        return View(
            lambda ax: plots.plot_loading_intervals(fit, skill, ax=ax), alt, "intervals", room
        )
    alt = describe_loadings(fit, errors=errors)
    keep = ("loadings", errors, len(fit.skills))
    return View(lambda ax: plots.plot_loadings(fit, errors=errors, ax=ax), alt, keep, _longest(fit))


def correlation_view(fit: Fit) -> View:
    """Return the view of the skills' correlations between families."""
    alt, keep = describe_correlation(fit), ("correlation", len(fit.skills))
    return View(lambda ax: plots.plot_correlation(fit, ax=ax), alt, keep, _longest(fit))


def map_view(
    fit: Fit, skills: tuple[str, str], *, families: Sequence[str] = (), top: int | None = None
) -> View:
    """Return the view of families on two skills; of a fit with one skill, their ranking."""
    if len(fit.skills) == 1:
        alone, alt = skills[0], describe_families(fit, skill=skills[0], top=top)
        keep: Hashable = ("ranking", top)
        return View(lambda ax: plots.plot_families(fit, skill=alone, top=top, ax=ax), alt, keep)
    more = {"skills": skills, "families": families, "top": top}
    alt = describe_family_map(fit, **more)  # type: ignore[arg-type]
    return View(lambda ax: _steady(plots.plot_family_map(fit, **more, ax=ax)), alt, "map")  # type: ignore[arg-type]


def pair_view(post: FamilyPosterior, a: str, b: str, skills: tuple[str, str]) -> View:
    """Return the view of two families' posteriors on two skills."""
    alt = describe_family_density(post, a, b, skills=skills)
    return View(
        lambda ax: _steady(plots.plot_family_density(post, a, b, skills=skills, ax=ax)),
        alt,
        "density",
    )


def compared(post: FamilyPosterior, a: str, b: str, *, level: float = 0.95) -> pd.DataFrame:
    """Return how family a differs from b, a row for each skill, in columns with plain names."""
    names = {"difference": f"{a} less {b}", "probability": f"probability that {a} stands higher"}
    return post.compare(a, b, level).rename(columns=names).reset_index()


def _steady(ax: Axes) -> Axes:
    """Put the label of the upright axis where it stays, however long the numbers beside it are."""
    ax.yaxis.set_label_coords(-0.09, 0.5)
    return ax


def _longest(fit: Fit) -> int:
    """Return what decides how much room the skills' names take."""
    return max(len(skill) for skill in fit.skills)
