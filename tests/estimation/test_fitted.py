from __future__ import annotations

import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from threading import Barrier

import numpy as np
import pytest

import lvkit as lv
from lvkit.estimation import standard_errors
from lvkit.estimation.fitted import _MOST, Fitted, Memo
from lvkit.estimation.settings import Settings
from lvkit.model.beta import response


@pytest.fixture
def memo() -> Memo:
    return Memo()


@pytest.fixture
def fit(small_fit: lv.Fit) -> lv.Fit:
    """A fit from which nothing was computed yet."""
    return replace(small_fit)


# -- the memo ------------------------------------------------------------------------------------


def test_a_value_is_made_once_for_each_kind_and_key(memo: Memo) -> None:
    made: list[str] = []

    def make(name: str) -> list[str]:
        made.append(name)
        return [name]

    first = memo.get("a", lambda: make("a"))
    assert memo.get("a", lambda: make("a")) is first
    assert memo.get("a", lambda: make("a1"), key=1) == ["a1"]
    assert memo.get("b", lambda: make("b")) == ["b"]
    assert made == ["a", "a1", "b"]


def test_what_was_not_asked_for_longest_is_forgotten_first(memo: Memo) -> None:
    other = memo.get("other", object)
    for number in range(_MOST):
        memo.get("a", object, key=number)
    first = memo.get("a", object, key=0)
    memo.get("a", object, key="one more")
    assert memo.get("a", object, key=0) is first
    assert memo.get("a", lambda: "made anew", key=1) == "made anew"
    assert memo.get("other", object) is other


def test_nothing_is_kept_of_what_failed(memo: Memo) -> None:
    with pytest.raises(ZeroDivisionError):
        memo.get("a", lambda: 1 / 0)
    assert "a" not in memo
    assert memo.get("a", lambda: 1) == 1


def test_all_threads_get_the_same_value(memo: Memo) -> None:
    both = Barrier(2)

    def make() -> object:
        both.wait()
        return object()

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: memo.get("a", make), range(2))
    assert first is second


def test_a_value_may_need_another_one(memo: Memo) -> None:
    assert memo.get("a", lambda: memo.get("b", lambda: 2) + 1) == 3


# -- the memo of a fit ---------------------------------------------------------------------------


def test_a_changed_copy_begins_with_nothing(fit: lv.Fit) -> None:
    fit.summary()
    assert "curvature" in fit.memo
    assert "curvature" not in replace(fit).memo
    assert "measured" not in replace(fit, seed=1).memo


def test_a_pickled_fit_keeps_its_curvature(fit: lv.Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = fit.summary()
    again = pickle.loads(pickle.dumps(fit))
    monkeypatch.setattr(standard_errors, "measure", pytest.fail)
    assert again.summary().equals(expected)
    assert again.model == fit.model


def test_draws_of_plans_are_not_pickled(fit: lv.Fit) -> None:
    fit.summary()
    lv.plan_compute(fit, 1e22, target="general")
    assert "draws" in fit.memo
    again = pickle.loads(pickle.dumps(fit))
    assert "draws" not in again.memo
    assert "curvature" in again.memo


def test_nothing_outlives_its_fit(fit: lv.Fit) -> None:
    mine = replace(fit)
    lv.plan_compute(mine, 1e22, target="general")
    gone = weakref.ref(mine)
    del mine
    gc.collect()
    assert gone() is None


# -- a fit and its methods -----------------------------------------------------------------------


def test_a_fit_is_its_estimate_with_methods(fit: lv.Fit) -> None:
    plain = Fitted(**{each.name: getattr(fit, each.name) for each in fields(Fitted) if each.init})
    again = lv.Fit.of(plain)
    assert again.memo is plain.memo
    np.testing.assert_array_equal(again.loadings, fit.loadings)
    assert again.bic == fit.bic == plain.bic
    assert again.summary().equals(standard_errors.summary(plain, 0.95, "information"))


def test_a_model_is_its_settings_with_a_method(fit: lv.Fit) -> None:
    model = lv.LatentSkillModel(n_skills=2, floor="chance")
    assert isinstance(model, Settings)
    assert repr(model).startswith("LatentSkillModel(anchors=None, n_skills=2, ")
    assert pickle.loads(pickle.dumps(model)) == model == replace(model)
    assert len({model, replace(model), replace(model, n_skills=3)}) == 2
    assert isinstance(fit.model, lv.LatentSkillModel)


# -- families and models --------------------------------------------------------------------------


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
