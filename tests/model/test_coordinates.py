from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lvkit.model.coordinates import Floors, Frame, MarkerChart, choose_markers, lower_triangular

J, P = 7, 3


def make_floors(kind: str) -> Floors:
    zeros, chance = np.zeros(J), np.array([0.25, 0.0, 0.5, 0.25, 0.0, 0.1, 0.3])
    return {
        "none": Floors(zeros, zeros),
        "chance": Floors(chance, zeros),
        "estimate": Floors(zeros, chance),
    }[kind]


def make_chart(n_skills: int, floor: str = "none", *, slopes: bool = False) -> MarkerChart:
    markers = np.array([4, 0, 6, 2][:n_skills])
    chart = MarkerChart.intercepts(np.sort(markers), J, P, make_floors(floor))
    if not slopes:
        return chart
    off = np.zeros((n_skills, n_skills), dtype=bool)
    lower, own = np.tri(n_skills, dtype=bool), np.eye(n_skills, dtype=bool)
    pattern = np.stack([np.hstack([lower, off]), np.hstack([off, own])])
    return MarkerChart(np.sort(markers), J, P, pattern, chart.floors)


def make_vector(chart: MarkerChart, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0.0, 0.7, chart.size)


def make_frame(n_skills: int = 3, seed: int = 0) -> Frame:
    rng = np.random.default_rng(seed)
    return Frame(
        loadings=rng.normal(size=(J, n_skills)),
        factor=rng.normal(size=(1, n_skills, n_skills)),
        slopes=rng.normal(size=(n_skills, P)),
        intercepts=rng.normal(size=J),
        log_precisions=rng.normal(3.0, 0.5, J),
        floors=np.zeros(J),
    )


def flat(chart: MarkerChart, vector: Any) -> Any:
    """The coefficients a vector stands for, benchmark by benchmark, as the Jacobian's rows."""
    c = chart.coefficients(vector)
    latent = np.swapaxes(c.latent, 0, 1).reshape(J, -1)
    columns = (c.intercept, c.log_precision, c.floor)
    return np.column_stack([latent, c.feature, *columns]).ravel()


def moved(chart: MarkerChart, vector: Any, at: int, step: float) -> Any:
    there = vector.copy()
    there[at] += step
    return flat(chart, there)


CHARTS = [
    pytest.param(k, floor, slopes, id=f"{k} skills, {floor}{', slopes' if slopes else ''}")
    for k in (1, 2, 4)
    for floor in ("none", "chance", "estimate")
    for slopes in (False, True)
]
every_chart = pytest.mark.parametrize(("n_skills", "floor", "slopes"), CHARTS)

# -- frames --------------------------------------------------------------------------------------


def test_a_change_of_frame_leaves_the_reduced_model_as_it_is() -> None:
    frame, transform = make_frame(), np.random.default_rng(1).normal(size=(3, 3))
    before, after = frame.coefficients(), frame.change(transform).coefficients()
    np.testing.assert_allclose(
        after.latent @ np.swapaxes(after.latent, 1, 2),
        before.latent @ np.swapaxes(before.latent, 1, 2),
    )
    np.testing.assert_allclose(after.feature, before.feature)


def test_a_change_of_frame_and_its_inverse_cancel() -> None:
    frame, transform = make_frame(), np.random.default_rng(1).normal(size=(3, 3))
    back = frame.change(transform).change(np.linalg.inv(transform))
    np.testing.assert_allclose(back.loadings, frame.loadings)
    np.testing.assert_allclose(back.factor, frame.factor)
    np.testing.assert_allclose(back.slopes, frame.slopes)


def test_markers_have_the_identity_matrix_for_loadings() -> None:
    markers = np.array([1, 3, 5])
    loadings = make_frame().to_markers(markers).loadings
    np.testing.assert_allclose(loadings[markers], np.eye(3), atol=1e-12)


def test_the_markers_chosen_are_the_benchmarks_that_differ_most() -> None:
    loadings = np.array([[0.1, 0.1], [2.0, 0.0], [1.9, 0.1], [0.0, 1.0], [0.3, 0.2]])
    assert choose_markers(loadings, 2).tolist() == [1, 3]


def test_a_rotated_factor_keeps_its_covariance_and_has_a_positive_diagonal() -> None:
    factor = make_frame().factor
    lower = lower_triangular(factor)
    np.testing.assert_allclose(lower[0] @ lower[0].T, factor[0] @ factor[0].T)
    np.testing.assert_allclose(np.triu(lower[0], 1), 0.0, atol=1e-14)
    assert (np.diag(lower[0]) > 0.0).all()


def test_a_factor_with_slopes_is_not_rotated() -> None:
    factor = np.random.default_rng(0).normal(size=(2, 2, 4))
    assert lower_triangular(factor) is factor


# -- floors --------------------------------------------------------------------------------------


def test_estimated_floors_lie_between_zero_and_their_ceiling() -> None:
    floors = make_floors("estimate")
    values = floors.values(np.array([-30.0, -1.0, 0.0, 1.0, 30.0]))
    assert (values >= 0.0).all()
    assert (values <= floors.ceiling).all()
    assert values[[1, 4]].tolist() == [0.0, 0.0]  # no chance level, no floor


