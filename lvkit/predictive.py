"""Predictive distributions: what the fitted model says about scores nobody has measured.

A score of a new model is uncertain for three reasons, and each is drawn: the parameters are
estimates (drawn from their normal approximation), the family's latent vector is known only through
its scores (drawn from its posterior, or from the population), and a score scatters around its
expectation (a Beta distribution). A predictive distribution is thus a mixture of many Betas.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lvkit.beta import response
from lvkit.marginal import integrate
from lvkit.nodes import make_nodes, search_nodes
from lvkit.request import Request
from lvkit.structure import Frame
from lvkit.tails import beta_tails, normal_scores

if TYPE_CHECKING:
    from lvkit.inference import Curvature
    from lvkit.results import Fit

__all__ = ["LatentPosterior", "Predictive", "latent_posterior", "predictive"]

Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-4
"""Precision of the posterior modes; they only place the nodes."""

_EDGE = 1e-9
"""Expected scores are held this far from 0 and 1, where a Beta distribution ends."""


@dataclass(frozen=True, eq=False)
class Predictive:
    """Predictive distributions of n models' scores and skills, as draws.

    Attributes
    ----------
    expected : ndarray, shape (n, J, S)
        Expected score in each draw of parameters and latent vector.
    precision : ndarray, shape (J, S)
        Precision of the Beta distribution around it.
    skills : ndarray, shape (n, K, S)
        The models' skills in the same draws.
    """

    expected: Array
    precision: Array
    skills: Array

    def normal_scores(self, y: Array, clip: float) -> Array:
        """Return how far observed scores lie out in their predictive distributions.

        Parameters
        ----------
        y : ndarray, shape (n, J)
            Observed scores, NaN where there is none.
        clip : float
            Scores are held within ``[clip, 1 - clip]``, as in the fit.

        Returns
        -------
        ndarray, shape (n, J)
            The standard normal quantile of the predictive distribution function at y: standard
            normal if the model is right.
        """
        y = np.clip(y, clip, 1.0 - clip)[:, :, None]
        below, above = beta_tails(y, self.expected, self.precision)
        return normal_scores(below.mean(axis=2), above.mean(axis=2))

    def draw(self, names: tuple[str, ...], seed: int) -> Array:
        """Draw a score for every component, shape (n, J, S), each model by a seed of its own."""
        out = np.empty_like(self.expected)
        for at, name in enumerate(names):
            rng = np.random.default_rng([seed, 2, *name.encode()])
            mean = self.expected[at]
            out[at] = rng.beta(mean * self.precision, (1.0 - mean) * self.precision)
        return out


def predictive(
    fit: Fit,
    request: Request,
    *,
    draws: int,
    seed: int,
    curvature: Curvature | None,
    parameter_draws: int = 200,
) -> Predictive:
    """Draw from the predictive distributions of what is asked for.

    Parameters
    ----------
    fit : Fit
        The fit.
    request : Request
        The models.
    draws : int
        S, the number of draws.
    seed : int
        Seed; the numbers of a model depend on neither the other models nor their order.
    curvature : Curvature or None
        Tells the parameters' errors; None takes the parameters as known.
    parameter_draws : int
        How many of the draws are of parameters too; each is followed by several draws of latent
        vectors.

    Returns
    -------
    Predictive

    Notes
    -----
    For each draw of the parameters the posterior mean and covariance of the families' latent
    vectors are computed anew, and latent vectors are drawn from the normal distribution that has
    them. The draws of parameters come in mirrored pairs.
    """
    frames = [fit.frame]
    if curvature is not None:
        frames = list(_frames(curvature, min(draws, parameter_draws), seed))
    each = -(-draws // len(frames))
    start, pieces = None, []
    for at, frame in enumerate(frames):
        posterior = latent_posterior(fit, request, frame, start)
        pieces.append(_piece(request, frame, posterior, each, [seed, 1, at]))
        start = posterior.mode
    expected = np.concatenate([piece[0] for piece in pieces], axis=2)[:, :, :draws]
    precision = np.repeat(np.stack([piece[1] for piece in pieces], axis=1), each, axis=1)
    skills = np.concatenate([piece[2] for piece in pieces], axis=2)[:, :, :draws]
    return Predictive(expected, precision[:, :draws], skills)


def _frames(curvature: Curvature, count: int, seed: int) -> Iterator[Frame]:
    """Yield draws of the parameters, in mirrored pairs."""
    rng = np.random.default_rng([seed, 0])
    for _ in range(-(-count // 2)):
        step = curvature.root @ rng.standard_normal(curvature.root.shape[1])
        yield curvature.frame(curvature.vector + step)
        yield curvature.frame(curvature.vector - step)


@dataclass(frozen=True, eq=False)
class LatentPosterior:
    """Each asked model's family: mean and covariance of its whitened latent vector.

    Attributes
    ----------
    mean, covariance : ndarray, shapes (n, q) and (n, q, q)
        Those of the population where nothing is known.
    mode : ndarray, shape (families with evidence, q), or None
        Posterior modes, a warm start for neighbouring parameters.
    """

    mean: Array
    covariance: Array
    mode: Array | None


def latent_posterior(
    fit: Fit, request: Request, frame: Frame, start: Array | None = None
) -> LatentPosterior:
    """Return what the evidence says of the asked models' families, given the parameters."""
    q = frame.factor.shape[2]
    means, covariances, mode = np.zeros((1, q)), np.eye(q)[None], None
    if request.evidence is not None:
        nodes = make_nodes(q, search_nodes(q), fit.seed)
        found = integrate(
            request.evidence, frame.coefficients(), nodes, start=start, tolerance=_TOLERANCE
        )
        means = np.concatenate([found.mean, means])
        covariances = np.concatenate([found.covariance, covariances])
        mode = found.posterior.mode
    return LatentPosterior(means[request.group], covariances[request.group], mode)


def _piece(
    request: Request, frame: Frame, posterior: LatentPosterior, each: int, seed: list[int]
) -> tuple[Array, Array, Array]:
    """Return expected scores (n, J, each), precisions (J,) and skills (n, K, each) of a frame."""
    q = posterior.mean.shape[1]
    noise = np.random.default_rng(seed).standard_normal((q, each))
    latent = posterior.mean[:, :, None] + np.linalg.cholesky(posterior.covariance) @ noise
    weights = np.einsum("nm,mkq->nkq", request.design, frame.factor)
    skills = weights @ latent + (request.features @ frame.slopes.T)[:, :, None]
    eta = np.einsum("jk,nks->njs", frame.loadings, skills) + frame.intercepts[:, None]
    expected = response(eta, frame.floors[:, None])
    return np.clip(expected, _EDGE, 1.0 - _EDGE), np.exp(frame.log_precisions), skills
