from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.planning.family_curves import AVERAGE, Centre, Draws, centre, check_family, draws
from lvkit.planning.feature_surface import learn_surface
from lvkit.planning.target import read_target
from lvkit.prediction.distribution import predictive
from lvkit.prediction.request import read_request

Expectation = Callable[..., np.ndarray]

FITS = ["curved_fit", "sloped_fit", "cubed_fit"]
SIZES, TOKENS = np.array([0.5, 7.0, 70.0, 3.0]), np.array([12.0, 7.0, 2.0, 0.4])


def centre_of(fit: lv.Fit, family: str | None) -> Centre:
    return centre(fit, learn_surface(fit, family, None), family)


def draws_of(fit: lv.Fit, family: str | None, seed: int = 0) -> Draws:
    return draws(fit, learn_surface(fit, family, None), family, seed)


# -- the estimate --------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["qwen2", None, AVERAGE])
@pytest.mark.parametrize("name", FITS)
def test_the_centre_is_what_the_family_can_be_expected_to_reach(
    name: str, family: str | None, expectation: Expectation, request: pytest.FixtureRequest
) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    look = centre_of(fit, family)
    scores = expectation(fit, family, SIZES, TOKENS)
    skills = expectation(fit, family, SIZES, TOKENS, skills=True)
    for names, expected, off in ((fit.benchmarks, scores, 3e-4), (fit.skills, skills, 2e-3)):
        for at, target in enumerate(names):
            found = look.value(read_target(fit, target), np.log10(SIZES), np.log10(TOKENS))
            np.testing.assert_allclose(found, expected[:, at], rtol=0.0, atol=off)


@pytest.mark.parametrize("name", ["curved_fit", "sloped_fit"])
def test_at_a_fitted_model_the_centre_is_what_the_fit_says_of_it(
    name: str, request: pytest.FixtureRequest
) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    models = fit.panel.models.loc[["qwen2-7b", "qwen2-72b"]]
    s, t = (np.log10(models[column].to_numpy()) for column in ("params_b", "tokens_t"))
    look = centre_of(fit, "qwen2")
    for names, table in ((fit.benchmarks, fit.fitted_scores), (fit.skills, fit.skill_scores)):
        for target in names:
            found = look.value(read_target(fit, target), s, t)
            np.testing.assert_allclose(found, table.loc[models.index, target], atol=2e-3)


def test_the_centre_is_the_mean_of_many_draws_from_the_population(sloped_fit: lv.Fit) -> None:
    rng, truth = np.random.default_rng(0), sloped_fit.params
    alpha = rng.multivariate_normal(np.zeros(2), truth.correlation, 100_000)
    assert truth.slope_sd is not None
    gamma = rng.standard_normal((100_000, 2)) * truth.slope_sd
    x = sloped_fit.prepared.features.values(pd.DataFrame({"params_b": [30.0], "tokens_t": [4.0]}))
    theta = alpha + gamma * x[0, 0] + truth.slopes @ x[0]
    eta = theta @ truth.loadings.T + truth.intercepts
    drawn = 1.0 / (1.0 + np.exp(-eta))
    look = centre_of(sloped_fit, None)
    for at, benchmark in enumerate(sloped_fit.benchmarks):
        found = look.value(read_target(sloped_fit, benchmark), np.log10([30.0]), np.log10([4.0]))
        error = drawn[:, at].std() / np.sqrt(100_000)
        assert abs(found[0] - drawn[:, at].mean()) < 4.0 * error + 1e-5


def test_a_familys_centre_is_the_mean_of_its_posterior_draws(curved_fit: lv.Fit) -> None:
    alpha = curved_fit.sample_families(4_000).draws[curved_fit.families.index("pythia")]
    truth = curved_fit.params
    x = curved_fit.prepared.features.values(pd.DataFrame({"params_b": [30.0], "tokens_t": [4.0]}))
    eta = (alpha + truth.slopes @ x[0]) @ truth.loadings.T + truth.intercepts
    drawn = truth.floors + (1.0 - truth.floors) / (1.0 + np.exp(-eta))
    look = centre_of(curved_fit, "pythia")
    for at, benchmark in enumerate(curved_fit.benchmarks):
        found = look.value(read_target(curved_fit, benchmark), np.log10([30.0]), np.log10([4.0]))
        assert abs(found[0] - drawn[:, at].mean()) < 0.1 * drawn[:, at].std()


def test_a_mix_is_the_weighted_mean_of_its_parts(curved_fit: lv.Fit) -> None:
    look, s, t = centre_of(curved_fit, None), np.log10(SIZES), np.log10(TOKENS)
    for first, second in (("mmlu", "gsm8k"), ("general", "instruction")):
        mix = read_target(curved_fit, {first: 3.0, second: 1.0})
        parts = [look.value(read_target(curved_fit, name), s, t) for name in (first, second)]
        np.testing.assert_allclose(look.value(mix, s, t), 0.75 * parts[0] + 0.25 * parts[1])


