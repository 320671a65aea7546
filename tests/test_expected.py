"""Skills and expected scores of the fitted families and models."""

from __future__ import annotations

import numpy as np
import pandas as pd

import lvkit as lv
from lvkit import expected
from lvkit.beta import response


def test_a_fit_answers_by_these_functions(small_fit: lv.Fit) -> None:
    for name in ("family_effects", "skill_scores", "fitted_scores"):
        table = getattr(expected, name)(small_fit)
        pd.testing.assert_frame_equal(getattr(small_fit, name), table, check_exact=True)


def test_family_effects_are_families_by_skills(paper_fit: lv.Fit) -> None:
    effects = paper_fit.family_effects
    assert effects.shape == (67, 4)
    assert effects.index.name == "family"
    assert effects.index.tolist() == list(paper_fit.families)
    # Posterior means of variables with variance one: centred, and less spread than their prior.
    assert (effects.mean().abs() < 0.3).all()
    assert (effects.var() < 1.2).all()


def test_skill_scores_are_family_effects_and_features(paper_fit: lv.Fit) -> None:
    scores = paper_fit.skill_scores
    models = paper_fit.panel.models.loc[scores.index]
    size, tokens = np.log10(models["params_b"]), np.log10(models["tokens_t"])
    x = np.column_stack([size, tokens, size * tokens]) - paper_fit.feature_means
    effects = paper_fit.family_effects.loc[models["family"]].to_numpy()
    np.testing.assert_allclose(scores.to_numpy(), effects + x @ paper_fit.params.slopes.T)


def test_fitted_scores_follow_the_observed_ones(paper_fit: lv.Fit) -> None:
    fitted = paper_fit.fitted_scores
    observed = paper_fit.panel.scores.loc[fitted.index, fitted.columns]
    assert fitted.shape == (184, 12)
    assert ((fitted > 0.0) & (fitted < 1.0)).all(axis=None)
    assert (fitted - observed).abs().stack().mean() < 0.03


def test_fitted_scores_are_averaged_over_the_posterior(small_fit: lv.Fit) -> None:
    draws = np.random.default_rng(0).standard_normal((20_000, 2))
    name = small_fit.fitted_scores.index[0]
    family = small_fit.families.index(small_fit.panel.models.loc[name, "family"])
    root = np.linalg.cholesky(small_fit.latent_covariances[family])
    z = small_fit.latent_means[family] + draws @ root.T
    effect = small_fit.family_effects.iloc[family].to_numpy()
    theta = small_fit.skill_scores.loc[name].to_numpy() - effect
    theta = theta + z @ small_fit.frame.factor[0].T
    params = small_fit.params
    mean = response(theta @ params.loadings.T + params.intercepts).mean(axis=0)
    np.testing.assert_allclose(small_fit.fitted_scores.loc[name], mean, atol=2e-3)
