"""The scores in long form, and the reduced form of the model that the integrals use.

In reduced form every score is a Beta regression on known covariates and on its family's latent
vector. For benchmark j, model i of family l and whitened latent vector ``z ~ N(0, I_q)``

    eta = sum_r  Z_ir  A_rj' z  +  b_j' x_i  +  d_j ,

with latent design Z (a column of ones; a further column for each feature whose slope differs
between families), features x, and per benchmark the coefficients A (m x q), b (p), d, log precision
and floor. How skills, loadings and correlations produce them is said in
:mod:`lvkit.model.coordinates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvkit.model.beta import Evidence, evidence

if TYPE_CHECKING:
    from scipy.sparse import csr_array


Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_BLOCK = 16_384
"""Scores times nodes worked on at once: their temporaries stay within a core's cache."""

_WIDE_BLOCK = 65_536
"""The same where threads work side by side: they meet less often between two array operations."""

_LARGE_FAMILY = 2**20
"""A family of more scores times nodes than this is worked on in slices, to bound the memory."""

_SLICE = 2**16
"""Scores times nodes of such a slice."""

_LARGE_TABLE = 100_000
"""A table of more scores than this is worked on in chunks of families."""

_CHUNK = 16_384
"""Scores of such a chunk, if its families allow: enough to keep a thread busy for a while."""


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """The measured scores in long form, sorted by family and then by benchmark.

    Attributes
    ----------
    family, model, benchmark : ndarray of int, shape (n,)
        Position of each score's family, model and benchmark.
    seen : Evidence
        The scores themselves, clipped, as the Beta likelihood needs them.
    features : ndarray, shape (n, p)
        Centred features of each score's model.
    design : ndarray, shape (n, m)
        Latent design of each score's model; the first column is one.
    n_families, n_benchmarks : int
        Families and benchmarks that have scores.
    """

    family: Index
    model: Index
    benchmark: Index
    seen: Evidence
    features: Array
    design: Array
    n_families: int
    n_benchmarks: int
    family_starts: Index = field(repr=False)
    group_starts: Index = field(repr=False)
    _blocks: dict[int, tuple[Block, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def build(
        cls, scores: Array, family: Index, features: Array, design: Array, clip: float
    ) -> ScoreTable:
        """Arrange a models x benchmarks matrix of scores (NaN = not measured).

        Parameters
        ----------
        scores : ndarray, shape (models, benchmarks)
            Every model and every benchmark has at least one score.
        family : ndarray of int, shape (models,)
            Families counted from 0, none empty.
        features, design : ndarray, shapes (models, p) and (models, m)
            Centred features and latent design of each model.
        clip : float
            Scores are held within ``[clip, 1 - clip]``.
        """
        model, benchmark = np.nonzero(~np.isnan(scores))
        order = np.lexsort((model, benchmark, family[model]))
        model, benchmark = model[order], benchmark[order]
        of_family = family[model]
        group = of_family * scores.shape[1] + benchmark
        y = np.clip(scores[model, benchmark], clip, 1.0 - clip)
        return cls(
            family=of_family,
            model=model,
            benchmark=benchmark,
            seen=evidence(y),
            features=features[model],
            design=design[model],
            n_families=int(of_family[-1]) + 1,
            n_benchmarks=scores.shape[1],
            family_starts=np.flatnonzero(np.diff(of_family, prepend=-1)),
            group_starts=np.flatnonzero(np.diff(group, prepend=-1)),
        )

    @property
    def n_scores(self) -> int:
        """Number of scores."""
        return len(self.family)

    def rows(self, which: slice | Index) -> ScoreTable:
        """Return some of the scores, given in ascending order.

        Families left without scores are left out, and the others counted from 0; models and
        benchmarks keep their places. A slice gives views of the same arrays.
        """
        benchmark = self.benchmark[which]
        starts = np.flatnonzero(np.diff(self.family[which], prepend=-1))
        sizes = np.diff(np.append(starts, len(benchmark)))
        family = np.repeat(np.arange(len(starts)), sizes)
        group = family * self.n_benchmarks + benchmark
        return ScoreTable(
            family=family,
            model=self.model[which],
            benchmark=benchmark,
            seen=self.seen.rows(which),
            features=self.features[which],
            design=self.design[which],
            n_families=len(starts),
            n_benchmarks=self.n_benchmarks,
            family_starts=starts,
            group_starts=np.flatnonzero(np.diff(group, prepend=-1)),
        )

    def of_family(self, at: int) -> ScoreTable:
        """Return one family's scores; it becomes the first, benchmarks keep their places."""
        return self.rows(np.flatnonzero(self.family == at))

    def repeated(self, times: int) -> ScoreTable:
        """Return the table several times over, each time with families and benchmarks of its own.

        With :meth:`Coefficients.stacked` the same scores are looked at under several sets of
        parameters in one pass.
        """
        n = self.n_scores
        row = np.tile(np.arange(n), times)
        copy = np.arange(times)[:, None]
        at = np.repeat(np.arange(times), n)
        return ScoreTable(
            family=self.family[row] + at * self.n_families,
            model=self.model[row],
            benchmark=self.benchmark[row] + at * self.n_benchmarks,
            seen=self.seen.rows(row),
            features=self.features[row],
            design=self.design[row],
            n_families=self.n_families * times,
            n_benchmarks=self.n_benchmarks * times,
            family_starts=(self.family_starts + n * copy).ravel(),
            group_starts=(self.group_starts + n * copy).ravel(),
        )

    def chunks(self) -> list[tuple[slice, slice]]:
        """Return runs of whole families, and their scores, that can be worked on one by one.

        One run of all where the table is not large. They depend on nothing but the table, so that
        sums over chunks, taken in their order, are the same however the work is shared out.
        """
        if self.n_scores <= _LARGE_TABLE:
            return [(slice(0, self.n_families), slice(0, self.n_scores))]
        return list(self._runs(_CHUNK))

    def blocks(self, n_nodes: int, *, wide: bool = False) -> tuple[Block, ...]:
        """Return runs of whole families, each small enough for a core's cache if it can be.

        Wide ones are for the chunks of a large table.
        """
        limit = max(1, (_WIDE_BLOCK if wide else _BLOCK) // n_nodes)
        if limit not in self._blocks:
            self._blocks[limit] = tuple(Block.cut(self, *run) for run in self._runs(limit))
        return self._blocks[limit]

    def slices(self, block: Block, n_nodes: int) -> tuple[Block, ...]:
        """Return a block in slices of bounded size: itself, unless it is one very large family."""
        start, stop = block.scores.start, block.scores.stop
        if (stop - start) * n_nodes <= _LARGE_FAMILY or len(block.family_starts) > 1:
            return (block,)
        step = max(1, _SLICE // n_nodes)
        cuts = range(start, stop, step)
        return tuple(
            Block.cut(self, block.families, slice(at, min(at + step, stop))) for at in cuts
        )

    def _runs(self, limit: int) -> Iterator[tuple[slice, slice]]:
        """Yield runs of whole families, and their scores: at most `limit`, or one family."""
        ends = np.append(self.family_starts[1:], self.n_scores)
        first = 0
        while first < self.n_families:
            start = int(self.family_starts[first])
            last = int(np.searchsorted(ends, start + limit, side="right"))
            last = max(last, first + 1)
            yield slice(first, last), slice(start, int(ends[last - 1]))
            first = last


@dataclass(frozen=True, eq=False)
class Block:
    """A run of whole families of a :class:`ScoreTable`, or a slice of one family's scores."""

    families: slice
    scores: slice
    family: Index  # of each score, counted from the block's first family
    benchmark: Index
    family_starts: Index
    group_starts: Index
    group_family: Index
    group_benchmark: Index
    covariates: Array  # design and features of each score

    @classmethod
    def cut(cls, table: ScoreTable, families: slice, scores: slice) -> Block:
        """Return the run of these families, whose scores are these."""
        family = table.family[scores] - families.start
        benchmark = table.benchmark[scores]
        group = family * table.n_benchmarks + benchmark
        groups = np.flatnonzero(np.diff(group, prepend=-1))
        return cls(
            families,
            scores,
            family,
            benchmark,
            np.flatnonzero(np.diff(family, prepend=-1)),
            groups,
            family[groups],
            benchmark[groups],
            np.concatenate([table.design[scores], table.features[scores]], axis=1),
        )

    @cached_property
    def plain_sums(self) -> csr_array:
        """Matrix (groups, scores) that adds up the scores of each family and benchmark."""
        return _group_sums(self.group_starts, np.ones((len(self.family), 1)))

    @cached_property
    def weighted_sums(self) -> csr_array:
        """Matrix (groups (m + p), scores) that multiplies by design and features, then adds up."""
        return _group_sums(self.group_starts, self.covariates)


def _group_sums(starts: Index, covariates: Array) -> csr_array:
    """Return the sparse matrix that multiplies by each covariate and adds up runs of rows.

    Row ``g * c + k`` belongs to run g and covariate k: several times quicker than adding up runs of
    products.
    """
    from scipy.sparse import csr_array

    n, count = covariates.shape
    sizes = np.diff(np.append(starts, n))
    run = np.repeat(np.arange(len(starts)), sizes)
    order = np.argsort((run[:, None] * count + np.arange(count)).ravel(), kind="stable")
    ends = np.append(0, np.cumsum(np.repeat(sizes, count)))
    shape = (len(starts) * count, n)
    return csr_array((covariates.ravel()[order], order // count, ends), shape=shape)


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The reduced form: each benchmark's coefficients.

    Attributes
    ----------
    latent : ndarray, shape (m, J, q)
        Weights of the whitened latent vector, for each column of the latent design.
    feature : ndarray, shape (J, p)
        Weights of the centred features.
    intercept, log_precision, floor : ndarray, shape (J,)
        Intercept (logits), logarithm of the Beta precision, and floor.
    """

    latent: Array
    feature: Array
    intercept: Array
    log_precision: Array
    floor: Array

    @classmethod
    def stacked(cls, each: Sequence[Coefficients]) -> Coefficients:
        """Return several sets of coefficients as one, the benchmarks one set after the other."""

        def joined(name: str) -> Array:
            return np.concatenate([getattr(one, name) for one in each])

        latent = np.concatenate([one.latent for one in each], axis=1)
        rest = ("feature", "intercept", "log_precision", "floor")
        return cls(latent, *map(joined, rest))

    @property
    def width(self) -> int:
        """Entries of one benchmark in gradient and Hessian: m q + p + 3."""
        m, _, q = self.latent.shape
        return int(m * q + self.feature.shape[1] + 3)

    def latent_weights(self, table: ScoreTable) -> Array:
        """Return the weight of the family's latent vector in each score, shape (n, q)."""
        weights = self.latent[:, table.benchmark]
        if len(weights) == 1:
            return np.asarray(weights[0])
        return np.asarray(np.einsum("nr,rnq->nq", table.design, weights))

    def fixed_part(self, table: ScoreTable) -> Array:
        """Return what features and intercept add to each score's predictor, shape (n,)."""
        fixed = np.einsum("np,np->n", table.features, self.feature[table.benchmark])
        return np.asarray(fixed + self.intercept[table.benchmark])