def test_a_form_is_greatest_where_its_target_is(curved_fit: lv.Fit, sloped_fit: lv.Fit) -> None:
    rng = np.random.default_rng(0)
    s, t = rng.uniform(-1.0, 2.0, (2, 200))
    look = centre_of(curved_fit, None)
    for name in (*curved_fit.skills, *curved_fit.benchmarks):
        target = read_target(curved_fit, name)
        form, value = look.form(target), look.value(target, s, t)
        assert form is not None
        by_form = (look.surface.basis(s, t) @ form)[np.argsort(value)]
        assert (np.diff(by_form) > -1e-9).all()
    assert look.form(read_target(curved_fit, {"mmlu": 1.0, "arc": 1.0})) is None
    # Where families differ in their slopes, a benchmark's spread depends on the size.
    assert centre_of(sloped_fit, None).form(read_target(sloped_fit, "mmlu")) is None
    assert centre_of(sloped_fit, None).form(read_target(sloped_fit, "general")) is not None


# -- draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["qwen2", None])
@pytest.mark.parametrize("name", ["curved_fit", "sloped_fit"])
def test_draws_are_spread_as_predictions_are(
    name: str, family: str | None, request: pytest.FixtureRequest
) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    models = pd.DataFrame({"params_b": SIZES, "tokens_t": TOKENS, "family": family})
    models.insert(0, "model", ["a", "b", "c", "d"])
    asked = read_request(fit, models, "error")
    other = predictive(fit, asked, draws=8_000, seed=5, curvature=fit.curvature,
                       parameter_draws=500)  # fmt: skip
    look = draws_of(fit, family)
    shares, far = [0.05, 0.5, 0.95], []
    for names, expected in ((fit.benchmarks, other.expected), (fit.skills, other.skills)):
        for at, target in enumerate(names):
            found = look.values(read_target(fit, target), np.log10(SIZES), np.log10(TOKENS))
            assert found.shape == (4, 2_400)
            apart = np.quantile(found, shares, axis=1) - np.quantile(
                expected[:, at], shares, axis=1
            )
            far.append(apart / expected[:, at].std(axis=1))
    assert np.abs(far).max() < 0.5  # a 5 % quantile of 300 draws is off by 0.15 or so
    assert np.abs(np.mean(far, axis=(0, 2))).max() < 0.2


def test_the_average_recipe_has_no_spread_of_its_own(curved_fit: lv.Fit) -> None:
    look = draws_of(curved_fit, AVERAGE)
    assert np.ptp(look.skills, axis=1).max() == 0.0
    spread, of_new = (
        each.values(read_target(curved_fit, "general"), np.array([1.0]), np.array([0.5])).std()
        for each in (look, draws_of(curved_fit, None))
    )
    assert spread < 0.7 * of_new


@pytest.mark.parametrize("target", ["general", "gsm8k", {"mmlu": 1.0, "gsm8k": 2.0}])
def test_the_first_latent_draw_is_the_one_that_is_searched(
    curved_fit: lv.Fit, target: str | dict[str, float]
) -> None:
    look, aim = draws_of(curved_fit, "qwen2"), read_target(curved_fit, target)
    s, t = np.log10(SIZES), np.log10(TOKENS)
    every = look.values(aim, s, t).reshape(4, 300, -1)[:, :, 0]
    lead = (5, 300, 4)
    first = look.value(aim, np.broadcast_to(s, lead), np.broadcast_to(t, lead))
    np.testing.assert_allclose(first, np.broadcast_to(every.T, lead))
    form = look.forms(aim)
    if form is not None:
        at_form = look.surface.basis(s, t) @ form.T
        assert (np.argsort(at_form, axis=0) == np.argsort(every, axis=0)).all()
    else:
        assert not isinstance(target, str)


def test_the_same_seed_gives_the_same_draws(curved_fit: lv.Fit) -> None:
    one, same, other = (draws_of(curved_fit, "qwen2", seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.predictors, same.predictors)
    assert not np.allclose(one.predictors, other.predictors)


def test_draws_of_a_fit_that_did_not_converge_are_refused(unfinished_fit: lv.Fit) -> None:
    assert np.isfinite(centre_of(unfinished_fit, None).skills).all()
    with pytest.raises(lv.LvkitError, match="converge"):
        draws_of(unfinished_fit, None)


# -- whose ---------------------------------------------------------------------------------------


def test_families_are_called_by_their_name(curved_fit: lv.Fit, message: Message) -> None:
    called = [check_family(curved_fit, family) for family in ("qwen2", None, AVERAGE)]
    assert called[0] == "qwen2"
    message("\n".join(called[1:]))


@pytest.mark.parametrize(("family", "near"), [("qwen-2", "'qwen2'"), (7, ""), ("", "")])
def test_families_nobody_fitted_are_refused_with_the_nearest(
    curved_fit: lv.Fit, family: object, near: str, message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        check_family(curved_fit, family)  # type: ignore[arg-type]
    (problem,) = error.value.problems
    assert problem.where == "family"
    assert repr(family) in problem.seen
    message(problem)
    assert near in problem.remedy
