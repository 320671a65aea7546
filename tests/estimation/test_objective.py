from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lvkit as lv
from lvkit.estimation.estimate import objective_for, prepared_for
from lvkit.estimation.objective import Objective
from lvkit.estimation.starts import principal
from lvkit.model.quadrature import fine_nodes, make_nodes


@pytest.fixture(scope="module", params=["none", "estimate"])
def objective(request: pytest.FixtureRequest, small_panel: lv.Panel) -> Objective:
    model = lv.LatentSkillModel(n_skills=2, floor=request.param)
    hill = objective_for(model, prepared_for(model, small_panel), 2)
    return hill.recentred(principal(hill.table, 2))


@pytest.fixture(scope="module")
def vector(objective: Objective, small_panel: lv.Panel) -> np.ndarray:
    """A point not far from the top, where the search spends its time."""
    top = lv.LatentSkillModel(n_skills=2).fit(small_panel).frame
    floors = objective.chart.floors
    there = objective.chart.vector(replace(top, floors=floors.fixed + 0.1 * floors.ceiling))
    return there + np.random.default_rng(0).normal(0.0, 0.05, len(there))


def test_the_gradient_is_that_of_the_value(objective: Objective, vector: np.ndarray) -> None:
    # The nodes move with the vector, so with few of them value and gradient differ a little.
    nodes = make_nodes(2, 1_024)
    found = objective.evaluate(vector, nodes)
    rng = np.random.default_rng(0)
    for _ in range(5):
        way = rng.normal(size=len(vector)) / np.sqrt(len(vector))
        high, low = (objective.evaluate(vector + s * 1e-3 * way, nodes).loglik for s in (1, -1))
        assert found.gradient @ way == pytest.approx((high - low) / 2e-3, rel=2e-3, abs=0.02)


def test_the_information_is_minus_the_slope_of_the_gradient(
    objective: Objective, vector: np.ndarray
) -> None:
    nodes = make_nodes(2, 1_024)
    found = objective.evaluate(vector, nodes)
    np.testing.assert_allclose(found.information, found.information.T, atol=1e-6)
    rng = np.random.default_rng(1)
    for _ in range(3):
        way = rng.normal(size=len(vector)) / np.sqrt(len(vector))
        high, low = (objective.evaluate(vector + s * 1e-3 * way, nodes).gradient for s in (1, -1))
        slope = (low - high) / 2e-3
        miss = np.linalg.norm(found.information @ way - slope)
        assert miss < 5e-3 * np.linalg.norm(slope)


def test_the_complete_information_is_positive_at_the_top(small_fit: lv.Fit) -> None:
    prepared = small_fit.prepared
    top = prepared.to_search(small_fit.frame)
    hill = objective_for(small_fit.model, prepared, 2).recentred(top)
    found = hill.evaluate(hill.chart.vector(top), make_nodes(2, 64))
    assert np.linalg.eigvalsh(found.complete)[0] > -1e-6 * np.abs(found.complete).max()


def test_warm_modes_give_the_same_evaluation(objective: Objective, vector: np.ndarray) -> None:
    nodes = make_nodes(2, 64)
    cold = objective.evaluate(vector, nodes)
    warm = objective.evaluate(vector, nodes, cold.modes)
    assert warm.loglik == pytest.approx(cold.loglik, abs=1e-3)


def test_the_hill_is_the_same_on_another_chart(objective: Objective, vector: np.ndarray) -> None:
    frame = objective.chart.frame(vector)
    other = replace(objective, chart=replace(objective.chart, markers=np.array([3, 4])))
    there = other.chart.frame(other.chart.vector(frame))
    assert other.measure(there, 256).loglik == pytest.approx(
        objective.measure(frame, 256).loglik, abs=1e-3
    )


# -- large tables ---------------------------------------------------------------------------------


def test_large_tables_have_nodes_of_their_own(
    objective: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert objective.lean == ()
    monkeypatch.setattr("lvkit.estimation.objective.LARGE", 10)
    assert [nodes.points.shape for nodes in objective.lean] == [(2, 16), (2, 36), (2, 81)]


def test_they_measure_the_same_value_and_the_same_errors(
    objective: Objective, vector: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = objective.chart.frame(vector)
    value = objective.measure(frame, 1_024)
    shape = objective.survey(frame, fine_nodes(2))
    monkeypatch.setattr("lvkit.estimation.objective.LARGE", 10)
    lean, survey = objective.measure(frame, 1_024), objective.survey(frame, fine_nodes(2))
    assert lean.n_nodes == 81
    assert lean.loglik == pytest.approx(value.loglik, abs=0.01)
    np.testing.assert_allclose(lean.mean, value.mean, atol=2e-3)
    np.testing.assert_allclose(lean.covariance, value.covariance, atol=5e-3)
    np.testing.assert_allclose(survey.gradient, shape.gradient, atol=0.02)
    scale = np.abs(shape.information).max()
    np.testing.assert_allclose(survey.information, shape.information, atol=1e-3 * scale)


def test_threads_do_not_change_an_evaluation(
    objective: Objective, vector: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvkit.model.score_table._LARGE_TABLE", 100)
    monkeypatch.setattr("lvkit.model.score_table._CHUNK", 60)
    assert len(objective.table.chunks()) > 3
    nodes = make_nodes(2, 64)
    one, *others = (replace(objective, n_jobs=n).evaluate(vector, nodes) for n in (1, 2, 3))
    for other in others:
        assert other.loglik == one.loglik
        np.testing.assert_array_equal(other.information, one.information)
        np.testing.assert_array_equal(other.scores, one.scores)


def test_a_step_too_far_is_none_and_silent_on_threads_too(
    objective: Objective, vector: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvkit.model.score_table._LARGE_TABLE", 100)
    monkeypatch.setattr("lvkit.model.score_table._CHUNK", 60)
    hill, nodes = replace(objective, n_jobs=2), make_nodes(2, 64)
    modes = hill.evaluate(vector, nodes).modes
    far = vector.copy()
    far[hill.chart.cuts[2] :] = 800.0  # precisions that overflow
    assert hill.attempt(far, nodes, modes) is None
