"""Predictive distributions of scores that have not been measured.

A score of a new model is uncertain for three reasons, and each is drawn: the parameters are
estimates (drawn from their normal approximation), the family's latent vector is known only through
its scores (drawn from its posterior, or from the population), and a score scatters around its
expectation (a Beta distribution). A predictive distribution is thus a mixture of many Betas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from lvkit.estimation.fitted import Fitted
from lvkit.estimation.standard_errors import Curvature
from lvkit.model.beta import beta_above, beta_below, censored, normal_scores, response
from lvkit.model.coordinates import Frame
from lvkit.model.marginal import integrate
from lvkit.model.posterior_mode import posterior_modes
from lvkit.model.quadrature import make_nodes, search_nodes
from lvkit.model.score_table import Coefficients, ScoreTable
from lvkit.prediction.request import Request

Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-4
"""Precision of the posterior modes; they only place the nodes."""

_GRID = np.linspace(-9.0, 9.0, 56)
"""Where distribution functions are tabulated: standard deviations from the mean, in logits."""

_MOST_ROWS = 100_000
"""Scores times sets of parameters that are looked at in one pass."""

_COMPONENTS = 500
"""Components, evenly spread over the draws, of which distribution functions are made."""

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
    clip : float
        Scores within `clip` of 0 or 1 are not distinguished, as in the fit.
    """

    expected: Array
    precision: Array
    skills: Array
    clip: float

    def mean(self) -> Array:
        """Return the expected scores, shape (n, J)."""
        return np.asarray(self.expected.mean(axis=2))

    def normal_scores(self, y: Array) -> Array:
        """Return how far observed scores lie out in their predictive distributions.

        Parameters
        ----------
        y : ndarray, shape (n, J)
            Observed scores, NaN where there is none.

        Returns
        -------
        ndarray, shape (n, J)
            The standard normal quantile of the predictive distribution function at y: standard
            normal if the model is right. A score held at `clip` stands for the middle of the mass
            beyond.
        """
        y = np.clip(y, self.clip, 1.0 - self.clip)
        cells = (y[:, :, None], self.expected, self.precision)
        below, above = beta_below(*cells).mean(axis=2), beta_above(*cells).mean(axis=2)
        return normal_scores(*censored(y, below, above, self.clip))

    @cached_property
    def _curves(self) -> tuple[Array, Array]:
        """Logits of scores, and their normal scores, both of shape (n, J, points)."""
        mean = self.mean()[:, :, None]
        noise = (self.expected * (1.0 - self.expected) / (1.0 + self.precision)).mean(axis=2)
        spread = np.sqrt(self.expected.var(axis=2) + noise)[:, :, None] / (mean * (1.0 - mean))
        end = float(logit(1.0 - self.clip))
        logits = np.clip(logit(mean) + spread * _GRID, -end, end)
        scores = np.stack([self._curve(at, expit(row)) for at, row in enumerate(logits)])
        return logits, np.maximum.accumulate(scores, axis=2)

    def _curve(self, at: int, y: Array) -> Array:
        """Return the normal scores of scores y, shape (J, points), of one model.

        Each half is computed from the tail that is smaller there, so that no digits are lost.
        """
        half = y.shape[1] // 2
        some = slice(None, None, -(-self.expected.shape[2] // _COMPONENTS))
        cells = (self.expected[at][:, None, some], self.precision[:, None, some])
        low = beta_below(y[:, :half, None], *cells).mean(axis=2)
        high = beta_above(y[:, half:, None], *cells).mean(axis=2)
        left, right = normal_scores(low, 1.0 - low), normal_scores(1.0 - high, high)
        return np.concatenate([left, right], axis=1)

    def quantiles(self, scores: Array) -> Array:
        """Return the scores y that lie at given normal scores; the inverse of normal_scores.

        Parameters
        ----------
        scores : ndarray, shape (r, n, J)
            Normal scores.

        Returns
        -------
        ndarray, shape (r, n, J)
            Within ``[clip, 1 - clip]``.

        Notes
        -----
        By interpolation, in logits, of the exact distribution function of the mixture, so that
        quantiles far out do not depend on where the outermost draw fell.
        """
        logits, curves = self._curves
        out = np.empty(scores.shape)
        for n, j in np.ndindex(scores.shape[1:]):
            out[:, n, j] = np.interp(scores[:, n, j], curves[n, j], logits[n, j])
        return np.asarray(expit(out))


def predictive(
    fit: Fitted,
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
    fit : Fitted
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
        frames = curvature.draws(min(draws, parameter_draws), seed)
    each = -(-draws // len(frames))
    noise = latent_noise(request.keys, fit.frame.factor.shape[2], (len(frames), each), seed)
    posterior = latent_posteriors(fit, request, frames)
    pieces = [
        _piece(request, frame, mean, covariance, noise[:, at])
        for at, (frame, mean, covariance) in enumerate(zip(frames, *posterior, strict=True))
    ]
    expected = np.concatenate([piece[0] for piece in pieces], axis=2)[:, :, :draws]
    precision = np.repeat(np.stack([piece[1] for piece in pieces], axis=1), each, axis=1)
    skills = np.concatenate([piece[2] for piece in pieces], axis=2)[:, :, :draws]
    return Predictive(expected, precision[:, :draws], skills, fit.model.clip)


def latent_noise(keys: Sequence[str], q: int, shape: tuple[int, int], seed: int) -> Array:
    """Return standard normal noise, shape (n, frames, q, each).

    Models of one family have the same key and share it, as they share the latent vector; others do
    not. It is seeded by key, so that it depends neither on the other models nor on their order.
    """
    frames, each = shape
    by_key: dict[str, Array] = {}
    for key in keys:
        if key not in by_key:
            rng = np.random.default_rng([seed, 1, *key.encode()])
            by_key[key] = rng.standard_normal((frames, q, each))
    return np.stack([by_key[key] for key in keys])


def latent_posteriors(
    fit: Fitted, request: Request, frames: Sequence[Frame]
) -> tuple[Array, Array]:
    """Return what the evidence says of the asked models' families under each set of parameters.

    Parameters
    ----------
    fit : Fitted
        The fit.
    request : Request
        The models, n of them.
    frames : sequence of Frame
        Sets of parameters, F of them.

    Returns
    -------
    mean, covariance : ndarray, shapes (F, n, q) and (F, n, q, q)
        Of the whitened latent vectors; those of the population where nothing is known.
    """
    q, count = fit.frame.factor.shape[2], len(frames)
    means, covariances = np.zeros((count, 1, q)), np.tile(np.eye(q), (count, 1, 1, 1))
    if request.evidence is not None:
        of_families = family_posteriors(fit, request.evidence, frames)
        means = np.concatenate([of_families[0], means], axis=1)
        covariances = np.concatenate([of_families[1], covariances], axis=1)
    return means[:, request.group], covariances[:, request.group]


def family_posteriors(
    fit: Fitted, table: ScoreTable, frames: Sequence[Frame]
) -> tuple[Array, Array]:
    """Return posterior means and covariances of families under each set of parameters.

    Parameters
    ----------
    fit : Fitted
        The fit.
    table : ScoreTable
        The scores of L families.
    frames : sequence of Frame
        Sets of parameters, F of them.

    Returns
    -------
    mean, covariance : ndarray, shapes (F, L, q) and (F, L, q, q)
        Of the whitened latent vectors.

    Notes
    -----
    All sets are looked at in one pass over copies of the scores: the modes at the fit's own
    parameters are where each search begins.
    """
    start = posterior_modes(table, fit.frame.coefficients(), tolerance=_TOLERANCE).mode
    q = start.shape[1]
    nodes = make_nodes(q, search_nodes(q), fit.seed)
    pieces = []
    step = max(1, _MOST_ROWS // table.n_scores)
    for first in range(0, len(frames), step):
        some = frames[first : first + step]
        pieces.append(
            integrate(
                table.repeated(len(some)),
                Coefficients.stacked([frame.coefficients() for frame in some]),
                nodes,
                start=np.tile(start, (len(some), 1)),
                tolerance=_TOLERANCE,
            )
        )
    mean = np.concatenate([piece.mean for piece in pieces])
    covariance = np.concatenate([piece.covariance for piece in pieces])
    return mean.reshape(-1, *start.shape), covariance.reshape(-1, *start.shape, q)


def _piece(
    request: Request, frame: Frame, mean: Array, covariance: Array, noise: Array
) -> tuple[Array, Array, Array]:
    """Return expected scores (n, J, each), precisions (J,) and skills (n, K, each) of a frame."""
    latent = mean[:, :, None] + np.linalg.cholesky(covariance) @ noise
    weights = np.einsum("nm,mkq->nkq", request.design, frame.factor)
    skills = weights @ latent + (request.features @ frame.slopes.T)[:, :, None]
    eta = np.einsum("jk,nks->njs", frame.loadings, skills) + frame.intercepts[:, None]
    expected = response(eta, frame.floors[:, None])
    return np.clip(expected, _EDGE, 1.0 - _EDGE), np.exp(frame.log_precisions), skills
