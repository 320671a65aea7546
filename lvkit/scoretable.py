"""The scores in long form, and the reduced form of the model: what the integrals work on.

In reduced form every score is a Beta regression on known covariates and on its family's latent
vector. For benchmark j, model i of family l and whitened latent vector ``z ~ N(0, I_q)``

    eta = sum_r  Z_ir  A_rj' z  +  b_j' x_i  +  d_j ,

with latent design Z (a column of ones; a further column for each feature whose slope differs
between families), features x, and per benchmark the coefficients A (m x q), b (p), d, log precision
and floor. How skills, loadings and correlations produce them is said in :mod:`lvkit.structure`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvkit.beta import Evidence, evidence

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["Block", "Coefficients", "ScoreTable"]

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]

_BLOCK = 16_384
"""Scores times nodes worked on at once: their temporaries stay within a core's cache."""


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

    def of_family(self, at: int) -> ScoreTable:
        """Return one family's scores; it becomes the first, benchmarks keep their places."""
        row = np.flatnonzero(self.family == at)
        benchmark = self.benchmark[row]
        return ScoreTable(
            family=np.zeros(len(row), dtype=np.intp),
            model=self.model[row],
            benchmark=benchmark,
            seen=self.seen.rows(row),
            features=self.features[row],
            design=self.design[row],
            n_families=1,
            n_benchmarks=self.n_benchmarks,
            family_starts=np.zeros(1, dtype=np.intp),
            group_starts=np.flatnonzero(np.diff(benchmark, prepend=-1)),
        )

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

    def blocks(self, n_nodes: int) -> tuple[Block, ...]:
        """Return runs of whole families, each small enough for a core's cache."""
        limit = max(1, _BLOCK // n_nodes)
        if limit not in self._blocks:
            self._blocks[limit] = tuple(self._cut(limit))
        return self._blocks[limit]

    def _cut(self, limit: int) -> Iterator[Block]:
        ends = np.append(self.family_starts[1:], self.n_scores)
        first = 0
        while first < self.n_families:
            start = self.family_starts[first]
            last = int(np.searchsorted(ends, start + limit, side="right"))
            last = max(last, first + 1)
            yield Block.cut(self, slice(first, last), slice(int(start), int(ends[last - 1])))
            first = last


@dataclass(frozen=True, eq=False)
class Block:
    """A run of whole families of a :class:`ScoreTable`."""

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
        low, high = np.searchsorted(table.group_starts, [scores.start, scores.stop])
        groups = table.group_starts[low:high] - scores.start
        covariates = np.concatenate([table.design[scores], table.features[scores]], axis=1)
        return cls(
            families,
            scores,
            family,
            benchmark,
            table.family_starts[families] - scores.start,
            groups,
            family[groups],
            benchmark[groups],
            covariates,
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
    run = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, n)))
    rows = run[:, None] * count + np.arange(count)
    columns = np.broadcast_to(np.arange(n)[:, None], rows.shape)
    shape = (len(starts) * count, n)
    return csr_array((covariates.ravel(), (rows.ravel(), columns.ravel())), shape=shape)


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
