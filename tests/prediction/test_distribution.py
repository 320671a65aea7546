"""Predictive distributions against brute force and against quadrature written independently."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from independent import Family, log_joint, mode_and_covariance
from scipy import stats

import lvkit as lv
from lvkit.prediction.distribution import Predictive, latent_posteriors, predictive
from lvkit.prediction.request import read_request

DRAWS = 20_000
COMPONENTS = 500  # of which distribution functions are made


def asked(**changes: Any) -> pd.DataFrame:
    row = {"model": "new-13b", "family": "yi", "params_b": 13.0, "tokens_t": 3.0}
    return pd.DataFrame([row | changes])


def found(fit: lv.Fit, models: pd.DataFrame, draws: int = DRAWS, **options: Any) -> Predictive:
    request = read_request(fit, models, "error")
    given = {"seed": 0, "curvature": None} | options
    return predictive(fit, request, draws=draws, **given)


def centred(fit: lv.Fit, models: pd.DataFrame) -> np.ndarray:
    """Features of the small fit, computed here."""
    known = fit.panel.models
    raw = [np.log10(t[["params_b", "tokens_t"]].to_numpy(float)) for t in (models, known)]
    return raw[0] - raw[1].mean(axis=0)


# -- against brute force -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def brute(small_fit: lv.Fit) -> np.ndarray:
    """Scores of a model of a random recipe, drawn from the model's formulas, shape (draws, J)."""
    params, rng = small_fit.params, np.random.default_rng(11)
    alpha = rng.multivariate_normal(np.zeros(2), params.correlation, 200_000)
    theta = alpha + centred(small_fit, asked())[0] @ params.slopes.T
    mean = 1.0 / (1.0 + np.exp(-(theta @ params.loadings.T + params.intercepts)))
    return rng.beta(mean * params.precisions, (1.0 - mean) * params.precisions)


@pytest.fixture(scope="module")
def unknown(small_fit: lv.Fit) -> Predictive:
    """The same by lvkit."""
    return found(small_fit, asked(family=None))


def test_an_unknown_recipes_mean_is_that_of_the_population(
    unknown: Predictive, brute: np.ndarray
) -> None:
    error = brute.std(axis=0) / np.sqrt(DRAWS)
    assert (np.abs(unknown.mean()[0] - brute.mean(axis=0)) < 4.5 * error).all()


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_an_unknown_recipes_quantiles_are_those_of_the_population(
    probability: float, unknown: Predictive, brute: np.ndarray
) -> None:
    quantile = unknown.quantiles(np.full((1, 1, 6), stats.norm.ppf(probability)))[0, 0]
    share = (brute < quantile).mean(axis=0)
    error = np.sqrt(probability * (1.0 - probability) / COMPONENTS)
    assert (np.abs(share - probability) < 4.5 * error).all()


def test_an_unknown_recipes_benchmarks_go_together_as_in_the_population(
    unknown: Predictive, brute: np.ndarray
) -> None:
    mean, precision = unknown.expected[0], unknown.precision
    y = np.random.default_rng(5).beta(mean * precision, (1.0 - mean) * precision)
    np.testing.assert_allclose(np.corrcoef(y), np.corrcoef(brute.T), atol=0.04)


def test_quantiles_undo_normal_scores(unknown: Predictive) -> None:
    z = np.linspace(-1.5, 1.5, 7)[:, None, None] * np.ones((1, 1, 6))
    back = np.array([unknown.normal_scores(y) for y in unknown.quantiles(z)])
    np.testing.assert_allclose(back, z, atol=0.1)


def test_quantiles_far_out_go_beyond_every_draw(small_fit: lv.Fit) -> None:
    here = found(small_fit, asked(), 100)
    near, far = here.quantiles(np.array([3.0, 4.5])[:, None, None] * np.ones((1, 1, 6)))
    assert (far > near).all()
    np.testing.assert_allclose(here.normal_scores(far), 4.5, atol=0.3)


def test_a_score_at_the_end_stands_for_the_middle_of_the_mass_beyond(small_fit: lv.Fit) -> None:
    here = replace(found(small_fit, asked(), 100), clip=0.3)
    z = here.normal_scores(np.full((1, 6), 0.1))
    inside = replace(here, clip=0.0025).normal_scores(np.full((1, 6), 0.3))
    expected = stats.norm.ppf(stats.norm.cdf(inside) / 2.0)
    np.testing.assert_allclose(z, expected, atol=1e-8)


def test_normal_scores_of_draws_are_standard_normal(small_fit: lv.Fit, brute: np.ndarray) -> None:
    here = found(small_fit, asked(family=None), 500)
    here = replace(here, clip=1e-6)
    z = np.array([here.normal_scores(y[None])[0] for y in brute[:100]])
    for column in z.T:
        assert stats.kstest(column, "norm").pvalue > 1e-3


# -- against quadrature --------------------------------------------------------------------------


