"""A family's skills and expected scores at every size and number of tokens.

In the basis of :mod:`lvkit.planning.feature_surface` a skill is a linear form, and so is the linear
predictor of a benchmark, for the estimate as for every draw of what is uncertain. An
:class:`Outlook` keeps the coefficients of these forms: the whole plan works on them alone.

What is uncertain, and drawn: the parameters, by the normal approximation of their errors, and the
family's latent vector, by its posterior under the drawn parameters (from the population for a
recipe nobody knows; held at zero for the average recipe).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lvkit.errors import LvkitError, nearest
from lvkit.fit.fit import Fit
from lvkit.model.beta import response
from lvkit.model.coordinates import Frame
from lvkit.model.prepared import slope_position
from lvkit.planning.feature_surface import Surface
from lvkit.planning.target import Target
from lvkit.prediction.distribution import family_posteriors, latent_noise

Array = npt.NDArray[np.float64]

AVERAGE = "average recipe"
"""As a family: the population's average, as if its latent vector were known to be zero."""

_PARAMETER_DRAWS = 300

_LATENT_DRAWS = 8
"""Draws of the latent vector for each draw of the parameters."""

_POINTS, _MASS = np.polynomial.hermite_e.hermegauss(15)
_MASS = _MASS / _MASS.sum()


@dataclass(frozen=True, eq=False)
class Centre:
    """A family's outlook at the estimate, its latent vector averaged over.

    Attributes
    ----------
    surface : Surface
        The basis, of m functions.
    skills, predictors : ndarray, shapes (K, m) and (J, m)
        Skills and benchmarks' linear predictors at the latent vector's posterior mean.
    roots : ndarray, shape (J, q, m)
        Linear forms whose squares add up to the predictors' posterior variance.
    floors : ndarray, shape (J,)
        Floors.
    """

    surface: Surface
    skills: Array
    predictors: Array
    roots: Array
    floors: Array

    def value(self, target: Target, s: Array, t: Array) -> Array:
        """Return the target's expectation at log sizes and log tokens, which broadcast."""
        basis = self.surface.basis(s, t)
        if target.kind == "skill":
            return np.asarray(basis @ (target.weights @ self.skills[target.positions]))
        out = np.zeros(basis.shape[:-1])
        for weight, j in zip(target.weights, target.positions, strict=True):
            spread = np.sqrt(np.square(basis @ self.roots[j].T).sum(axis=-1))
            eta = (basis @ self.predictors[j])[..., None] + spread[..., None] * _POINTS
            out += weight * (response(eta, self.floors[j]) @ _MASS)
        return out

    def form(self, target: Target) -> Array | None:
        """Return a linear form of the basis that is greatest where the target is, shape (m,).

        For skills, and for one benchmark whose predictor is as uncertain everywhere. None for
        others.
        """
        if target.kind == "skill":
            return np.asarray(target.weights @ self.skills[target.positions])
        j = target.positions[0]
        steady = not self.roots[j][:, 1:].any()
        return self.predictors[j] if len(target.positions) == 1 and steady else None


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of a family's outlook.

    Attributes
    ----------
    surface : Surface
        The basis, of m functions.
    skills, predictors : ndarray, shapes (F, E, K, m) and (F, E, J, m)
        Skills and benchmarks' linear predictors, for F draws of the parameters and E draws of the
        latent vector for each.
    floors, precisions : ndarray, shape (F, J)
        Floors and precisions.
    """

    surface: Surface
    skills: Array
    predictors: Array
    floors: Array
    precisions: Array

    def forms(self, target: Target) -> Array | None:
        """Return linear forms that are greatest where the target is, shape (F, m); or None.

        One for each draw of the parameters, with the first of its latent vectors.
        """
        if target.kind == "skill":
            return np.asarray(
                np.einsum("k,fkm->fm", target.weights, self.skills[:, 0, target.positions])
            )
        if len(target.positions) == 1:
            return np.asarray(self.predictors[:, 0, target.positions[0]])
        return None

    def value(self, target: Target, s: Array, t: Array) -> Array:
        """Return the target's values in the first latent draw of each set of parameters.

        Parameters
        ----------
        target : Target
            What is aimed at.
        s, t : ndarray, shape (..., F, n)
            Log sizes and log tokens.

        Returns
        -------
        ndarray, shape (..., F, n)
        """
        basis = self.surface.basis(s, t)
        if target.kind == "skill":
            forms = np.einsum("k,fkm->fm", target.weights, self.skills[:, 0, target.positions])
            return np.asarray(np.einsum("...fnm,fm->...fn", basis, forms))
        out = np.zeros(s.shape)
        for weight, j in zip(target.weights, target.positions, strict=True):
            eta = np.einsum("...fnm,fm->...fn", basis, self.predictors[:, 0, j])
            out += weight * response(eta, self.floors[:, j, None])
        return out

    def values(self, target: Target, s: Array, t: Array) -> Array:
        """Return all draws of the target at n points, shape (n, F E)."""
        basis = self.surface.basis(s, t)
        if target.kind == "skill":
            forms = np.einsum("k,fekm->fem", target.weights, self.skills[:, :, target.positions])
            return np.asarray(basis @ forms.reshape(-1, basis.shape[-1]).T)
        out = np.zeros((len(basis), self.floors.shape[0] * self.predictors.shape[1]))
        for weight, j in zip(target.weights, target.positions, strict=True):
            out += weight * self.scores(j, basis)
        return out

    def scores(self, j: int, basis: Array) -> Array:
        """Return all draws of benchmark j's expected score at n points, shape (n, F E)."""
        forms = self.predictors[:, :, j].reshape(-1, basis.shape[-1])
        floors = np.repeat(self.floors[:, j], self.predictors.shape[1])
        return response(basis @ forms.T, floors)


