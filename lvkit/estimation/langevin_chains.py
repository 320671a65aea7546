"""Markov chains of the families' latent vectors that continue while the parameters change.

Given the parameters, each family's whitened latent vector has a posterior of its own. Several
chains a family draw from it by the Metropolis-adjusted Langevin algorithm: a step along the
gradient of the log posterior, in units of the inverse information at the posterior mode, plus
noise, accepted or refused so that the posterior is left as it is. All chains of a batch of families
move in one stroke. Between calls the chains stay where they are, so that when the parameters have
moved only a little they are still draws from the posterior.

From the draws come the complete-data gradient, whose posterior mean is the gradient of the marginal
log-likelihood (Fisher's identity), and the complete-data information.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.model.beta import ScoreTerms, score_terms
from lvkit.model.posterior_mode import posterior_modes
from lvkit.model.score_table import Block, Coefficients, ScoreTable

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ACCEPT = 0.6
"""Share of proposals that each family's step size is tuned to; near the best for this sampler."""

_STEP = 1.2
"""First step size, in posterior standard deviations."""

_TUNING = 0.6
"""The step size follows the acceptance with weights falling like this power of the moves."""


def batches(table: ScoreTable, size: int, rng: np.random.Generator) -> Iterator[ScoreTable]:
    """Deal the families out at random into batches as equal as can be.

    Parameters
    ----------
    table : ScoreTable
        All scores.
    size : int
        Most families in a batch.
    rng : Generator
        Deals them out.

    Yields
    ------
    ScoreTable
        The scores of a batch, its families counted from 0, all benchmarks kept.
    """
    count = -(-table.n_families // size)
    for chosen in np.array_split(rng.permutation(table.n_families), count):
        yield table.rows(np.flatnonzero(np.isin(table.family, chosen)))


@dataclass(frozen=True, eq=False)
class _Look:
    """Log posterior and its gradient at each chain's position, and the terms behind them."""

    value: Array  # (L, S)
    gradient: Array  # (L, q, S)
    pulls: Array  # (groups, m + p, S)
    terms: ScoreTerms


class Chains:
    """Several chains for each family of a batch.

    Parameters
    ----------
    table : ScoreTable
        The scores of the batch.
    count : int
        Chains of each family, at least two.
    floors : bool
        Whether gradients by the floors are wanted.
    seed : int or SeedSequence
        Source of the proposals.

    Attributes
    ----------
    draws : ndarray, shape (L, q, S)
        Where the chains are.
    acceptance : ndarray, shape (L,)
        Share of each family's proposals that were accepted in the last call of :meth:`move`.
    """

    def __init__(
        self,
        table: ScoreTable,
        *,
        count: int,
        floors: bool,
        seed: int | np.random.SeedSequence,
    ) -> None:
        self.table, self.count, self.floors = table, count, floors
        self._rng = np.random.default_rng(seed)
        whole = slice(0, table.n_families), slice(0, table.n_scores)
        self._block = Block.cut(table, *whole)
        starts = np.diff(self._block.group_family, prepend=-1)
        self._group_starts = np.flatnonzero(starts)
        self._members = [np.flatnonzero(table.benchmark == j) for j in range(table.n_benchmarks)]
        self._log_step = np.full(table.n_families, np.log(_STEP))
        self._moves = 0
        self._mode: Array | None = None
        self.acceptance = np.ones(table.n_families)

    def place(self, coefficients: Coefficients) -> None:
        """Learn each posterior's place and scale; at the first call, start the chains there."""
        first = self._mode is None
        found = posterior_modes(self.table, coefficients, self._mode, tolerance=1e-2)
        self._mode, self._scale = found.mode, found.scale
        if first:
            noise = self._rng.standard_normal((*found.mode.shape, self.count))
            self.draws = found.mode[:, :, None] + found.scale @ noise

    def move(self, coefficients: Coefficients, moves: int) -> Array:
        """Move all chains and return the complete-data gradients where they end.

        Parameters
        ----------
        coefficients : Coefficients
            The parameters, in reduced form.
        moves : int
            Proposals for each chain.

        Returns
        -------
        ndarray, shape (J, width, L, S)
            Gradient by the benchmark coefficients of each family's complete-data log-likelihood, at
            each of its chains; ordered as in :class:`lvkit.model.marginal.Marginal`.
        """
        if self._mode is None:
            self.place(coefficients)
        here = self._look(coefficients, self.draws)
        accepted = np.zeros(self.table.n_families)
        for _ in range(moves):
            here, taken = self._propose(coefficients, here)
            accepted += taken.mean(axis=1)
        self.acceptance = accepted / moves
        return self._complete(coefficients, here)

    def _propose(self, coefficients: Coefficients, here: _Look) -> tuple[_Look, Mask]:
        """One proposal for every chain; the looks of those who take it replace the old ones."""
        step = np.exp(self._log_step)[:, None, None]
        turned = np.swapaxes(self._scale, 1, 2)
        noise = self._rng.standard_normal(self.draws.shape)
        drift = turned @ here.gradient
        proposed = self.draws + self._scale @ (0.5 * step**2 * drift + step * noise)
        there = self._look(coefficients, proposed)
        back = noise + 0.5 * step * (drift + turned @ there.gradient)
        ratio = there.value - here.value
        ratio += 0.5 * (np.square(noise) - np.square(back)).sum(axis=1)
        taken = np.log(self._rng.random(ratio.shape)) < ratio
        self.draws = np.where(taken[:, None], proposed, self.draws)
        self._moves += 1
        miss = taken.mean(axis=1) - _ACCEPT
        self._log_step += miss / self._moves**_TUNING
        return self._merge(taken, there, here), taken

    def _merge(self, taken: Mask, there: _Look, here: _Look) -> _Look:
        """Return one look for the chains that moved, and another for those that stayed."""
        by_score, by_group = taken[self._block.family], taken[self._block.group_family]

        def pick(new: Array | None, old: Array | None) -> Array | None:
            return None if new is None or old is None else np.where(by_score, new, old)

        terms = ScoreTerms(
            here.terms.value, None, pick(there.terms.r, here.terms.r),
            pick(there.terms.c, here.terms.c),
        )  # fmt: skip
        return _Look(
            np.where(taken, there.value, here.value),
            np.where(taken[:, None], there.gradient, here.gradient),
            np.where(by_group[:, None], there.pulls, here.pulls),
            terms,
        )

    def _terms(self, coefficients: Coefficients, z: Array, order: int) -> ScoreTerms:
        table = self.table
        weights = coefficients.latent_weights(table)
        eta = np.einsum("nq,nqs->ns", weights, z[table.family])
        eta += coefficients.fixed_part(table)[:, None]
        return score_terms(
            table.seen,
            eta,
            coefficients.log_precision[table.benchmark, None],
            coefficients.floor[table.benchmark, None],
            order=order,
            floors=self.floors,
        )

    def _look(self, coefficients: Coefficients, z: Array) -> _Look:
        terms = self._terms(coefficients, z, 1)
        block, m = self._block, len(coefficients.latent)
        value = np.add.reduceat(terms.value, block.family_starts, axis=0)
        value -= 0.5 * np.einsum("lqs,lqs->ls", z, z)
        assert terms.e is not None
        pulls = (block.weighted_sums @ terms.e).reshape(len(block.group_family), -1, self.count)
        weights = coefficients.latent[:, block.group_benchmark]
        by_group = np.einsum("rgq,grs->gqs", weights, pulls[:, :m])
        gradient = np.add.reduceat(by_group, self._group_starts, axis=0) - z
        return _Look(value, gradient, pulls, terms)

    def _complete(self, coefficients: Coefficients, here: _Look) -> Array:
        """Spread the sums over scores of a family and benchmark into one array of gradients."""
        block, z = self._block, self.draws
        family, benchmark = block.group_family, block.group_benchmark
        m, n_benchmarks, q = coefficients.latent.shape
        shape = (n_benchmarks, coefficients.width, self.table.n_families, self.count)
        out = np.zeros(shape)
        for r in range(m):
            out[benchmark, r * q : (r + 1) * q, family] = here.pulls[:, r, None] * z[family]
        out[benchmark, m * q : -3, family] = here.pulls[:, m:]
        out[benchmark, -3, family] = here.pulls[:, 0]
        assert here.terms.r is not None
        out[benchmark, -2, family] = block.plain_sums @ here.terms.r
        if here.terms.c is not None:
            out[benchmark, -1, family] = block.plain_sums @ here.terms.c
        return out

    def known(self, coefficients: Coefficients) -> Array:
        """Return the complete-data information, a block for each benchmark, at the draws.

        Returns
        -------
        ndarray, shape (J, width, width)
            Mean over the chains, summed over the families.
        """
        terms = self._terms(coefficients, self.draws, 2)
        table, q = self.table, self.draws.shape[1]
        n, m = table.design.shape
        z = self.draws[table.family].swapaxes(1, 2)  # (n, S, q)
        latent = (table.design[:, None, :, None] * z[:, :, None, :]).reshape(n, -1, m * q)
        fixed = np.concatenate([table.features, np.ones((n, 1))], axis=1)
        wide = (n, self.count, fixed.shape[1])
        v = np.concatenate([latent, np.broadcast_to(fixed[:, None], wide)], axis=2)
        out = np.zeros((table.n_benchmarks, coefficients.width, coefficients.width))
        for block, rows in zip(out, self._members, strict=True):
            self._fill(block, v[rows].reshape(-1, v.shape[2]), terms, rows)
        return out / -self.count

    def _fill(self, block: Array, v: Array, terms: ScoreTerms, rows: npt.NDArray[np.intp]) -> None:
        """Put the complete-data Hessian of one benchmark's scores into its block."""

        def flat(values: Array | None) -> Array:
            return np.zeros(len(v)) if values is None else values[rows].ravel()

        end = v.shape[1]
        block[:end, :end] = (v * flat(terms.ee)[:, None]).T @ v
        border = np.column_stack([flat(terms.er), flat(terms.ec)])
        block[:end, end:] = v.T @ border
        block[end:, :end] = block[:end, end:].T
        corner = [flat(terms.rr).sum(), flat(terms.cr).sum(), flat(terms.cc).sum()]
        block[end:, end:] = [[corner[0], corner[1]], [corner[1], corner[2]]]
