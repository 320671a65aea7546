"""Fits that all tests of planning share: two skills, six benchmarks, a second or two each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import lvkit as lv

ANCHORS = {"general": "mmlu", "instruction": "ifeval"}


def fitted(panel: lv.Panel, **changes: Any) -> lv.Fit:
    return lv.LatentSkillModel(anchors=ANCHORS, **changes).fit(panel)


@pytest.fixture(scope="session")
def curved_fit(small_panel: lv.Panel) -> lv.Fit:
    """Default features: size and tokens need each other for one skill, and not for the other."""
    fit = fitted(small_panel, floor="chance")
    interaction = fit.slopes["log_params:log_tokens"]
    assert interaction["general"] > 0.2
    assert interaction["instruction"] < -0.2
    return fit


@pytest.fixture(scope="session")
def sloped_fit(complete: lv.Panel) -> lv.Fit:
    """Families differ in their slope on log size: simulated, so that the data determine it."""
    models = complete.models[complete.models["tokens_t"].notna()]
    truth = lv.Parameters(
        loadings=np.array([[1.0, 0.0], [0.9, 0.2], [0.8, 0.0], [1.2, 0.5], [0.0, 0.8], [0.5, 0.4]]),
        intercepts=np.array([0.2, 0.3, 0.5, -0.5, -0.3, -0.2]),
        precisions=np.full(6, 150.0),
        floors=np.zeros(6),
        slopes=np.array([[1.2, 1.6, 0.9], [1.2, 1.6, -0.6]]),
        correlation=np.array([[1.0, 0.4], [0.4, 1.0]]),
        slope_sd=np.array([0.6, 0.4]),
    )
    names = ["mmlu", "arc", "hellaswag", "gsm8k", "ifeval", "bbh"]
    panel = lv.simulate(truth, models, benchmarks=names, seed=1)
    return fitted(panel, family_slopes="log_params")


@pytest.fixture(scope="session")
def cubed_fit(small_panel: lv.Panel) -> lv.Fit:
    """A cube among the features: no parabola along a budget."""
    return fitted(small_panel, features="log_params * log_tokens + I(log_params**3)")


@pytest.fixture(scope="session")
def instructed_fit(small_panel: lv.Panel) -> lv.Fit:
    """Features that size and tokens do not give."""
    return fitted(small_panel, features="log_params * log_tokens + instruct")


@pytest.fixture(scope="session")
def unfinished_fit(curved_fit: lv.Fit) -> lv.Fit:
    """A fit that says it did not converge."""
    return replace(curved_fit, converged=False)


Expectation = Callable[..., npt.NDArray[np.float64]]


@pytest.fixture(scope="session")
def expectation() -> Expectation:
    """What a family's model can be expected to score, or its skills, written anew.

    A function of a fit, a family (None: a new recipe; "average recipe"), sizes and tokens; it
    returns skills (n, K), or expected scores (n, J), by 61 points of Gauss-Hermite quadrature.
    """

    def expect(
        fit: lv.Fit, family: str | None, params_b: Any, tokens_t: Any, *, skills: bool = False
    ) -> npt.NDArray[np.float64]:
        models = pd.DataFrame({"params_b": np.atleast_1d(params_b)})
        models["tokens_t"] = np.atleast_1d(tokens_t)
        x = fit.prepared.features.values(models)
        truth, q = fit.params, fit.latent_means.shape[1]
        mean, covariance = np.zeros(q), np.eye(q)
        if family == "average recipe":
            covariance = np.zeros((q, q))
        elif family is not None:
            at = fit.families.index(family)
            mean, covariance = fit.latent_means[at], fit.latent_covariances[at]
        weights = np.tile(fit.frame.factor[0], (len(x), 1, 1))  # skills of a latent vector
        if fit.model.family_slopes is not None:
            own = x[:, fit.feature_names.index(fit.model.family_slopes)]
            weights = weights + own[:, None, None] * fit.frame.factor[1]
        theta = x @ truth.slopes.T + weights @ mean
        if skills:
            return theta
        points, mass = np.polynomial.hermite_e.hermegauss(61)
        through = np.einsum("jk,nkq->njq", truth.loadings, weights)
        spread = np.sqrt(np.einsum("njq,qr,njr->nj", through, covariance, through))
        eta = (theta @ truth.loadings.T + truth.intercepts)[..., None] + spread[..., None] * points
        floor = truth.floors[:, None]
        curve = floor + (1.0 - floor) / (1.0 + np.exp(-eta))
        return np.asarray(curve @ (mass / mass.sum()))

    return expect