def check_family(fit: Fit, family: str | None) -> str:
    """Return how a family is called; refuse one that is neither fitted nor a kind of recipe."""
    if family is None:
        return "a new recipe"
    if family in fit.families or family == AVERAGE:
        return family
    raise LvkitError(
        f"got {family!r}",
        where="family",
        expected=f"a fitted family, None for a new recipe, or '{AVERAGE}'",
        remedy=nearest(str(family), (*fit.families, AVERAGE)).strip(),
    )


def centre(fit: Fit, surface: Surface, family: str | None) -> Centre:
    """Return a family's outlook at the estimate."""
    (mean,), (covariance,) = _posteriors(fit, family, [fit.frame])
    frame, root = fit.frame, _root(covariance)
    skills = _skills(fit, surface, frame, mean[None])[0]
    predictors = _predictors(frame, skills)
    turned = np.stack([_latent_forms(fit, surface, frame, column) for column in root.T])
    roots = np.einsum("jk,qkm->jqm", frame.loadings, turned)
    return Centre(surface, skills, predictors, roots, frame.floors)


def draws(fit: Fit, surface: Surface, family: str | None, seed: int) -> Draws:
    """Return draws of a family's outlook."""
    frames = fit.curvature.draws(_PARAMETER_DRAWS, seed)
    means, covariances = _posteriors(fit, family, frames)
    shape = (len(frames), _LATENT_DRAWS)
    noise = latent_noise([check_family(fit, family)], means.shape[1], shape, seed)[0]
    latent = means[:, :, None] + np.stack([_root(each) for each in covariances]) @ noise
    skills = [_skills(fit, surface, frame, z.T) for frame, z in zip(frames, latent, strict=True)]
    predictors = [_predictors(frame, each) for frame, each in zip(frames, skills, strict=True)]
    return Draws(
        surface,
        np.stack(skills),
        np.stack(predictors),
        np.stack([frame.floors for frame in frames]),
        np.exp(np.stack([frame.log_precisions for frame in frames])),
    )


def _posteriors(fit: Fit, family: str | None, frames: Sequence[Frame]) -> tuple[Array, Array]:
    """Return what is known of the whitened latent vector, shapes (F, q) and (F, q, q)."""
    if family in fit.families:
        table = fit.prepared.table.of_family(fit.families.index(family))
        means, covariances = family_posteriors(fit, table, frames)
        return means[:, 0], covariances[:, 0]
    q = fit.frame.factor.shape[2]
    spread = 0.0 if family == AVERAGE else 1.0
    return np.zeros((len(frames), q)), np.tile(spread * np.eye(q), (len(frames), 1, 1))


def _root(covariance: Array) -> Array:
    """Return a root of a covariance that may be zero."""
    if not covariance.any():
        return covariance
    return np.asarray(np.linalg.cholesky(covariance))


def _latent_forms(fit: Fit, surface: Surface, frame: Frame, z: Array) -> Array:
    """Return what a whitened latent vector adds to the skills, shape (..., K, m)."""
    out = np.zeros((*z.shape[:-1], frame.factor.shape[1], surface.matrix.shape[1]))
    out[..., 0] = z @ frame.factor[0].T
    if len(frame.factor) > 1:
        assert fit.model.family_slopes is not None
        at = slope_position(fit.model.family_slopes, fit.feature_names)
        out += (z @ frame.factor[1].T)[..., None] * surface.matrix[at]
    return out


def _skills(fit: Fit, surface: Surface, frame: Frame, z: Array) -> Array:
    """Return the skills' forms at whitened latent vectors, shape (E, K, m)."""
    return np.asarray(frame.slopes @ surface.matrix + _latent_forms(fit, surface, frame, z))


def _predictors(frame: Frame, skills: Array) -> Array:
    """Return the benchmarks' forms, shape (..., J, m), of skills' forms (..., K, m)."""
    out = frame.loadings @ skills
    out[..., 0] += frame.intercepts
    return np.asarray(out)
