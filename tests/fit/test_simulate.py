from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from golden import Message
from independent import by_quadrature

import lvkit as lv
from lvkit.fit.simulate import Truth, simulate, simulate_models


def make_truth(n_skills: int = 2, n_benchmarks: int = 8, **changes: Any) -> lv.Parameters:
    """A truth anchored on the first benchmarks, with a feature for size and one for tokens."""
    rng = np.random.default_rng(7)
    loadings = rng.uniform(0.2, 1.0, (n_benchmarks, n_skills))
    loadings[:n_skills] = np.eye(n_skills)
    values: dict[str, Any] = {
        "loadings": loadings,
        "intercepts": rng.uniform(-0.5, 0.5, n_benchmarks),
        "precisions": np.full(n_benchmarks, 80.0),
        "floors": np.zeros(n_benchmarks),
        "slopes": np.array([[1.5, 0.6], [0.9, 1.2]])[:n_skills],
        "correlation": np.where(np.eye(n_skills, dtype=bool), 1.0, 0.4),
    }
    return lv.Parameters(**(values | changes))


TWO = "log_params + log_tokens"


# -- the table of models -------------------------------------------------------------------------


def test_models_have_families_sizes_and_tokens() -> None:
    models = simulate_models(5, 30)
    assert models.shape == (150, 3)
    assert models.index.is_unique
    assert models["family"].value_counts().tolist() == [30] * 5
    assert models["params_b"].between(0.1, 100.0).all()
    assert models["tokens_t"].between(0.1, 10.0).all()


def test_more_models_than_letters_still_have_names() -> None:
    names = simulate_models(1, 28).index
    assert names[25:].tolist() == ["family-1-z", "family-1-aa", "family-1-ab"]


def test_tokens_vary_mostly_between_families() -> None:
    models = simulate_models(40, 5)
    tokens = np.log10(models["tokens_t"])
    within = tokens.groupby(models["family"]).std().mean()
    assert within < 0.3 * tokens.groupby(models["family"]).mean().std()


def test_models_follow_their_seed() -> None:
    first, again, other = (simulate_models(3, 2, seed=s) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


# -- panels --------------------------------------------------------------------------------------


def test_a_simulated_panel_carries_its_truth() -> None:
    params, models = make_truth(), simulate_models(6, 3)
    panel = simulate(params, models, features=TWO)
    assert isinstance(panel.truth, Truth)
    assert panel.truth.params is params
    assert panel.truth.family_effects.shape == (6, 2)
    assert panel.truth.skill_scores.index.equals(models.index)
    assert list(panel.truth.skill_scores.columns) == ["skill_1", "skill_2"]


def test_the_true_skills_are_family_effects_and_features() -> None:
    params, models = make_truth(), simulate_models(6, 3)
    truth = simulate(params, models, features=TWO).truth
    x = np.column_stack([np.log10(models["params_b"]), np.log10(models["tokens_t"])])
    effects = truth.family_effects.loc[models["family"]].to_numpy()
    expected = effects + (x - x.mean(axis=0)) @ params.slopes.T
    np.testing.assert_allclose(truth.skill_scores.to_numpy(), expected)


def test_scores_scatter_around_the_response_with_the_given_precision() -> None:
    params = make_truth(floors=np.full(8, 0.25))
    panel = simulate(params, simulate_models(300, 4), features=TWO)
    eta = panel.truth.skill_scores.to_numpy() @ params.loadings.T + params.intercepts
    mean = 0.25 + 0.75 / (1.0 + np.exp(-eta))
    away = (panel.scores.to_numpy() - mean) / np.sqrt(mean * (1.0 - mean) / 81.0)
    assert abs(away.mean()) < 0.05
    assert away.std() == pytest.approx(1.0, abs=0.05)


def test_family_effects_have_the_given_correlation() -> None:
    panel = simulate(make_truth(), simulate_models(4_000, 1), features=TWO)
    found = np.cov(panel.truth.family_effects.to_numpy().T)
    np.testing.assert_allclose(found, [[1.0, 0.4], [0.4, 1.0]], atol=0.08)


def test_slopes_may_differ_between_families() -> None:
    models = simulate_models(2_000, 2)
    truth = simulate(make_truth(slope_sd=np.array([0.5, 0.0])), models, features=TWO).truth
    x = np.column_stack([np.log10(models["params_b"]), np.log10(models["tokens_t"])])
    x = x - x.mean(axis=0)
    effects = truth.family_effects.loc[models["family"]].to_numpy()
    rest = truth.skill_scores.to_numpy() - effects - x @ truth.params.slopes.T
    assert (rest[:, 0] / x[:, 0]).std() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(rest[:, 1], 0.0, atol=1e-12)


def test_a_panel_follows_its_seed() -> None:
    params, models = make_truth(), simulate_models(6, 3)
    first, again, other = (simulate(params, models, features=TWO, seed=s) for s in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.9])
def test_the_share_of_missing_scores_is_as_asked_for(missing: float) -> None:
    panel = simulate(make_truth(), simulate_models(300, 3), features=TWO, missing=missing)
    gaps = panel.scores.isna()
    # One score in eight is kept whatever happens.
    assert gaps.to_numpy().mean() == pytest.approx(missing * 7.0 / 8.0, abs=0.02)
    assert not gaps.all(axis=1).any()
    assert not gaps.all(axis=0).any()


