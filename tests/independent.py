"""The marginal log-likelihood once more, from the model's formulas, plainly and slowly.

Written to check lvkit, it shares no code with it: parameters, scores and the models' table go in,
and the Beta density is scipy's. Family by family,

    theta_i = alpha + B x_i ,   alpha ~ N(0, Sigma) ,
    mu_ij   = c_j + (1 - c_j) / (1 + exp(-(lambda_j' theta_i + d_j))) ,
    y_ij    ~ Beta(mu_ij phi_j, (1 - mu_ij) phi_j) ,

and the integral over alpha is taken by a product rule of Gauss-Hermite quadrature (one or two
skills) or by importance sampling (any number), both around the mode that a general-purpose
optimiser finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import minimize
from scipy.special import logsumexp

__all__ = ["by_importance", "by_quadrature", "default_features"]

Array = Any
LogJoint = Callable[[Array], Array]


class Family(NamedTuple):
    """One family's scores in long form, and what each score's mean rests on besides alpha."""

    y: Array  # (n,)
    loadings: Array  # (n, K)
    fixed: Array  # (n,)  lambda_j' B x_i + d_j
    floor: Array  # (n,)
    precision: Array  # (n,)


def default_features(models: pd.DataFrame) -> Array:
    """log10 size, log10 tokens and their product, centred on these models; NaN where unknown."""
    size = np.log10(models["params_b"].to_numpy(dtype=float))
    tokens = np.log10(models["tokens_t"].to_numpy(dtype=float))
    raw = np.column_stack([size, tokens, size * tokens])
    return raw - np.nanmean(raw[~np.isnan(raw).any(axis=1)], axis=0)


def families(
    params: Any, benchmarks: list[str], scores: pd.DataFrame, models: pd.DataFrame, clip: float
) -> list[Family]:
    """Cut a table of scores into families; models without tokens take no part."""
    x = default_features(models)
    found = []
    for family in sorted(set(models["family"])):
        rows = []
        for i in np.flatnonzero((models["family"] == family) & ~np.isnan(x).any(axis=1)):
            for j, benchmark in enumerate(benchmarks):
                y = scores.iloc[i][benchmark]
                if not np.isnan(y):
                    fixed = params.loadings[j] @ (params.slopes @ x[i]) + params.intercepts[j]
                    y = min(max(y, clip), 1.0 - clip)
                    rows.append((y, j, fixed))
        if rows:
            y, j, fixed = (np.array(column) for column in zip(*rows, strict=True))
            found.append(
                Family(y, params.loadings[j], fixed, params.floors[j], params.precisions[j])
            )
    return found


def log_joint(family: Family, correlation: Array) -> LogJoint:
    """Log density of a family's scores and its alpha, for alphas of shape (points, K)."""
    prior = stats.multivariate_normal(np.zeros(len(correlation)), correlation)

    def value(alpha: Array) -> Array:
        if len(alpha) > 1_024:  # in pieces that stay in a processor's cache
            return np.concatenate(
                [value(alpha[at : at + 1_024]) for at in range(0, len(alpha), 1_024)]
            )
        eta = family.loadings @ alpha.T + family.fixed[:, None]
        mean = family.floor[:, None] + (1.0 - family.floor[:, None]) / (1.0 + np.exp(-eta))
        mean = np.clip(mean, 1e-13, 1.0 - 1e-13)
        phi = family.precision[:, None]
        density = stats.beta.logpdf(family.y[:, None], mean * phi, (1.0 - mean) * phi)
        return density.sum(axis=0) + np.atleast_1d(prior.logpdf(alpha))

    return value


def mode_and_covariance(joint: LogJoint, n_skills: int) -> tuple[Array, Array]:
    """Mode of a log density and the inverse of minus its curvature, by finite differences."""

    def downhill(alpha: Array) -> float:
        return -float(joint(np.atleast_2d(alpha)).item())

    mode = minimize(downhill, np.zeros(n_skills), method="BFGS").x
    step, unit = 1e-3, np.eye(n_skills)
    corners = [
        mode + step * (s * unit[a] + t * unit[b])
        for a in range(n_skills)
        for b in range(n_skills)
        for s, t in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    f = np.atleast_1d(joint(np.array(corners))).reshape(n_skills, n_skills, 4)
    curvature = (f[..., 0] - f[..., 1] - f[..., 2] + f[..., 3]) / (4.0 * step**2)
    return mode, np.linalg.inv(-0.5 * (curvature + curvature.T))


def by_quadrature(
    params: Any,
    benchmarks: list[str],
    scores: pd.DataFrame,
    models: pd.DataFrame,
    *,
    clip: float = 0.0025,
    points: int = 40,
) -> float:
    """Log-likelihood by adaptive product Gauss-Hermite quadrature."""
    n_skills = params.loadings.shape[1]
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    grid = np.array(np.meshgrid(*[nodes] * n_skills)).reshape(n_skills, -1).T
    log_weight = np.sum(
        np.log(np.array(np.meshgrid(*[weights] * n_skills)).reshape(n_skills, -1)), axis=0
    )
    total = 0.0
    for family in families(params, benchmarks, scores, models, clip):
        joint = log_joint(family, params.correlation)
        mode, covariance = mode_and_covariance(joint, n_skills)
        root = np.linalg.cholesky(covariance)
        terms = joint(mode + grid @ root.T) + log_weight + 0.5 * np.sum(grid**2, axis=1)
        total += float(logsumexp(terms) + np.linalg.slogdet(root)[1])
    return total


def by_importance(
    params: Any,
    benchmarks: list[str],
    scores: pd.DataFrame,
    models: pd.DataFrame,
    *,
    clip: float = 0.0025,
    points: int = 16_384,
    freedom: int = 10,
    stretch: float = 1.1,
    seed: int = 2512,
) -> float:
    """Log-likelihood by importance sampling from a multivariate t distribution at the mode.

    Its tails are heavier than a posterior's under a normal prior, so the weights are bounded.
    """
    n_skills = params.loadings.shape[1]
    uniform = stats.qmc.Sobol(n_skills + 1, rng=np.random.default_rng(seed)).random(points)
    normal = stats.norm.ppf(uniform[:, :n_skills])
    chi2 = stats.chi2.ppf(uniform[:, n_skills], freedom)
    standard = normal * np.sqrt(freedom / chi2)[:, None]
    total = 0.0
    for family in families(params, benchmarks, scores, models, clip):
        joint = log_joint(family, params.correlation)
        mode, covariance = mode_and_covariance(joint, n_skills)
        shape = stretch**2 * covariance
        alpha = mode + standard @ np.linalg.cholesky(shape).T
        proposal = stats.multivariate_t(mode, shape, df=freedom).logpdf(alpha)
        total += float(logsumexp(joint(alpha) - proposal) - np.log(points))
    return total