def by_quadrature(fit: lv.Fit, models: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and covariance of one family's alpha from its models and scores."""
    params, rows = fit.params, []
    for x, (_, model) in zip(centred(fit, models), models.iterrows(), strict=True):
        for j, benchmark in enumerate(fit.benchmarks):
            if not np.isnan(model.get(benchmark, np.nan)):
                fixed = params.loadings[j] @ (params.slopes @ x) + params.intercepts[j]
                rows.append((model[benchmark], j, fixed))
    y, j, fixed = (np.array(column) for column in zip(*rows, strict=True))
    joint = log_joint(
        Family(y, params.loadings[j], fixed, params.floors[j], params.precisions[j]),
        params.correlation,
    )
    mode, covariance = mode_and_covariance(joint, len(params.correlation))
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    grid = np.array(np.meshgrid(nodes, nodes)).reshape(2, -1).T
    alpha = mode + grid @ np.linalg.cholesky(covariance).T
    log_mass = joint(alpha) + np.log(np.outer(weights, weights)).ravel() + 0.5 * (grid**2).sum(1)
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    mean = mass @ alpha
    return mean, (alpha - mean).T @ (mass[:, None] * (alpha - mean))


def assert_posterior(fit: lv.Fit, models: pd.DataFrame, evidence: pd.DataFrame) -> None:
    found_mean, found_covariance = latent_posteriors(
        fit, read_request(fit, models, "error"), [fit.frame]
    )
    root = fit.frame.factor[0]
    mean, covariance = by_quadrature(fit, evidence)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(root @ found_mean[0, 0], mean, atol=0.01 * sd.min())
    error = root @ found_covariance[0, 0] @ root.T - covariance
    assert np.abs(error / np.outer(sd, sd)).max() < 0.01


def test_a_known_familys_posterior_agrees_with_an_independent_quadrature(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    family = small_panel.select(families=["yi"])
    assert_posterior(small_fit, asked(), family.models.join(family.scores))


def test_a_new_familys_posterior_agrees_with_an_independent_quadrature(small_fit: lv.Fit) -> None:
    models = asked(family="mine", mmlu=0.7, ifeval=0.2)
    assert_posterior(small_fit, models, models)


def test_known_scores_join_a_known_familys_in_an_independent_quadrature(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    family, models = small_panel.select(families=["yi"]), asked(gsm8k=0.8)
    evidence = pd.concat([family.models.join(family.scores), models])
    assert_posterior(small_fit, models, evidence)


def test_without_evidence_the_posterior_is_the_population(small_fit: lv.Fit) -> None:
    models = pd.concat([asked(), asked(model="other", family=None)])
    request = read_request(small_fit, models, "error")
    (mean,), (covariance,) = latent_posteriors(small_fit, request, [small_fit.frame])
    np.testing.assert_array_equal(mean[1], np.zeros(2))
    np.testing.assert_array_equal(covariance[1], np.eye(2))
    assert np.abs(mean[0]).max() > 0.1


def test_several_sets_of_parameters_at_once_give_what_each_gives_alone(
    small_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = small_fit.curvature.draws(6, 0)
    request = read_request(small_fit, asked(gsm8k=0.8), "error")
    together = latent_posteriors(small_fit, request, frames)
    monkeypatch.setattr("lvkit.prediction.distribution._MOST_ROWS", 1)
    alone = latent_posteriors(small_fit, request, frames)
    for left, right in zip(together, alone, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-9)
    assert len({float(mean[0, 0]) for mean in together[0]}) == 6


# -- draws ---------------------------------------------------------------------------------------


def test_plug_in_skills_are_drawn_around_those_of_the_fit(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    models = small_panel.models.reset_index()
    here = found(small_fit, models, 4_000)
    expected = small_fit.skill_scores.loc[models["model"]].to_numpy()
    error = here.skills.std(axis=2) / np.sqrt(4_000)
    assert (np.abs(here.skills.mean(axis=2) - expected) < 5.0 * error + 2e-3).all()


def test_draws_of_parameters_scatter_as_their_covariance_says(small_fit: lv.Fit) -> None:
    blank = asked(family=None)  # no posterior to compute, so that many draws are quick
    here = found(small_fit, blank, 2_000, curvature=small_fit.curvature, parameter_draws=2_000)
    table = small_fit.summary().loc[[f"precision[{name}]" for name in small_fit.benchmarks]]
    spread = np.log(here.precision).std(axis=1)
    np.testing.assert_allclose(spread, table["std_error"] / table["estimate"], rtol=0.08)


@pytest.mark.parametrize("draws", [1, 3, 200, 201])
def test_there_are_as_many_draws_as_asked_for(draws: int, small_fit: lv.Fit) -> None:
    here = found(small_fit, asked(), draws, curvature=small_fit.curvature, parameter_draws=20)
    assert here.expected.shape == (1, 6, draws)
    assert here.precision.shape == (6, draws)
    assert here.skills.shape == (1, 2, draws)


def test_mirrored_draws_of_the_parameters_average_to_the_estimate(small_fit: lv.Fit) -> None:
    here = found(small_fit, asked(), 40, curvature=small_fit.curvature, parameter_draws=40)
    pairs = np.log(here.precision).reshape(6, 20, 2).mean(axis=2)
    expected = np.log(small_fit.params.precisions)
    np.testing.assert_allclose(pairs, np.repeat(expected[:, None], 20, axis=1), atol=1e-9)


def test_another_seed_gives_other_draws(small_fit: lv.Fit) -> None:
    first, second = (found(small_fit, asked(), 50, seed=seed) for seed in (0, 1))
    assert not np.allclose(first.expected, second.expected)


def test_models_of_one_family_share_its_latent_vector(small_fit: lv.Fit) -> None:
    here = found(small_fit, pd.concat([asked(), asked(model="twin")]), 100)
    np.testing.assert_allclose(here.expected[0], here.expected[1])


def test_two_unknown_recipes_are_drawn_independently(small_fit: lv.Fit) -> None:
    models = pd.concat([asked(family=None), asked(model="twin", family=None)])
    skills = found(small_fit, models, 4_000).skills
    for k in range(2):
        assert abs(np.corrcoef(skills[0, k], skills[1, k])[0, 1]) < 0.08