def test_few_models_with_many_gaps_keep_every_benchmark() -> None:
    panel = simulate(make_truth(), simulate_models(2, 2), features=TWO, missing=0.99)
    assert panel.scores.notna().any().all()


def test_benchmarks_have_names_and_the_truths_floors() -> None:
    names = list("abcdefgh")
    params = make_truth(floors=np.linspace(0.0, 0.35, 8))
    panel = simulate(params, simulate_models(6, 3), features=TWO, benchmarks=names)
    assert panel.scores.columns.tolist() == names
    assert panel.benchmarks["chance"].tolist() == params.floors.tolist()


def test_benchmarks_are_numbered_by_default() -> None:
    panel = simulate(make_truth(), simulate_models(6, 3), features=TWO)
    assert panel.scores.columns.tolist() == [f"bench_{j}" for j in range(1, 9)]


def test_real_models_can_be_given_other_scores(leaderboard: lv.Panel) -> None:
    models = leaderboard.models
    panel = simulate(make_truth(), models[models["tokens_t"].notna()], features=TWO)
    assert panel.n_models == 184
    assert panel.models["lineage"].equals(models.loc[panel.models.index, "lineage"])


# -- what is refused -----------------------------------------------------------------------------


def refusal(params: lv.Parameters, **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        simulate(params, options.pop("models", simulate_models(6, 3)), **options)
    return str(caught.value)


def test_slopes_that_do_not_suit_the_features_are_refused(message: Message) -> None:
    text = refusal(make_truth())
    message(text, "2", "3")


@pytest.mark.parametrize("missing", [-0.1, 1.0, 2.0, float("nan")])
def test_a_missing_share_out_of_range_is_refused(missing: float, message: Message) -> None:
    text = refusal(make_truth(), features=TWO, missing=missing)
    message(text, "0", "1")


def test_another_number_of_names_than_benchmarks_is_refused() -> None:
    assert "benchmarks" in refusal(make_truth(), features=TWO, benchmarks=["a", "b"])


def test_the_same_name_for_two_benchmarks_is_refused(message: Message) -> None:
    message(refusal(make_truth(), features=TWO, benchmarks=["a", "a", *"cdefgh"]), "a", "2")


def test_an_unknown_feature_for_family_slopes_is_refused(message: Message) -> None:
    params = make_truth(slope_sd=np.ones(2))
    text = refusal(params, features=TWO, family_slopes="log_param")
    message(text, "log_params")


def test_models_that_lack_what_the_features_need_are_refused() -> None:
    models = simulate_models(6, 3)
    models.loc["family-2-a", "tokens_t"] = np.nan
    assert "family-2-a" in refusal(make_truth(), models=models, features=TWO)


def test_models_without_families_are_refused() -> None:
    models = simulate_models(6, 3).drop(columns="family")
    assert "family" in refusal(make_truth(), models=models, features=TWO)


def test_simulating_models_first_does_not_hide_the_function() -> None:
    # lvkit.fit.simulate is a module and a function: the function must win whichever is loaded
    # first.
    code = "import lvkit as lv; lv.simulate_models(2, 2); print(callable(lv.simulate))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


# -- the truth is recovered ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_a_simulated_truth_is_recovered(missing: float) -> None:
    params = make_truth()
    models = simulate_models(200, 3, seed=1)
    panel = simulate(params, models, features=TWO, missing=missing, seed=2)
    anchors = {"first": "bench_1", "second": "bench_2"}
    fit = lv.LatentSkillModel(anchors=anchors, features=TWO).fit(panel)
    assert fit.converged
    # Errors of the size that 200 families allow: 1 / sqrt(2 * 200) = 0.05 for a scale.
    np.testing.assert_allclose(fit.params.loadings, params.loadings, atol=0.15)
    np.testing.assert_allclose(fit.params.correlation, params.correlation, atol=0.15)
    np.testing.assert_allclose(fit.params.slopes, params.slopes, atol=0.3)
    # Four standard errors of a log precision, sqrt(2 / degrees of freedom): 600 scores less 200
    # families' effects on the anchor when all are measured, 360 less 150 with two in five missing.
    tolerance = 4.0 * np.sqrt(2.0 / (400 if missing == 0.0 else 210))
    np.testing.assert_allclose(fit.params.precisions, params.precisions, rtol=tolerance)
    effects = fit.family_effects.loc[panel.truth.family_effects.index]
    for k in range(2):
        together = np.corrcoef(effects.iloc[:, k], panel.truth.family_effects.iloc[:, k])
        assert together[0, 1] > 0.9


@pytest.mark.slow
def test_the_truth_is_never_far_more_likely_than_the_fit() -> None:
    params, models = make_truth(), simulate_models(60, 3, seed=2)
    panel = simulate(params, models, features=TWO, seed=2)
    anchors = {"first": "bench_1", "second": "bench_2"}
    fit = lv.LatentSkillModel(anchors=anchors, features=TWO).fit(panel)

    class Wide:
        """The truth with the zero slopes of a product that the independent program has too."""

        loadings, intercepts, precisions = params.loadings, params.intercepts, params.precisions
        floors, correlation = params.floors, params.correlation
        slopes = np.hstack([params.slopes, np.zeros((2, 1))])

    at_truth = by_quadrature(
        Wide, list(panel.scores.columns), panel.scores, panel.models, points=15
    )
    # Half of a chi-squared with 35 degrees of freedom: 17.5 on average, above 0 always.
    assert fit.n_params == 35
    assert 0.0 < fit.loglik - at_truth < 35.0
