from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
import pytest

from lvkit.model.quadrature import (
    Nodes,
    _match_moments,
    fine_nodes,
    lean_nodes,
    make_nodes,
    product_nodes,
    search_nodes,
)


def normal_moment(powers: tuple[int, ...]) -> float:
    """Mean of a product of coordinates of a standard normal vector: 1, 3, 15 ... or 0."""
    moment = 1.0
    for axis in set(powers):
        times = powers.count(axis)
        moment *= 0.0 if times % 2 else float(np.prod(np.arange(times - 1, 0, -2)))
    return moment


@pytest.mark.parametrize("dimension", range(1, 9))
@pytest.mark.parametrize("seed", [0, 7])
def test_all_moments_to_order_five_are_the_normal_ones(dimension: int, seed: int) -> None:
    nodes = make_nodes(dimension, search_nodes(dimension), seed)
    for order in range(1, 6):
        for powers in combinations_with_replacement(range(dimension), order):
            moment = nodes.points[list(powers)].prod(axis=0).mean()
            assert moment == pytest.approx(normal_moment(powers), abs=1e-10)


@pytest.mark.parametrize("count", [64, 256, 1_024, 2_048, 8_192])
def test_there_are_as_many_nodes_as_asked_for_in_mirrored_pairs(count: int) -> None:
    points = make_nodes(3, count).points
    assert points.shape == (3, count)
    np.testing.assert_array_equal(points[:, : count // 2], -points[:, count // 2 :])


def test_very_many_nodes_keep_an_exact_covariance() -> None:
    points = make_nodes(2, 16_384).points
    np.testing.assert_allclose(points @ points.T / 16_384, np.eye(2), atol=1e-10)


def test_too_few_nodes_for_the_fourth_moments_keep_an_exact_covariance() -> None:
    points = make_nodes(8, 32).points
    np.testing.assert_allclose(points @ points.T / 32, np.eye(8), atol=1e-10)


def test_fewer_pairs_than_dimensions_are_plain_points() -> None:
    points = make_nodes(8, 8).points
    assert points.shape == (8, 8)
    assert np.isfinite(points).all()


def test_moments_that_cannot_be_matched_leave_the_points_as_they_were() -> None:
    # Three points on a line with variance 1 and fourth moment 3 would have to be 0, 0 and sqrt(3).
    points = np.array([[0.5], [0.9], [-1.2]])
    assert _match_moments(points, max_steps=5) is points


def test_the_same_seed_gives_the_same_nodes() -> None:
    first = make_nodes(4, 64, 3).points.copy()
    make_nodes.cache_clear()
    np.testing.assert_array_equal(first, make_nodes(4, 64, 3).points)


def test_another_seed_gives_other_nodes() -> None:
    assert np.abs(make_nodes(4, 64, 0).points - make_nodes(4, 64, 1).points).max() > 0.1


def test_a_search_never_uses_fewer_nodes_in_more_dimensions() -> None:
    counts = [search_nodes(q) for q in range(1, 13)]
    assert counts == sorted(counts)
    assert all(count & (count - 1) == 0 for count in counts)  # Sobol points come in powers of two


@pytest.mark.parametrize("dimension", range(1, 9))
def test_a_search_has_more_coordinates_than_moments_to_match(dimension: int) -> None:
    distinct = dimension * (dimension + 1) // 2
    distinct += len(list(combinations_with_replacement(range(dimension), 4)))
    assert search_nodes(dimension) / 2 * dimension > 1.3 * distinct


def test_norms_and_products_belong_to_the_points() -> None:
    nodes = Nodes.from_points(np.array([[1.0, 2.0], [0.0, -3.0]]))
    assert nodes.half_norms.tolist() == [2.5, 4.5]
    assert nodes.monomials.tolist() == [
        [1.0, 1.0, 2.0, 1.0, 2.0, 2.0, 4.0],
        [1.0, 0.0, -3.0, 0.0, 0.0, 0.0, 9.0],
    ]


def test_the_nodes_integrate_a_smooth_function() -> None:
    # E exp(a' z) = exp(|a|^2 / 2) for a standard normal z.
    a = np.array([0.5, -0.3, 0.2, 0.4])
    mean = np.exp(a @ make_nodes(4, 64).points).mean()
    assert mean == pytest.approx(np.exp(0.5 * a @ a), rel=1e-3)


def weights_of(nodes: Nodes) -> np.ndarray:
    """What the integrals weigh each node by, from its log density and its log weight."""
    squared = (nodes.points**2).sum(axis=0)
    return np.exp(nodes.half_norms - 0.5 * squared) / len(squared)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_product_rule_is_exact_to_twice_its_points_along_an_axis(dimension: int) -> None:
    nodes = product_nodes(dimension, 4)
    assert nodes.points.shape == (dimension, 4**dimension)
    weights = weights_of(nodes)
    assert weights.sum() == pytest.approx(1.0)
    for order in range(1, 8):
        for powers in combinations_with_replacement(range(dimension), order):
            moment = weights @ nodes.points[list(powers)].prod(axis=0)
            assert moment == pytest.approx(normal_moment(powers), abs=1e-10)


def test_nodes_of_equal_weight_weigh_the_same() -> None:
    np.testing.assert_allclose(weights_of(make_nodes(3, 64)), 1.0 / 64)


@pytest.mark.parametrize("dimension", range(1, 9))
def test_fine_nodes_are_many_but_not_too_many(dimension: int) -> None:
    nodes = fine_nodes(dimension)
    assert nodes.points.shape[0] == dimension
    assert 16 <= nodes.points.shape[1] <= 4_096
    second = (weights_of(nodes) * nodes.points) @ nodes.points.T
    np.testing.assert_allclose(second, np.eye(dimension), atol=1e-9)


@pytest.mark.parametrize("dimension", range(1, 5))
def test_nodes_for_large_tables_are_normal_to_order_five_and_finer_each_time(
    dimension: int,
) -> None:
    ladder = lean_nodes(dimension)
    counts = [nodes.points.shape[1] for nodes in ladder]
    assert counts == sorted(counts)
    assert counts[-1] <= fine_nodes(dimension).points.shape[1]
    for nodes in ladder:
        assert nodes.weights is not None
        for order in range(6):
            for powers in combinations_with_replacement(range(dimension), order):
                moment = np.mean(nodes.weights * nodes.points[list(powers)].prod(axis=0))
                assert moment == pytest.approx(normal_moment(powers), abs=1e-10)


def test_beyond_four_dimensions_there_is_no_product_for_large_tables() -> None:
    assert lean_nodes(5) == ()


def test_values_at_weighted_nodes_can_be_freed_of_the_weights() -> None:
    plain, weighted = make_nodes(2, 64), product_nodes(2, 3)
    values = np.ones((4, 64))
    assert plain.unweighted(values) is values
    assert weighted.weights is not None
    np.testing.assert_allclose(weighted.unweighted(weighted.weights), 1.0)
