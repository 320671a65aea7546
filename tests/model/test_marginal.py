from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import make_case
from independent import by_importance, by_quadrature

import lvkit as lv
from lvkit.model.marginal import integrate, refined
from lvkit.model.posterior_mode import Posterior, posterior_modes
from lvkit.model.quadrature import make_nodes
from lvkit.model.score_table import Coefficients, ScoreTable


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
    monkeypatch.setattr("lvkit.model.score_table._BLOCK", 1)
    cut = integrate(table, coefficients, nodes, order=2)
    assert cut.loglik == pytest.approx(whole.loglik, abs=1e-10)
    np.testing.assert_allclose(cut.gradient, whole.gradient, atol=1e-10)
    assert cut.hessian is not None
    np.testing.assert_allclose(cut.hessian, whole.hessian, atol=1e-9)


def same(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Hold value, derivatives and moments of two integrals against one another."""
    assert found.loglik == pytest.approx(expected.loglik, abs=tolerance)
    for name in ("by_family", "mean", "covariance", "scores", "hessian", "complete"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(one, other, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("m", [1, 2], ids=["intercepts", "with slopes"])
def test_a_large_family_is_worked_on_in_slices_with_the_same_result(
    m: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, coefficients, _ = make_case(m=m)
    nodes = make_nodes(2, 64)
    whole = integrate(table, coefficients, nodes, order=2, floors=True, tolerance=1e-10)
    monkeypatch.setattr("lvkit.model.score_table._BLOCK", 1)
    monkeypatch.setattr("lvkit.model.score_table._LARGE_FAMILY", 64 * 4)
    monkeypatch.setattr("lvkit.model.score_table._SLICE", 64 * 2)
    monkeypatch.setattr("lvkit.model.posterior_mode._RUN", 5)
    sizes = [len(table.slices(block, 64)) for block in table.blocks(64)]
    assert min(sizes) == 1 < max(sizes)
    same(integrate(table, coefficients, nodes, order=2, floors=True, tolerance=1e-10), whole)


@pytest.fixture
def chunked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A table in three chunks, coefficients, nodes, and what they say in one piece."""
    table, coefficients, _ = make_case()
    nodes = make_nodes(2, 64)
    whole = integrate(table, coefficients, nodes, order=2, floors=True, tolerance=1e-10)
    monkeypatch.setattr("lvkit.model.score_table._LARGE_TABLE", 20)
    monkeypatch.setattr("lvkit.model.score_table._CHUNK", 13)
    assert len(table.chunks()) == 3
    return table, coefficients, nodes, whole


def test_a_large_table_is_worked_on_in_chunks_with_the_same_result(chunked: Any) -> None:
    table, coefficients, nodes, whole = chunked
    options: dict[str, Any] = {"order": 2, "floors": True, "tolerance": 1e-10}
    same(integrate(table, coefficients, nodes, **options), whole)
    warm = integrate(table, coefficients, nodes, start=whole.posterior.mode, **options)
    same(warm, whole)
    held = integrate(table, coefficients, nodes, placement=whole.posterior, **options)
    same(held, whole)
    np.testing.assert_array_equal(held.posterior.mode, whole.posterior.mode)


def test_numbers_do_not_depend_on_the_threads(chunked: Any) -> None:
    table, coefficients, nodes, _ = chunked
    found = [integrate(table, coefficients, nodes, order=2, n_jobs=n) for n in (1, 2, 3)]
    for other in found[1:]:
        assert other.loglik == found[0].loglik
        for name in ("by_family", "mean", "covariance", "scores", "hessian", "complete"):
            np.testing.assert_array_equal(getattr(other, name), getattr(found[0], name))


def test_memory_does_not_grow_with_the_scores_of_a_family() -> None:
    def extra(n_models: int) -> float:
        """Peak of the memory an evaluation takes, beyond the table, in MB."""
        rng = np.random.default_rng(0)
        family = (np.arange(n_models) >= n_models - 3).astype(np.intp)
        scores = rng.uniform(0.2, 0.8, (n_models, 6))
        features = rng.normal(size=(n_models, 2))
        table = ScoreTable.build(scores, family, features, np.ones((n_models, 1)), 0.0025)
        coefficients = Coefficients(
            np.full((1, 6, 2), 0.4), np.zeros((6, 2)), np.zeros(6), np.full(6, 1.5), np.zeros(6)
        )
        nodes = make_nodes(2, 128)
        tracemalloc.start()
        integrate(table, coefficients, nodes, order=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 2**20

    small, large = extra(2_000), extra(8_000)
    one_array = 8 * 8_000 * 6 * 128 / 2**20  # of scores x nodes; whole blocks take some twenty
    assert large < 0.7 * one_array
    assert large < 2.0 * small


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
