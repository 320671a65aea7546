"""Words: what all sentences about results share.

Names come from users' files: in a :class:`Prose` they are text, whatever signs are in them. The
rest are the phrases that more than one sentence needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lvkit.drawing import benchmark_labels
from lvkit.errors import count
from lvkit.interpret import SCALE_FEATURES, fitted_errors, main_skills, scale_effects

if TYPE_CHECKING:
    from lvkit.results import Fit


_MARKUP = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_[]<>#|~$&"}


@dataclass(frozen=True)
class Prose:
    """Paragraphs of plain words, each with a few words that say what it is about.

    Shown as Markdown in notebooks; whatever signs the names in it have, they are read as text.

    Attributes
    ----------
    paragraphs : tuple of (str, str)
        Subject and text.

    Examples
    --------
    >>> prose = Prose((("Scores", "The family *x* has two."),))
    >>> print(prose)
    Scores: The family *x* has two.
    >>> prose._repr_markdown_()
    '**Scores.** The family &#42;x&#42; has two.'
    """

    paragraphs: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{subject}: {text}" for subject, text in self.paragraphs)

    def _repr_markdown_(self) -> str:
        parts = [
            f"**{subject.translate(_MARKUP)}.** {text.translate(_MARKUP)}"
            for subject, text in self.paragraphs
        ]
        return "\n\n".join(parts)


def listed(items: Iterable[object], word: str = "and") -> str:
    """Return ``a, b and c``."""
    *first, last = [str(item) for item in items] or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def some(items: Iterable[object], most: int = 6) -> str:
    """Return a few names, and how many more there are.

    Examples
    --------
    >>> some("abcd", most=2)
    'a, b and 2 more'
    """
    every = [str(item) for item in items]
    more = len(every) - most
    return listed([*every[:most], f"{more} more"] if more > 0 else every)


def signed(value: float) -> str:
    """Return a standing with its sign, and none before a zero.

    Examples
    --------
    >>> signed(1.23), signed(-0.04)
    ('+1.2', '0.0')
    """
    rounded = round(float(value), 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def features_of(fit: Fit) -> str:
    """Return what goes along with the skills, in plain words: size and tokens, most often."""
    effects = scale_effects(fit)
    if effects is None:
        return "the features"
    others = set(fit.feature_names) - SCALE_FEATURES
    return listed([*effects, "other features"] if others else effects)


def company(fit: Fit) -> dict[str, list[str]]:
    """Return, for each skill, the benchmarks by label that load on it most, without its anchor."""
    labels, found = benchmark_labels(fit.panel), {skill: list[str]() for skill in fit.skills}
    for name, skill in main_skills(fit).items():
        if name != fit.anchors[skill]:
            found[skill].append(labels[str(name)])
    return found


def extremes(standings: pd.Series[float], known: pd.DataFrame | None = None) -> str:
    """Return which families stand highest and lowest on a skill, and how well that is known."""
    ranked = standings.sort_values(ascending=False, kind="stable")

    def told(some: pd.Series[float]) -> str:
        return listed(f"{name} ({value:+.1f}{doubt(name)})" for name, value in some.items())

    def doubt(name: Any) -> str:
        if known is None:
            return ""
        sd, scores = float(known["sd"][name]), int(known["n_scores"][name])
        return f" ± {sd:.1f}, {count(scores, 'score')}"

    if len(ranked) < 6:
        return f"{standings.name}: from the highest, {told(ranked)}."
    highest, lowest = told(ranked.head(3)), told(ranked.tail(2).iloc[::-1])
    return f"In {standings.name}, {highest} stand highest, {lowest} lowest."


def pairs(fit: Fit) -> pd.Series[float]:
    """Return the correlation of each pair of skills, highest first."""
    table = fit.correlation.to_numpy()
    names = list(fit.skills)
    rows, columns = np.triu_indices(len(names), k=1)
    index = pd.MultiIndex.from_arrays([[names[i] for i in rows], [names[j] for j in columns]])
    values = pd.Series(table[rows, columns], index=index, dtype=float)
    return values.sort_values(ascending=False, kind="stable")


def errors(fit: Fit) -> str:
    """Say how far fitted scores are from observed ones."""
    points, labels = fitted_errors(fit), benchmark_labels(fit.panel)
    worst, best = str(points.idxmax()), str(points.idxmin())
    return (
        f"The mean absolute error is {points.mean():.1f} points on average over benchmarks, "
        f"smallest for {labels[best]} ({points[best]:.1f}) and largest for {labels[worst]} "
        f"({points[worst]:.1f})."
    )
