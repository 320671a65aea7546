from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import make_case
from independent import by_importance, by_quadrature

import lvkit as lv
from lvkit.marginal import integrate, refined
from lvkit.modes import Posterior, posterior_modes
from lvkit.nodes import make_nodes
from lvkit.scoretable import Coefficients


def spread(coefficients: Coefficients) -> Any:
    """Coefficients as the gradient orders them, shape (J, width)."""
    c = coefficients
    latent = np.swapaxes(c.latent, 0, 1).reshape(len(c.intercept), -1)
    return np.column_stack([latent, c.feature, c.intercept, c.log_precision, c.floor])


def gathered(values: Any, like: Coefficients) -> Coefficients:
    """The inverse of :func:`spread`."""
    m, n_benchmarks, q = like.latent.shape
    latent = np.swapaxes(values[:, : m * q].reshape(n_benchmarks, m, q), 0, 1)
    feature, rest = values[:, m * q : -3], values[:, -3:]
    return Coefficients(latent, feature, rest[:, 0], rest[:, 1], rest[:, 2])


# -- value, gradient and Hessian ------------------------------------------------------------------


def test_without_any_influence_the_posterior_is_the_prior() -> None:
    table, coefficients, _ = make_case()
    none = replace(coefficients, latent=np.zeros_like(coefficients.latent))
    found = integrate(table, none, make_nodes(2, 64))
    np.testing.assert_allclose(found.mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, np.eye(2) + np.zeros((4, 1, 1)), atol=1e-10)
    np.testing.assert_allclose(found.effective_nodes, 64.0)


@pytest.fixture(params=[(1, 1), (1, 3), (2, 2)], ids=["1 skill", "3 skills", "2 with slopes"])
def held(request: pytest.FixtureRequest) -> Any:
    """A table, coefficients, nodes, and where the nodes are held."""
    m, q = request.param
    table, coefficients, _ = make_case(m=m, q=q)
    nodes = make_nodes(q, 64)
    return table, coefficients, nodes, posterior_modes(table, coefficients)


def at(held: Any, values: Any, order: int) -> Any:
    table, coefficients, nodes, placement = held
    there = gathered(values, coefficients)
    return integrate(table, there, nodes, order=order, floors=True, placement=placement)


def test_the_gradient_agrees_with_finite_differences(held: Any) -> None:
    values = spread(held[1])
    found = at(held, values, 1).gradient
    for entry in np.ndindex(values.shape):
        step = np.zeros_like(values)
        step[entry] = 1e-5
        change = at(held, values + step, 0).loglik - at(held, values - step, 0).loglik
        assert found[entry] == pytest.approx(change / 2e-5, abs=1e-6, rel=1e-6)


def test_the_hessian_agrees_with_finite_differences_of_the_gradient(held: Any) -> None:
    values = spread(held[1])
    found = at(held, values, 2).hessian.reshape(values.size, *values.shape)
    for row, entry in enumerate(np.ndindex(values.shape)):
        step = np.zeros_like(values)
        step[entry] = 1e-5
        change = at(held, values + step, 1).gradient - at(held, values - step, 1).gradient
        np.testing.assert_allclose(found[row], change / 2e-5, atol=1e-5, rtol=1e-6)


def test_each_order_gives_the_same_value_and_the_gradient_of_the_next(held: Any) -> None:
    values = spread(held[1])
    zero, one, two = (at(held, values, order) for order in (0, 1, 2))
    assert zero.loglik == one.loglik == two.loglik
    np.testing.assert_array_equal(one.scores, two.scores)
    assert (zero.scores, zero.hessian, one.hessian, one.complete) == (None,) * 4


def test_families_gradients_add_up(held: Any) -> None:
    found = at(held, spread(held[1]), 1)
    np.testing.assert_allclose(found.scores.sum(axis=0), found.gradient)
    assert found.by_family.sum() == pytest.approx(found.loglik)


