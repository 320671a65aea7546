"""What a fit says of the families and models it was fitted to: their skills and expected scores.

A family's latent vector is known only through its scores, so these are posterior means. The curve
from skills to scores bends, and an expected score is therefore the mean of the curve over what the
skills may be, not the curve at the mean of the skills.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.beta import response
from lvkit.fitted import Fitted

Array = npt.NDArray[np.float64]

_POINTS = 15
"""Gauss-Hermite points for the mean of the curve."""


def family_effects(fit: Fitted) -> pd.DataFrame:
    """Return the posterior means of the families' latent variables, families x skills."""
    return pd.DataFrame(
        fit.latent_means @ fit.frame.factor[0].T,
        pd.Index(fit.families, name="family"),
        pd.Index(fit.skills, name="skill"),
    )


def skill_scores(fit: Fitted) -> pd.DataFrame:
    """Return the posterior means of the fitted models' skills, models x skills."""
    family, features = _of_models(fit)
    latent = np.einsum("ikq,iq->ik", _latent_weights(fit), fit.latent_means[family])
    return pd.DataFrame(
        latent + features @ fit.frame.slopes.T,
        pd.Index(fit.prepared.models, name="model"),
        pd.Index(fit.skills, name="skill"),
    )


def fitted_scores(fit: Fitted) -> pd.DataFrame:
    """Return the expected scores of the fitted models, models x benchmarks.

    The response is averaged over a normal approximation of the family's posterior.
    """
    family, _ = _of_models(fit)
    loadings = fit.frame.loadings
    centre = skill_scores(fit).to_numpy() @ loadings.T + fit.frame.intercepts
    weights = np.einsum("jk,ikq->ijq", loadings, _latent_weights(fit))
    spread = np.einsum("ijq,iqh,ijh->ij", weights, fit.latent_covariances[family], weights)
    points, mass = np.polynomial.hermite_e.hermegauss(_POINTS)
    eta = centre[:, :, None] + np.sqrt(spread)[:, :, None] * points
    mean = response(eta, fit.frame.floors[:, None]) @ (mass / mass.sum())
    return pd.DataFrame(
        mean,
        pd.Index(fit.prepared.models, name="model"),
        pd.Index(fit.benchmarks, name="benchmark"),
    )


def _latent_weights(fit: Fitted) -> Array:
    """How the whitened latent vector enters each fitted model's skills, shape (I, K, q)."""
    table = fit.prepared.table
    design = np.zeros((fit.n_models, table.design.shape[1]))
    design[table.model] = table.design
    return np.asarray(np.einsum("ir,rkq->ikq", design, fit.frame.factor))


def _of_models(fit: Fitted) -> tuple[npt.NDArray[np.intp], Array]:
    """Family and centred features of each fitted model, shapes (I,) and (I, p)."""
    table = fit.prepared.table
    family = np.zeros(fit.n_models, dtype=np.intp)
    features = np.zeros((fit.n_models, table.features.shape[1]))
    family[table.model], features[table.model] = table.family, table.features
    return family, features