def test_floors_and_their_numbers_are_inverses() -> None:
    floors, u = make_floors("estimate"), np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
    np.testing.assert_allclose(floors.numbers(floors.values(u)), u)


def test_a_floor_at_its_bound_has_a_finite_number() -> None:
    floors = make_floors("estimate")
    assert np.isfinite(floors.numbers(np.zeros(J))).all()
    assert np.isfinite(floors.numbers(floors.ceiling)).all()


def test_the_floors_slopes_agree_with_finite_differences() -> None:
    floors, u = make_floors("estimate"), np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
    expected = (floors.values(u + 1e-6) - floors.values(u - 1e-6))[floors.free] / 2e-6
    np.testing.assert_allclose(floors.slopes(u), expected, rtol=1e-7)


def test_fixed_floors_have_no_numbers() -> None:
    floors = make_floors("chance")
    assert len(floors.free) == 0
    assert floors.values(np.zeros(0)).tolist() == floors.fixed.tolist()


# -- charts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_skills", "expected"), [(1, 39), (2, 53), (3, 66), (4, 78), (5, 89), (6, 99), (7, 108)]
)
def test_twelve_benchmarks_and_three_features_have_the_papers_count_of_parameters(
    n_skills: int, expected: int
) -> None:
    floors = Floors(np.zeros(12), np.zeros(12))
    assert MarkerChart.intercepts(np.arange(n_skills), 12, 3, floors).size == expected


def test_each_estimated_floor_is_one_parameter_more() -> None:
    assert make_chart(3, "estimate").size == make_chart(3).size + 5
    assert make_chart(3, "chance").size == make_chart(3).size


def test_slopes_that_differ_between_families_are_one_parameter_more_for_each_skill() -> None:
    assert make_chart(3, slopes=True).size == make_chart(3).size + 3


@every_chart
def test_a_vector_comes_back_from_its_frame(n_skills: int, floor: str, slopes: bool) -> None:
    chart = make_chart(n_skills, floor, slopes=slopes)
    vector = make_vector(chart)
    back = chart.vector(chart.frame(vector))
    if slopes:
        np.testing.assert_allclose(back, vector, atol=1e-10)
        return
    # A random intercept's factor is known up to the signs of its columns.
    first, second = chart.frame(vector), chart.frame(back)
    np.testing.assert_allclose(second.loadings, first.loadings, atol=1e-10)
    covariances = (f.factor[0] @ f.factor[0].T for f in (first, second))
    np.testing.assert_allclose(*covariances, atol=1e-10)
    np.testing.assert_allclose(chart.vector(second), back, atol=1e-10)


def test_a_frame_in_any_coordinates_gives_the_same_vector() -> None:
    chart, frame = make_chart(3), make_frame()
    other = frame.change(np.random.default_rng(2).normal(size=(3, 3)))
    np.testing.assert_allclose(chart.vector(other), chart.vector(frame), atol=1e-8)


@every_chart
def test_the_jacobian_agrees_with_finite_differences(
    n_skills: int, floor: str, slopes: bool
) -> None:
    chart = make_chart(n_skills, floor, slopes=slopes)
    vector = make_vector(chart)
    found = chart.jacobian(vector)
    assert found.shape == (J * chart.coefficients(vector).width, chart.size)
    for at in range(chart.size):
        expected = (moved(chart, vector, at, 1e-6) - moved(chart, vector, at, -1e-6)) / 2e-6
        np.testing.assert_allclose(found[:, at], expected, atol=1e-8)


@every_chart
def test_the_bend_agrees_with_finite_differences_of_the_jacobian(
    n_skills: int, floor: str, slopes: bool
) -> None:
    chart = make_chart(n_skills, floor, slopes=slopes)
    vector = make_vector(chart)
    gradient = np.random.default_rng(3).normal(size=(J, chart.coefficients(vector).width))
    found = chart.bend(vector, gradient)
    np.testing.assert_array_equal(found, found.T)
    for at in range(chart.size):
        step = np.zeros(chart.size)
        step[at] = 1e-6
        change = chart.jacobian(vector + step) - chart.jacobian(vector - step)
        np.testing.assert_allclose(found[at], gradient.ravel() @ change / 2e-6, atol=1e-7)


def test_a_recentred_chart_measures_skills_by_markers_that_suit() -> None:
    chart = make_chart(2)
    loadings = np.zeros((J, 2))
    loadings[3], loadings[5] = [1.0, 0.0], [0.0, 1.0]
    assert chart.recentred(loadings).markers.tolist() == [3, 5]


def test_a_chart_with_slopes_stays_with_its_anchors() -> None:
    chart = make_chart(2, slopes=True)
    assert chart.recentred(np.ones((J, 2))) is chart


def test_a_chart_says_its_sizes() -> None:
    chart = make_chart(2, slopes=True)
    assert (chart.n_skills, chart.n_latent) == (2, 4)
    assert sorted([*chart.others, *chart.markers]) == list(range(J))
