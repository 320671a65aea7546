"""The expected reduction of variance from evaluating a benchmark.

A family's whitened latent vector z has a posterior with mean m and covariance P. Benchmark j sees
it through one number alone, the linear predictor ``eta = a' z + f``, of which the posterior knows
``Normal(a' m + f, s)`` with ``s = a' P a``. A score that carries the Fisher information I about eta
leaves the variance ``s / (1 + s I)`` of it, and z follows along: in expectation

    P' = P - g (P a)(P a)' ,        g = E[ I(eta) / (1 + s I(eta)) ] .

The information differs from one eta to the next, most of all near a benchmark's ends, so the
expectation runs over all that eta may be. To replace I by its mean instead, ``P^-1 + E[I] a a'``,
is to promise more than comes (g is concave in I). Scores that the fit does not tell apart, beyond
its `clip`, carry the information of their common probability and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from lvkit.model.beta import beta_above, beta_below, evidence, response, score_terms
from lvkit.model.score_table import Coefficients

Array = npt.NDArray[np.float64]

_NODES = 21
"""Gauss-Hermite nodes for what a linear predictor may be."""

_DEGREES = 16
"""Hermite polynomials that stand for a response curve; a skill, being straight, needs one."""

_SPACING = 1.0
"""Distance of the quadrature's scores, in standard deviations of a score at mid-range."""

_FEWEST, _MOST = 160, 4_000
"""Bounds on the number of scores of the quadrature."""

_EDGE = 1e-9
"""Expected scores are held this far from 0 and 1, where a Beta distribution ends."""

_STEP = 1e-4
"""Step of the difference quotients, in logits."""


def score_information(eta: Array, precision: float, floor: float, clip: float) -> Array:
    """Return the Fisher information that a score carries about its linear predictor.

    Parameters
    ----------
    eta : ndarray, shape (S,)
        Linear predictors (logits).
    precision, floor : float
        Of the benchmark: phi and c.
    clip : float
        Scores below `clip`, and those above ``1 - clip``, are not distinguished.

    Returns
    -------
    ndarray, shape (S,)
        Per squared logit.

    Notes
    -----
    The squared slope of the log density, averaged over the scores inside by the trapezoidal rule in
    logits of the score; and ``(dP / d eta)^2 / P`` for the probability P of each end. Where the
    ends are out of reach it is ``(phi mu')^2 (psi_1(mu phi) + psi_1((1 - mu) phi))``, with the
    trigamma function psi_1.

    Examples
    --------
    A precise score at mid-range tells as much as a normal one with variance ``mu (1 - mu) / phi``:

    >>> float(score_information(np.zeros(1), 1_000.0, 0.0, 0.0025)[0].round())
    250.0
    """
    count = int(np.clip(logit(1.0 - clip) * np.sqrt(precision) / _SPACING, _FEWEST, _MOST))
    logits = np.linspace(logit(clip), logit(1.0 - clip), count)
    y = np.asarray(expit(logits))
    weight = (logits[1] - logits[0]) * y * (1.0 - y)
    weight[[0, -1]] *= 0.5
    shape = (count, 1)
    log_precision = np.full(shape, np.log(precision))
    rows = np.broadcast_to(eta, (count, len(eta)))
    terms = score_terms(
        evidence(y), rows, log_precision, np.full(shape, floor), order=1, floors=False
    )
    assert terms.e is not None
    inside = weight @ (np.exp(terms.value) * terms.e**2)
    return np.asarray(inside + _at_the_ends(eta, precision, floor, clip))


