from __future__ import annotations

import numpy as np
import pytest

from lvkit.estimation.anchored import AnchoredChart, Information, damped_solution, missing
from lvkit.model.coordinates import Floors, Frame, MarkerChart

J, K, P = 4, 2, 1
WIDTH = K + P + 3


@pytest.fixture
def frame() -> Frame:
    rng = np.random.default_rng(0)
    return Frame(
        loadings=rng.normal(size=(J, K)),
        factor=rng.normal(size=(1, K, K)),
        slopes=rng.normal(size=(K, P)),
        intercepts=rng.normal(size=J),
        log_precisions=rng.normal(3.0, 0.5, J),
        floors=np.zeros(J),
    )


@pytest.fixture
def chart(frame: Frame) -> AnchoredChart:
    floors = Floors(np.zeros(J), np.zeros(J))
    return AnchoredChart.of(MarkerChart.intercepts(np.arange(K), J, P, floors), frame)


def random_blocks(rng: np.random.Generator) -> np.ndarray:
    roots = rng.normal(size=(J, WIDTH, 2 * WIDTH))
    return roots @ np.swapaxes(roots, 1, 2)


def test_missing_information_is_the_covariance_over_the_chains() -> None:
    complete = np.random.default_rng(0).normal(size=(2, 3, 5, 7))
    flat = complete.reshape(6, 5, 7)
    expected = sum(np.cov(flat[:, family]) for family in range(5))
    np.testing.assert_allclose(missing(complete), expected)


def test_missing_information_does_not_depend_on_the_number_of_chains() -> None:
    complete = np.random.default_rng(0).normal(size=(1, 2, 2_000, 8))
    np.testing.assert_allclose(missing(complete) / 2_000, np.eye(2), atol=0.05)
    np.testing.assert_allclose(missing(complete[..., :2]) / 2_000, np.eye(2), atol=0.12)


def test_one_batch_speaks_for_all() -> None:
    rng = np.random.default_rng(1)
    known, lost = random_blocks(rng), np.eye(J * WIDTH)
    information = Information(3)
    information.add(known, lost)
    np.testing.assert_allclose(information.known, 3.0 * known)
    np.testing.assert_allclose(information.missing, 3.0 * lost)


def test_the_average_forgets_where_the_search_began() -> None:
    first, later = np.full((J, WIDTH, WIDTH), 100.0), np.ones((J, WIDTH, WIDTH))
    square = np.zeros((J * WIDTH, J * WIDTH))
    information = Information(1)
    information.add(first, square)
    for _ in range(200):
        information.add(later, square)
    np.testing.assert_allclose(information.known, 1.0, atol=0.05)


def test_by_the_vector_it_follows_the_chain_rule(chart: AnchoredChart, frame: Frame) -> None:
    rng, vector = np.random.default_rng(2), chart.vector(frame)
    blocks, root = random_blocks(rng), rng.normal(size=(J * WIDTH, 9))
    information = Information(1)
    information.add(blocks, root @ root.T)
    known, lost = information.at(chart, vector)
    jacobian = chart.jacobian(vector)
    wide = np.zeros((J * WIDTH, J * WIDTH))
    for j, block in enumerate(blocks):
        wide[j * WIDTH : (j + 1) * WIDTH, j * WIDTH : (j + 1) * WIDTH] = block
    plain = jacobian.T @ wide @ jacobian
    added = known - plain
    np.testing.assert_allclose(lost, jacobian.T @ root @ root.T @ jacobian)
    # What is added concerns the K variances alone, which no data can tell.
    assert np.linalg.matrix_rank(added, tol=1e-6) == K
    assert np.linalg.matrix_rank(plain, tol=1e-6) == chart.size - K
    assert np.linalg.eigvalsh(known)[0] > 0.0


def test_damping_pulls_a_newton_step_towards_an_em_step() -> None:
    known, lost, gradient = np.diag([4.0, 4.0]), np.diag([0.0, 3.0]), np.array([1.0, 1.0])
    np.testing.assert_allclose(damped_solution(known, lost, 0.0, gradient), [0.25, 1.0])
    np.testing.assert_allclose(damped_solution(known, lost, 0.2, gradient), [0.2, 0.5])


def test_more_damping_is_found_where_more_seems_missing_than_there_is() -> None:
    known, lost, gradient = np.eye(2), np.diag([0.0, 1.5]), np.ones(2)
    step = damped_solution(known, lost, 0.2, gradient)
    np.testing.assert_allclose(step, gradient / (1.8 - np.diag(lost)))


def test_without_any_information_to_go_by_the_gradient_is_scaled() -> None:
    step = damped_solution(np.diag([-1.0, 4.0]), np.zeros((2, 2)), 0.1, np.ones(2))
    np.testing.assert_allclose(step, [1.0, 0.25])
