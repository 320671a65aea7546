"""Starting values of the search: principal components, and random changes of them.

The likelihood of up to four skills has, on the data we know, one top that every sensible start
reaches; from five on there are several, a few units apart. So a fit begins with principal
components of the logits, a fit with more skills can also begin from one with fewer, and either can
be shaken.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lvkit.model.coordinates import Frame
from lvkit.model.score_table import ScoreTable

Array = npt.NDArray[np.float64]

_LOGIT_LIMIT = 4.0
"""Logits are held within this bound for starting values: scores near 0 and 1 say little more."""

_RIDGE = 0.1


def _logits(table: ScoreTable) -> Array:
    return np.clip(table.seen.log_odds[:, 0], -_LOGIT_LIMIT, _LOGIT_LIMIT)


def _pairwise(values: Array) -> Array:
    """Second moments over the rows where both columns are known; NaN = unknown."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    return np.asarray(filled.T @ filled / np.maximum(known.T.astype(float) @ known, 1.0))


def _leading(moments: Array, count: int) -> Array:
    """Leading eigenvectors times the roots of their eigenvalues, shape (J, count), signs fixed."""
    values, vectors = np.linalg.eigh(moments)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    signs = np.where(vectors.sum(axis=0) < 0.0, -1.0, 1.0)
    return np.asarray(vectors * signs * np.sqrt(np.maximum(values, 1e-3)))


def principal(table: ScoreTable, n_skills: int) -> Frame:
    """Return the start from principal components of the logits.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    n_skills : int
        K, at most the number of benchmarks.

    Returns
    -------
    Frame
        Loadings from the pairwise second moments, slopes from regressing the components on the
        features, and precisions from what is left.
    """
    n_models, p = int(table.model.max()) + 1, table.features.shape[1]
    logits = np.full((n_models, table.n_benchmarks), np.nan)
    logits[table.model, table.benchmark] = _logits(table)
    intercepts = np.nanmean(logits, axis=0)
    away = logits - intercepts
    loadings = _leading(_pairwise(away), n_skills)
    known = ~np.isnan(away)
    filled = np.where(known, away, 0.0)
    inner = np.einsum("ij,jk,jh->ikh", known.astype(float), loadings, loadings)
    pulls = filled @ loadings
    skills = np.linalg.solve(inner + _RIDGE * np.eye(n_skills), pulls[:, :, None])[:, :, 0]
    features = np.zeros((n_models, p))
    features[table.model] = table.features
    seen = np.isin(np.arange(n_models), table.model)
    slopes = np.asarray(np.linalg.lstsq(features[seen], skills[seen], rcond=None)[0].T, dtype=float)
    left = filled - np.where(known, skills @ loadings.T, 0.0)
    noise = np.square(left).sum(axis=0) / known.sum(axis=0)
    odds = np.exp(intercepts)
    precisions = np.clip((1.0 + odds) ** 2 / (odds * np.maximum(noise, 1e-3)), 5.0, 200.0)
    return Frame(
        loadings,
        np.eye(n_skills)[None],
        slopes,
        intercepts,
        np.log(precisions),
        np.zeros(table.n_benchmarks),
    )


def grown(table: ScoreTable, frame: Frame, means: Array, direction: int) -> Frame:
    """Return a start with one skill more, along what a fit leaves unexplained.

    Parameters
    ----------
    table : ScoreTable
        The scores.
    frame : Frame
        A fit with K - 1 skills.
    means : ndarray, shape (L, q)
        Posterior means of its whitened latent vectors.
    direction : int
        Which principal direction of the families' mean residuals the new skill takes, from 0.
    """
    coefficients = frame.coefficients()
    weights = coefficients.latent[0, table.benchmark]
    predicted = np.einsum("nq,nq->n", weights, means[table.family])
    predicted += np.einsum("np,np->n", table.features, coefficients.feature[table.benchmark])
    predicted += coefficients.intercept[table.benchmark]
    groups = (table.family, table.benchmark)
    total = np.zeros((table.n_families, table.n_benchmarks))
    count = np.zeros_like(total)
    np.add.at(total, groups, _logits(table) - np.clip(predicted, -_LOGIT_LIMIT, _LOGIT_LIMIT))
    np.add.at(count, groups, 1.0)
    mean = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    column = _leading(_pairwise(mean), direction + 1)[:, -1:]
    n_skills = frame.loadings.shape[1]
    factor = np.eye(n_skills + 1)
    factor[:n_skills, :n_skills] = frame.factor[0]
    return Frame(
        np.hstack([frame.loadings, column]),
        factor[None],
        np.vstack([frame.slopes, np.zeros((1, frame.slopes.shape[1]))]),
        frame.intercepts,
        frame.log_precisions,
        frame.floors,
    )


def shaken(frame: Frame, rng: np.random.Generator, scale: float = 0.3) -> Frame:
    """Return a frame with its loadings and slopes disturbed by normal noise of a relative scale."""
    spread = scale * np.sqrt(np.mean(np.square(frame.loadings)))
    turn = np.linalg.qr(rng.standard_normal((frame.loadings.shape[1],) * 2))[0]
    return Frame(
        frame.loadings + spread * rng.standard_normal(frame.loadings.shape),
        frame.factor @ turn if len(frame.factor) == 1 else frame.factor,
        frame.slopes * (1.0 + scale * rng.standard_normal(frame.slopes.shape)),
        frame.intercepts,
        frame.log_precisions,
        frame.floors,
    )
