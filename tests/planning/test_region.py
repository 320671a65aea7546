from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import lvkit as lv
from lvkit.planning.region import Region


def nearest_mixture(points: np.ndarray, point: np.ndarray) -> float:
    """Distance to a hull as the hull is defined: the nearest of all mixtures of its points."""
    n = len(points)
    found = minimize(
        lambda w: float(np.square(w @ points - point).sum()),
        np.full(n, 1.0 / n),
        jac=lambda w: 2.0 * points @ (w @ points - point),
        bounds=[(0.0, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(n)},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return float(np.sqrt(found.fun))


@pytest.mark.parametrize("seed", range(4))
def test_the_distance_is_to_the_nearest_mixture_of_the_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(12, 2))
    asked = rng.normal(scale=2.0, size=(15, 2))
    expected = [nearest_mixture(points, point) for point in asked]
    found = Region.around(points).distance(asked[:, 0], asked[:, 1])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)), min_size=1, max_size=12).map(
        np.array
    ),
    st.integers(0, 99),
)
def test_every_mixture_of_the_points_is_inside(points: np.ndarray, seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(points)), 5)
    mixed = np.vstack([points, weights @ points])
    assert Region.around(points).distance(mixed[:, 0], mixed[:, 1]).max() <= 1e-7


def test_models_on_a_line_have_a_region_without_inside() -> None:
    region = Region.around(np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5], [0.2, 0.2]]))
    s, t = np.array([0.3, 2.0, 0.0]), np.array([0.3, 2.0, 1.0])
    np.testing.assert_allclose(region.distance(s, t), [0.0, np.sqrt(2.0), np.sqrt(0.5)])


@pytest.mark.parametrize("count", [1, 4])
def test_models_that_are_all_alike_have_a_region_of_one_point(count: int) -> None:
    region = Region.around(np.tile([[0.5, 0.25]], (count, 1)))
    assert region.corners.tolist() == [[0.5, 0.25]]
    np.testing.assert_allclose(
        region.distance(np.array([0.5, 3.5]), np.array([0.25, 4.25])), [0.0, 5.0]
    )


def test_every_fitted_model_lies_in_the_region_of_its_fit(curved_fit: lv.Fit) -> None:
    models = curved_fit.panel.models.loc[list(curved_fit.prepared.models)]
    s, t = np.log10(models["params_b"].to_numpy()), np.log10(models["tokens_t"].to_numpy())
    region = Region.of(curved_fit)
    assert (region.distance(s, t) == 0.0).all()
    assert region.distance(np.array([s.max() + 1.0]), np.array([t.max()]))[0] >= 1.0


def test_points_broadcast_and_each_keeps_its_place() -> None:
    square = Region.around(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    assert square.distance(np.array([[0.5], [3.0]]), np.array([0.5, -1.0, 1.5])).tolist() == [
        [0.0, 1.0, 0.5],
        [2.0, pytest.approx(np.sqrt(5.0)), pytest.approx(np.sqrt(4.25))],
    ]