def test_a_value_alone_has_no_gradient(held: Any) -> None:
    with pytest.raises(ValueError, match=r"order=1"):
        _ = at(held, spread(held[1]), 0).gradient


def test_without_free_floors_their_derivatives_are_zero() -> None:
    table, coefficients, _ = make_case()
    found = integrate(table, coefficients, make_nodes(2, 64), order=2)
    width = coefficients.width
    assert not found.gradient[:, -1].any()
    assert found.hessian is not None
    assert not found.hessian.reshape(3, width, 3, width)[:, -1].any()


def test_the_value_does_not_depend_on_how_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    table, coefficients, _ = make_case()
    nodes = make_nodes(2, 64)
    whole = integrate(table, coefficients, nodes, order=2)
    monkeypatch.setattr("lvkit.scoretable._BLOCK", 1)
    cut = integrate(table, coefficients, nodes, order=2)
    assert cut.loglik == pytest.approx(whole.loglik, abs=1e-10)
    np.testing.assert_allclose(cut.gradient, whole.gradient, atol=1e-10)
    assert cut.hessian is not None
    np.testing.assert_allclose(cut.hessian, whole.hessian, atol=1e-9)


def test_refined_nodes_and_many_nodes_at_the_mode_agree() -> None:
    table, coefficients, _ = make_case()
    fine = refined(table, coefficients, make_nodes(2, 64), make_nodes(2, 1_024))
    many = integrate(table, coefficients, make_nodes(2, 16_384))
    assert fine.loglik == pytest.approx(many.loglik, abs=1e-3)
    np.testing.assert_allclose(fine.mean, many.mean, atol=1e-3)
    np.testing.assert_allclose(fine.covariance, many.covariance, atol=2e-3)


def test_a_rotation_of_the_latent_vector_changes_nothing() -> None:
    table, coefficients, _ = make_case()
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(2, 2)))[0]
    turned = replace(coefficients, latent=coefficients.latent @ turn)
    nodes = make_nodes(2, 1_024)
    first, second = integrate(table, coefficients, nodes), integrate(table, turned, nodes)
    assert first.loglik == pytest.approx(second.loglik, abs=1e-3)


def test_a_placement_is_used_as_it_is() -> None:
    table, coefficients, _ = make_case()
    place = Posterior(np.zeros((4, 2)), np.broadcast_to(np.eye(2), (4, 2, 2)), np.zeros(4))
    found = integrate(table, coefficients, make_nodes(2, 64), placement=place)
    assert found.posterior is place


# -- against an independent implementation ------------------------------------------------------


@pytest.mark.parametrize("data", ["complete", "leaderboard"])
@pytest.mark.parametrize("n_skills", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_loglik_agrees_with_quadrature_by_an_independent_program(
    data: str, n_skills: int, request: pytest.FixtureRequest
) -> None:
    panel: lv.Panel = request.getfixturevalue(data)
    fit = lv.LatentSkillModel(n_skills=n_skills).fit(panel)
    found = by_quadrature(fit.params, list(fit.benchmarks), panel.scores, panel.models)
    assert fit.loglik == pytest.approx(found, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["complete", "leaderboard"])
def test_the_loglik_of_four_skills_agrees_with_importance_sampling(
    data: str, paper_anchors: dict[str, str], request: pytest.FixtureRequest
) -> None:
    panel: lv.Panel = request.getfixturevalue(data)
    if data == "leaderboard":
        fit: lv.Fit = request.getfixturevalue("paper_fit")
    else:
        fit = lv.LatentSkillModel(anchors=paper_anchors).fit(panel)
    found = by_importance(fit.params, list(fit.benchmarks), panel.scores, panel.models)
    assert fit.loglik == pytest.approx(found, abs=0.05)


def test_the_loglik_with_chance_floors_agrees_with_quadrature(small_panel: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=1, floor="chance").fit(small_panel)
    found = by_quadrature(fit.params, list(fit.benchmarks), small_panel.scores, small_panel.models)
    assert fit.loglik == pytest.approx(found, abs=0.05)