def _at_the_ends(eta: Array, precision: float, floor: float, clip: float) -> Array:
    """Return the information in a score's being at one of the ends, shape (S,)."""
    steps = np.array([-_STEP, 0.0, _STEP])[:, None]
    mean = np.clip(response(eta + steps, floor), _EDGE, 1.0 - _EDGE)
    ends = np.stack([beta_below(clip, mean, precision), beta_above(1.0 - clip, mean, precision)])
    slope = (ends[:, 2] - ends[:, 0]) / (2.0 * _STEP)
    return np.asarray((slope**2 / np.maximum(ends[:, 1], _EDGE)).sum(axis=0))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Benchmarks that a model could be run on, and what their scores would tell.

    Attributes
    ----------
    weights : ndarray, shape (J, q)
        How the whitened latent vector enters each linear predictor: a.
    information : ndarray, shape (J, S)
        Information of a score at S values that its predictor may have.
    mass : ndarray, shape (S,)
        Their probabilities.
    """

    weights: Array
    information: Array
    mass: Array

    @classmethod
    def of(
        cls,
        coefficients: Coefficients,
        design: Array,
        features: Array,
        latent: tuple[Array, Array],
        clip: float,
    ) -> Candidates:
        """Return the benchmarks as they look for one model.

        Parameters
        ----------
        coefficients : Coefficients
            Of all benchmarks.
        design, features : ndarray, shapes (m,) and (p,)
            Latent design and centred features of the model.
        latent : tuple of ndarray, shapes (q,) and (q, q)
            Mean and covariance of its family's whitened latent vector.
        clip : float
            As in the fit.
        """
        weights = np.einsum("r,rjq->jq", design, coefficients.latent)
        mean, covariance = latent
        centre = weights @ mean + coefficients.feature @ features + coefficients.intercept
        spread = np.sqrt(np.einsum("jq,qr,jr->j", weights, covariance, weights))
        points, mass = np.polynomial.hermite_e.hermegauss(_NODES)
        eta = centre[:, None] + spread[:, None] * points
        rows = zip(eta, np.exp(coefficients.log_precision), coefficients.floor, strict=True)
        information = [
            score_information(row, float(phi), float(floor), clip) for row, phi, floor in rows
        ]
        return cls(weights, np.stack(information), mass / mass.sum())

    def after(self, covariance: Array, j: int) -> Array:
        """Return the expected covariance of the latent vector once benchmark j has been run."""
        pull = covariance @ self.weights[j]
        known = float(self.weights[j] @ pull)
        gain = self.mass @ (self.information[j] / (1.0 + known * self.information[j]))
        return np.asarray(covariance - gain * np.outer(pull, pull))


@dataclass(frozen=True, eq=False)
class Quantity:
    """What one wants to know: skills, expected scores, or a mix of either, as curves of z.

    Attributes
    ----------
    weights : ndarray, shape (r, q)
        How the whitened latent vector enters each part.
    curves : ndarray, shape (r, degrees)
        Each part's coefficients by normalised Hermite polynomials of its standardised predictor,
        from degree 1.
    mix : ndarray, shape (r, r)
        What is looked at is the sum of the parts' covariances times these numbers.
    covariance : ndarray, shape (q, q)
        Covariance P of the latent vector by which the curves were expanded.

    Notes
    -----
    If z has covariance P and R of it is explained, the posterior means of two parts have covariance
    ``sum_n rho^n h_n k_n`` with ``rho = a' R b / sqrt(a' P a  b' P b)`` and coefficients h and k
    (Mehler's formula): exact for curves as for straight lines.
    """

    weights: Array
    curves: Array
    mix: Array
    covariance: Array

    @classmethod
    def skills(cls, weights: Array, mix: Array, covariance: Array) -> Quantity:
        """Return skills, of which the latent vector's `weights` are given."""
        spread = np.sqrt(np.einsum("rq,qp,rp->r", weights, covariance, weights))
        return cls(weights, spread[:, None], mix, covariance)

    @classmethod
    def scores(
        cls, weights: Array, centre: Array, floors: Array, mix: Array, covariance: Array
    ) -> Quantity:
        """Return expected scores; `centre` and `floors` of shape (r,) complete their curves."""
        points, mass = np.polynomial.hermite_e.hermegauss(2 * _DEGREES + 1)
        spread = np.sqrt(np.einsum("rq,qp,rp->r", weights, covariance, weights))
        height = response(centre[:, None] + spread[:, None] * points, floors[:, None])
        degrees = np.arange(1, _DEGREES + 1)
        scale = np.sqrt(np.cumprod(degrees.astype(float)))
        basis = np.polynomial.hermite_e.hermevander(points, _DEGREES)[:, 1:] / scale
        return cls(weights, height @ (basis * (mass / mass.sum())[:, None]), mix, covariance)

    def left(self, covariance: Array) -> float:
        """Return the standard deviation that is expected to be left.

        Parameters
        ----------
        covariance : ndarray, shape (q, q)
            Expected covariance of the latent vector.
        """
        removed = self._explained(self.covariance - covariance)
        return float(np.sqrt(max(self._explained(self.covariance) - removed, 0.0)))

    def _explained(self, explained: Array) -> float:
        """Return the variance of the posterior mean when this covariance of z is explained."""
        variance = np.einsum("rq,qp,rp->r", self.weights, self.covariance, self.weights)
        scale = np.sqrt(np.maximum(np.outer(variance, variance), np.finfo(float).tiny))
        rho = self.weights @ explained @ self.weights.T / scale
        powers = rho[:, :, None] ** np.arange(1, self.curves.shape[1] + 1)
        together = np.einsum("rcn,rn,cn->rc", powers, self.curves, self.curves)
        return float((self.mix * together).sum())
