"""The choice of anchors: which benchmarks make skills readable.

The likelihood cannot tell: every set of anchors fits equally well. But sets differ in how readable
the skills are. Good anchors give a *simple structure*, each benchmark resting on few skills, and
skills that are not near copies of one another. Re-anchoring is algebra, so all sets can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.structure import Frame

__all__ = ["AnchorSuggestions", "suggest_anchors"]

Array = npt.NDArray[np.float64]

_MOST_SETS = 200_000
"""More sets than this are not enumerated; the benchmarks that stand out are tried instead."""

_WORST_CORRELATION = 0.95


@dataclass(frozen=True, eq=False)
class AnchorSuggestions:
    """Sets of anchors, best first.

    Attributes
    ----------
    table : DataFrame
        A row for each set: ``anchors``; ``complexity``, the mean number of skills a benchmark rests
        on (Hofmann; 1 is simplest); ``mean_correlation`` and ``max_correlation`` of the skills, in
        absolute value; ``score``, the sum of complexity and mean correlation (lower is better);
        ``reason``, in words.
    """

    table: pd.DataFrame

    @property
    def best(self) -> dict[str, str]:
        """The best set, each skill named after its anchor."""
        return {name: name for name in self.table["anchors"].iloc[0]}

    def _repr_html_(self) -> str:
        return str(self.table.head(10).to_html(float_format="{:.2f}".format))


def suggest_anchors(frame: Frame, benchmarks: tuple[str, ...], most: int = 20) -> AnchorSuggestions:
    """Rank sets of anchors for a fitted model.

    Parameters
    ----------
    frame : Frame
        The parameters, in any frame.
    benchmarks : tuple of str, length J
        Names.
    most : int
        How many sets to return.

    Returns
    -------
    AnchorSuggestions

    Notes
    -----
    For each set the loadings and correlations after re-anchoring are computed. A benchmark's
    complexity is ``(sum lambda^2)^2 / sum lambda^4`` (Hofmann, 1978); anchors have complexity one.
    Negative loadings make skills hard to read, so their share of the squared loadings counts as
    further complexity. Sets with a correlation above 0.95 come last, since their skills are hardly
    two. Beyond 200,000 sets, only benchmarks that carry the most distinct information are tried.
    """
    n_benchmarks, n_skills = frame.loadings.shape
    candidates = np.arange(n_benchmarks)
    while comb(len(candidates), n_skills) > _MOST_SETS:
        candidates = _without_plainest(frame, candidates)
    sets = np.array(list(combinations(candidates, n_skills)))
    measures = [_measure(frame, chunk) for chunk in np.array_split(sets, -(-len(sets) // 5_000))]
    complexity, mean, largest = (np.concatenate(column) for column in zip(*measures, strict=True))
    score = complexity + mean + 10.0 * (largest > _WORST_CORRELATION)
    order = np.argsort(np.round(score, 9), kind="stable")[:most]
    table = pd.DataFrame(
        {
            "anchors": [tuple(benchmarks[j] for j in sets[at]) for at in order],
            "complexity": complexity[order],
            "mean_correlation": mean[order],
            "max_correlation": largest[order],
            "score": score[order],
        },
        index=pd.RangeIndex(1, len(order) + 1, name="rank"),
    )
    table["reason"] = [_reason(row) for row in table.itertuples()]
    return AnchorSuggestions(table)


def _without_plainest(frame: Frame, candidates: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Leave out the candidate whose family effects the others tell best."""
    effects = frame.loadings[candidates] @ frame.factor[0]
    directions = effects / np.maximum(np.linalg.norm(effects, axis=1, keepdims=True), 1e-12)
    alike = np.abs(directions @ directions.T) - np.eye(len(candidates))
    return np.delete(candidates, int(np.argmax(alike.max(axis=1))))


def _measure(frame: Frame, sets: npt.NDArray[np.intp]) -> tuple[Array, Array, Array]:
    """Complexity, mean and largest absolute correlation of many sets of anchors at once."""
    rows = frame.loadings[sets]
    spread = np.linalg.norm(rows @ frame.factor[0], axis=2)
    transform = rows / np.maximum(spread, 1e-12)[:, :, None]
    singular = np.linalg.svd(transform, compute_uv=False)
    usable = singular[:, -1] > 1e-6 * singular[:, 0]
    identity = np.eye(transform.shape[1])
    safe = np.where(usable[:, None, None], transform, identity)
    inverse = np.linalg.inv(safe)
    squares = np.square(frame.loadings @ inverse)
    negative = np.where(frame.loadings @ inverse < 0.0, squares, 0.0)
    total = squares.sum(axis=2)
    complexity = np.square(total) / np.maximum(np.square(squares).sum(axis=2), 1e-300)
    complexity += negative.sum(axis=2) / np.maximum(total, 1e-300)
    factor = safe @ frame.factor[0]
    correlation = np.abs(factor @ np.swapaxes(factor, 1, 2))
    n_skills = len(identity)
    upper = correlation[:, *np.triu_indices(n_skills, 1)]
    mean = upper.mean(axis=1) if n_skills > 1 else np.zeros(len(sets))
    largest = upper.max(axis=1) if n_skills > 1 else np.zeros(len(sets))
    bad = ~usable
    return (
        np.where(bad, np.inf, complexity.mean(axis=1)),
        np.where(bad, 1.0, mean),
        np.where(bad, 1.0, largest),
    )


def _reason(row: object) -> str:
    """Say in words what speaks for or against a set."""
    complexity, mean, largest = row.complexity, row.mean_correlation, row.max_correlation  # type: ignore[attr-defined]
    simple = (
        "simple structure"
        if complexity < 1.5
        else "fair structure"
        if complexity < 2.2
        else "mixed"
    )
    text = f"{simple}: a benchmark rests on {complexity:.1f} skills on average"
    if largest > _WORST_CORRELATION:
        return f"{text}; two skills are hardly two (correlation {largest:.2f})"
    return f"{text}; skills correlate {mean:.2f} on average, {largest:.2f} at most"
