"""Panels that strain the model, and what a fit says of them: found by a critic, kept as laws."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from golden import Message

import lvkit as lv


def truth(**changes: Any) -> lv.Parameters:
    """Two skills on five benchmarks."""
    loadings = np.array([[1.0, 0.0], [0.0, 0.9], [0.6, 0.5], [0.4, 0.8], [0.9, 0.3]])
    settings: dict[str, Any] = {
        "loadings": loadings,
        "intercepts": np.zeros(5),
        "precisions": np.full(5, 50.0),
        "floors": np.zeros(5),
        "slopes": np.array([[1.0], [0.6]]),
        "correlation": np.eye(2),
    }
    return lv.Parameters(**{**settings, **changes})


@pytest.fixture(scope="module")
def simulated() -> lv.Panel:
    return lv.simulate(truth(), lv.simulate_models(20, 3, seed=1), features="log_params", seed=1)


def test_a_benchmark_fitted_exactly_is_named_and_the_fit_says_it_has_no_maximum(
    simulated: lv.Panel, message: Message
) -> None:
    table = simulated.to_frame()
    table["bench_1"] = table.groupby("family")["bench_1"].transform("first")
    panel = lv.Panel.from_frame(table, benchmarks=simulated.benchmarks)
    model = lv.LatentSkillModel(n_skills=2, features="log_params")
    with pytest.warns(lv.LvkitWarning) as caught:
        fit = model.fit(panel)
    message(caught, "bench_1")
    assert not fit.converged
    message(fit.message)
    assert np.isfinite(fit.loglik)


def test_a_saturated_response_can_be_simulated() -> None:
    high = truth(intercepts=np.array([50.0, -800.0, 0.0, 0.0, 0.0]))
    panel = lv.simulate(high, lv.simulate_models(10, 2), features="log_params")
    assert panel.scores["bench_1"].between(0.999, 1.0).all()
    assert panel.scores["bench_2"].between(0.0, 0.001).all()


def test_the_truth_of_a_simulated_panel_survives_pickling(simulated: lv.Panel) -> None:
    again = pickle.loads(pickle.dumps(simulated))
    assert again == simulated
    np.testing.assert_array_equal(again.truth.params.loadings, simulated.truth.params.loadings)


def test_a_model_keeps_anchors_of_its_own_and_can_be_hashed() -> None:
    anchors = {"first": "bench_1"}
    model = lv.LatentSkillModel(anchors=anchors)
    anchors["second"] = "bench_2"
    assert model.anchors == {"first": "bench_1"}
    assert hash(model) == hash(lv.LatentSkillModel(anchors={"first": "bench_1"}))


def test_no_array_of_a_fit_can_be_written_to(simulated: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(simulated)
    for array in (fit.frame.loadings, fit.frame.slopes, fit.latent_means, fit.params.loadings):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 99.0


def test_fits_may_be_compared_from_any_iterable(simulated: lv.Panel) -> None:
    models = [lv.LatentSkillModel(n_skills=k, features="log_params") for k in (1, 2)]
    table = lv.compare(model.fit(simulated) for model in models)
    assert table["skills"].tolist() == [1, 2]


def test_a_number_of_skills_from_numpy_can_be_saved(simulated: lv.Panel, tmp_path: Any) -> None:
    fit = lv.LatentSkillModel(n_skills=np.int64(1), features="log_params").fit(simulated)
    fit.save(tmp_path / "one.lvkit")
    assert lv.load_fit(tmp_path / "one.lvkit").loglik == fit.loglik
