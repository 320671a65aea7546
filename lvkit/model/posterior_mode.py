"""The mode of each family's posterior, by Newton's method.

The integrals of :mod:`lvkit.model.marginal` place their nodes there. All families are climbed at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.model.beta import score_terms
from lvkit.model.score_table import Coefficients, ScoreTable

Array = npt.NDArray[np.float64]

_MOST_STEPS = 50

_RUN = 100_000
"""Most scores looked at in one go, however large a family is."""

_SOUND = 0.2
"""Least eigenvalue of an observed curvature that is trusted; the prior alone has one."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Gaussian approximation of each family's whitened latent vector.

    Attributes
    ----------
    mode : ndarray, shape (L, q)
        Posterior mode.
    scale : ndarray, shape (L, q, q)
        ``scale @ scale.T`` is the inverse of the information at the mode.
    log_det : ndarray, shape (L,)
        Log determinant of `scale`.
    """

    mode: Array
    scale: Array
    log_det: Array

    @classmethod
    def joined(cls, each: Sequence[Posterior]) -> Posterior:
        """Return the approximations of several runs of families, one after another."""
        parts = ((part.mode, part.scale, part.log_det) for part in each)
        return cls(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def families(self, which: slice) -> Posterior:
        """Return the approximations of a run of families."""
        return Posterior(self.mode[which], self.scale[which], self.log_det[which])

    @classmethod
    def of(cls, mean: Array, covariance: Array, stretch: float = 1.0) -> Posterior:
        """Return the approximation with given means and covariances, stretched by a factor."""
        scale = np.asarray(np.linalg.cholesky(covariance) * stretch)
        log_det = np.log(np.diagonal(scale, axis1=1, axis2=2)).sum(axis=1)
        return cls(mean, scale, np.asarray(log_det))


def posterior_modes(
    table: ScoreTable,
    coefficients: Coefficients,
    start: Array | None = None,
    tolerance: float = 1e-6,
) -> Posterior:
    """Find each family's posterior mode by damped Newton steps, all families at once.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    coefficients : Coefficients
        The reduced form.
    start : ndarray, shape (L, q), optional
        Where to begin; zero by default.
    tolerance : float
        Stop when no family's step is longer than this.

    Notes
    -----
    Where the log posterior is not concave the expected information takes the place of the observed
    one and keeps the step uphill; a family whose log posterior falls shortens its step. The scale
    comes from the expected information, which is always positive definite.
    """
    slope = _LogPosterior(table, coefficients)
    z = np.zeros((table.n_families, slope.dimension)) if start is None else start
    here = slope.at(z)
    damping = np.ones(table.n_families)
    for _ in range(_MOST_STEPS):
        sound = np.linalg.eigvalsh(here.observed)[:, 0] > _SOUND
        information = np.where(sound[:, None, None], here.observed, here.expected)
        step = damping[:, None] * np.linalg.solve(information, here.gradient[:, :, None])[:, :, 0]
        there = slope.at(z + step)
        better = there.value >= here.value - 1e-9 * (1.0 + np.abs(here.value))
        damping = np.where(better, np.minimum(1.0, 2.0 * damping), 0.25 * damping)
        z = np.where(better[:, None], z + step, z)
        here = there.where(better, here)
        if np.abs(step).max() < tolerance:
            break
    root = np.linalg.cholesky(here.expected)
    scale = np.swapaxes(np.linalg.inv(root), 1, 2)
    log_det = -np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return Posterior(z, scale, np.asarray(log_det))


@dataclass(frozen=True, eq=False)
class _Look:
    """Log posterior of each family at one point: value, gradient and two curvatures."""

    value: Array
    gradient: Array
    expected: Array
    observed: Array

    def where(self, better: npt.NDArray[np.bool_], other: _Look) -> _Look:
        """Return this look for the families that are better off, the other for the rest."""
        keep, keep_matrix = better[:, None], better[:, None, None]
        return _Look(
            np.where(better, self.value, other.value),
            np.where(keep, self.gradient, other.gradient),
            np.where(keep_matrix, self.expected, other.expected),
            np.where(keep_matrix, self.observed, other.observed),
        )


class _LogPosterior:
    """The log posterior of all families' latent vectors, added up over runs of scores."""

    def __init__(self, table: ScoreTable, coefficients: Coefficients) -> None:
        self.table = table
        self.dimension = coefficients.latent.shape[2]
        cuts = range(0, table.n_scores, _RUN)
        self.runs = [_Run(table.rows(slice(at, at + _RUN)), coefficients) for at in cuts]
        self.first = [int(table.family[at]) for at in cuts]  # a run's first family

    def at(self, z: Array) -> _Look:
        """Evaluate it at one latent vector for each family, shape (L, q)."""
        q = self.dimension
        total = np.zeros((self.table.n_families, 1 + q + 2 * q * q))
        for first, run in zip(self.first, self.runs, strict=True):
            families = slice(first, first + run.table.n_families)
            total[families] += run.sums(z[families])
        curvatures = total[:, q + 1 :].reshape(-1, 2, q, q) + np.eye(q)
        value = total[:, 0] - 0.5 * np.einsum("lq,lq->l", z, z)
        return _Look(value, total[:, 1 : q + 1] - z, curvatures[:, 0], curvatures[:, 1])


class _Run:
    """A run of scores, the last of its families perhaps cut short."""

    def __init__(self, table: ScoreTable, coefficients: Coefficients) -> None:
        self.table = table
        self.weights = coefficients.latent_weights(table)
        self.fixed = coefficients.fixed_part(table)
        self.rho = coefficients.log_precision[table.benchmark, None]
        self.floor = coefficients.floor[table.benchmark, None]
        outer = self.weights[:, :, None] * self.weights[:, None, :]
        self.squares = outer.reshape(len(self.weights), -1)

    def sums(self, z: Array) -> Array:
        """Return each family's log density, gradient, information and curvature, side by side."""
        table = self.table
        eta = self.fixed + np.einsum("nq,nq->n", self.weights, z[table.family])
        terms = score_terms(table.seen, eta[:, None], self.rho, self.floor, order=2, floors=False)
        assert terms.e is not None
        assert terms.ee is not None
        assert terms.information is not None
        columns = (
            terms.value,
            terms.e * self.weights,
            terms.information * self.squares,
            -terms.ee * self.squares,
        )
        return np.add.reduceat(np.concatenate(columns, axis=1), table.family_starts, axis=0)
