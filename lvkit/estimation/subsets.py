"""Parts of a large table: a climb that begins on them needs few steps on the whole.

Most steps of a climb only find the region of the top, and for that a small random part of the
scores says as much as all of them. Its top lies within a few of its own standard errors of the
whole table's, and from there Newton's method needs a handful of steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lvkit.model.score_table import ScoreTable

Index = npt.NDArray[np.intp]

LARGE = 30_000
"""Tables of more scores than this are searched by parts, and by the nodes for large tables."""

_FIRST = 10_000
"""Scores of the first part."""

_GROWTH = 10
"""How many times larger each part is than the one before."""

_LARGEST = 1 / 3
"""Largest share of the table that is worth a climb of its own."""

_FAMILIES = 200
"""A part has this many families, or all: of a large family only some models. With 42 families of
20 models the directions that only families tell apart are hardly determined, and the way from there
takes twice as long as from 200 families of five."""

_LEAST = 200
"""Scores that each benchmark has in a part, if it has so many."""


def parts(table: ScoreTable, seed: int = 0) -> Iterator[ScoreTable]:
    """Yield random parts of a large table, each ten times the one before.

    Parameters
    ----------
    table : ScoreTable
        The whole. One of up to 30,000 scores has no parts.
    seed : int
        Seed of the choice.

    Yields
    ------
    ScoreTable
        Scores of some models of some families, some 10,000 in the first part, and at least 200 of
        every benchmark; more where it takes more to have them. All benchmarks keep their places.

    Notes
    -----
    Families come whole where they are not large, so that what they have in common can be learned.
    """
    if table.n_scores <= LARGE:
        return
    chooser, size = _Chooser(table, seed), _FIRST
    while True:
        rows = chooser.rows(size)
        if len(rows) > _LARGEST * table.n_scores:
            return
        yield table.rows(rows)
        size = _GROWTH * max(size, len(rows))


class _Chooser:
    """Chooses scores by families and models in random order; a larger part holds the smaller."""

    def __init__(self, table: ScoreTable, seed: int) -> None:
        self.table = table
        rng = np.random.default_rng([seed, 4])
        self.turn = rng.permutation(table.n_families)[table.family]  # of each score's family
        models, of_score = np.unique(table.model, return_inverse=True)
        self.place = _places(table, of_score, rng.permutation(len(models)))

    def rows(self, size: int) -> Index:
        """Return some `size` scores, in ascending order."""
        table = self.table
        n_families = min(_FAMILIES, table.n_families)
        near = self.place < size / n_families  # few enough scores of its family come before
        sizes = np.bincount(self.turn[near], minlength=table.n_families)
        chosen = np.arange(table.n_families) <= np.searchsorted(np.cumsum(sizes), size)
        for benchmark in range(table.n_benchmarks):
            turns = np.sort(self.turn[near & (table.benchmark == benchmark)])[:_LEAST]
            chosen[turns] = True
        return np.flatnonzero(near & chosen[self.turn])


def _places(table: ScoreTable, of_score: Index, turn: Index) -> Index:
    """Return how many scores of a score's family belong to models whose turn comes earlier."""
    order = np.lexsort((turn[of_score], table.family))
    family, model = table.family[order], of_score[order]
    at = np.arange(table.n_scores)
    first = np.maximum.accumulate(np.where(np.diff(model, prepend=-1) != 0, at, 0))
    begin = np.maximum.accumulate(np.where(np.diff(family, prepend=-1) != 0, at, 0))
    places = np.empty(table.n_scores, dtype=np.intp)
    places[order] = first - begin
    return places
