from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lvkit.estimation.anchored import AnchoredChart
from lvkit.model.coordinates import Floors, Frame, MarkerChart

J, K, P = 5, 2, 3


def random_frame(rng: np.random.Generator) -> Frame:
    """A frame in no coordinates in particular."""
    return Frame(
        loadings=rng.normal(size=(J, K)),
        factor=rng.normal(size=(1, K, K)),
        slopes=rng.normal(size=(K, P)),
        intercepts=rng.normal(size=J),
        log_precisions=rng.normal(3.0, 0.5, J),
        floors=np.array([0.0, 0.1, 0.0, 0.05, 0.0]),
    )


@pytest.fixture
def frame() -> Frame:
    return random_frame(np.random.default_rng(0))


@pytest.fixture
def chart(frame: Frame) -> AnchoredChart:
    floors = Floors(np.zeros(J), np.array([0.0, 0.25, 0.0, 0.2, 0.0]))
    return AnchoredChart.of(MarkerChart.intercepts(np.arange(K), J, P, floors), frame)


def flat(frame: Frame) -> np.ndarray:
    """The coefficients, benchmark by benchmark; whitened latent weights up to rotation."""
    c = frame.coefficients()
    columns = (c.feature, c.intercept[:, None], c.log_precision[:, None], c.floor[:, None])
    return np.concatenate([*c.latent, *columns], axis=1)


def same_model(a: Frame, b: Frame) -> None:
    """The latent weights may be rotated: what counts are their products."""
    q = a.factor.shape[2]
    one, two = flat(a), flat(b)
    np.testing.assert_allclose(one[:, q:], two[:, q:], atol=1e-10)
    np.testing.assert_allclose(one[:, :q] @ one[:, :q].T, two[:, :q] @ two[:, :q].T, atol=1e-10)


def test_a_frame_keeps_its_meaning(chart: AnchoredChart, frame: Frame) -> None:
    same_model(chart.frame(chart.vector(frame)), frame)


def test_the_vector_meets_every_constraint(chart: AnchoredChart, frame: Frame) -> None:
    found = chart.frame(chart.vector(frame))
    rows = found.loadings[chart.anchors]
    np.testing.assert_array_equal(rows, np.diag(np.diag(rows)))
    assert (np.diag(rows) > 0.0).all()
    covariance = found.factor[0] @ found.factor[0].T
    np.testing.assert_allclose(np.diag(covariance), 1.0)


def test_the_anchors_span_the_largest_volume(chart: AnchoredChart, frame: Frame) -> None:
    others = [replace(chart, anchors=np.array([i, j])) for j in range(J) for i in range(j)]
    volumes = [other.volume(frame) for other in others]
    # Pivoting is greedy: near the best of all pairs, if not always the best.
    assert chart.volume(frame) > 0.7 * max(volumes)


def test_the_projection_onto_unit_variances_costs_no_likelihood(
    chart: AnchoredChart, frame: Frame
) -> None:
    vector = chart.vector(frame)
    mixing, intercepts = chart.cuts[:2]
    vector[mixing:intercepts] *= 1.7
    before, after = chart.frame(vector), chart.frame(chart.project(vector))
    np.testing.assert_allclose(flat(after), flat(before))
    np.testing.assert_allclose(np.linalg.norm(after.factor[0], axis=1), 1.0)


def test_what_is_out_of_bounds_is_brought_to_the_bound(chart: AnchoredChart, frame: Frame) -> None:
    low, high = chart.bounds
    outside = chart.vector(frame)
    outside[np.isfinite(low)] = low[np.isfinite(low)] - 1.0
    found = chart.frame(chart.project(outside))
    assert (np.diag(found.loadings[chart.anchors]) > 0.0).all()
    assert (np.exp(found.log_precisions) > 0.0).all()
    np.testing.assert_array_equal(found.floors, 0.0)
    outside[np.isfinite(high)] = high[np.isfinite(high)] + 1.0
    np.testing.assert_array_equal(chart.frame(chart.project(outside)).floors, chart.floors.ceiling)


def test_what_is_pushed_at_its_bound_is_held(chart: AnchoredChart, frame: Frame) -> None:
    vector = chart.vector(frame)
    vector[-1], vector[-2] = 0.0, 0.25
    gradient = np.ones_like(vector)
    gradient[-1] = -1.0
    assert np.flatnonzero(~chart.free(vector, gradient)).tolist() == [
        len(vector) - 2,
        len(vector) - 1,
    ]
    assert chart.free(vector, -gradient).all()


def test_the_jacobian_agrees_with_finite_differences(chart: AnchoredChart, frame: Frame) -> None:
    vector, h = chart.vector(frame), 1e-6
    found = chart.jacobian(vector)
    for position, step in enumerate(h * np.eye(chart.size)):
        ahead, behind = (flat(chart.frame(vector + s)) for s in (step, -step))
        slope = (ahead - behind).ravel() / (2.0 * h)
        np.testing.assert_allclose(found[:, position], slope, atol=1e-8)


def test_the_gradient_is_the_jacobian_s(chart: AnchoredChart, frame: Frame) -> None:
    vector = chart.vector(frame)
    gradient = np.random.default_rng(1).normal(size=(J, K + P + 3))
    expected = chart.jacobian(vector).T @ gradient.ravel()
    np.testing.assert_allclose(chart.pull(vector, gradient), expected)


def test_normals_point_where_the_variances_change(chart: AnchoredChart, frame: Frame) -> None:
    vector, h = chart.vector(frame), 1e-6
    normals = chart.normals(vector)
    np.testing.assert_allclose(normals @ normals.T, np.eye(K), atol=1e-12)

    def variances(at: np.ndarray) -> np.ndarray:
        return np.square(chart.frame(at).factor[0]).sum(axis=1)

    for position, step in enumerate(h * np.eye(chart.size)):
        slope = (variances(vector + step) - variances(vector - step)) / (2.0 * h)
        np.testing.assert_allclose(2.0 * normals[:, position], slope, atol=1e-8)


def test_slopes_that_differ_between_families_keep_their_anchors(frame: Frame) -> None:
    off = np.zeros((K, K), dtype=bool)
    pattern = np.stack(
        [np.hstack([np.tri(K, dtype=bool), off]), np.hstack([off, np.eye(K, dtype=bool)])]
    )
    floors = Floors(np.zeros(J), np.zeros(J))
    markers = MarkerChart(np.array([3, 1]), J, P, pattern, floors)
    factor = np.zeros((2, K, 2 * K))
    factor[0, :, :K] = np.array([[0.8, 0.0], [0.3, 0.6]])
    factor[1, :, K:] = np.diag([0.2, 0.4])
    own = replace(frame, factor=factor, floors=np.zeros(J))
    loadings = own.loadings.copy()
    loadings[[3, 1]] = np.diag([1.3, 0.7])
    own = replace(own, loadings=loadings)
    chart = AnchoredChart.of(markers, own)
    assert chart.anchors.tolist() == [3, 1]
    found = chart.frame(chart.vector(own))
    np.testing.assert_allclose(flat(found), flat(own))
    np.testing.assert_allclose(np.linalg.norm(found.factor[0], axis=1), 1.0)
    assert (found.factor[1][~pattern[1]] == 0.0).all()
