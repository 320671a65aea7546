from __future__ import annotations

import numpy as np
import pytest

import lvkit as lv
from lvkit.estimation.estimate import prepared_for
from lvkit.estimation.starts import grown, principal, shaken
from lvkit.model.coordinates import Frame
from lvkit.model.marginal import ScoreTable


@pytest.fixture(scope="module")
def table(small_panel: lv.Panel) -> ScoreTable:
    return prepared_for(lv.LatentSkillModel(n_skills=2), small_panel).table


def finite(frame: Frame) -> bool:
    return all(np.isfinite(value).all() for value in vars(frame).values())


@pytest.mark.parametrize("n_skills", [1, 2, 6])
def test_principal_components_give_a_start_for_any_number_of_skills(
    table: ScoreTable, n_skills: int
) -> None:
    start = principal(table, n_skills)
    assert start.loadings.shape == (6, n_skills)
    assert start.slopes.shape == (n_skills, 3)
    assert finite(start)


def test_the_first_component_loads_positively_on_every_benchmark(table: ScoreTable) -> None:
    assert (principal(table, 1).loadings > 0.0).all()


def test_skills_start_by_growing_with_size(table: ScoreTable) -> None:
    assert principal(table, 1).slopes[0, 0] > 0.0


def test_a_table_with_gaps_has_a_start_too(leaderboard: lv.Panel) -> None:
    prepared = prepared_for(lv.LatentSkillModel(n_skills=4), leaderboard)
    assert finite(principal(prepared.table, 4))


def test_a_grown_start_has_one_skill_more_and_keeps_the_others(small_fit: lv.Fit) -> None:
    table = small_fit.prepared.table
    start = grown(table, small_fit.frame, small_fit.latent_means, 0)
    assert finite(start)
    np.testing.assert_array_equal(start.loadings[:, :2], small_fit.frame.loadings)
    np.testing.assert_array_equal(start.slopes[2], 0.0)
    assert start.factor.shape == (1, 3, 3)


def test_a_new_skill_points_where_families_miss_the_fit(small_fit: lv.Fit) -> None:
    first, second = (
        grown(small_fit.prepared.table, small_fit.frame, small_fit.latent_means, way)
        for way in (0, 1)
    )
    cosine = first.loadings[:, 2] @ second.loadings[:, 2]
    cosine /= np.linalg.norm(first.loadings[:, 2]) * np.linalg.norm(second.loadings[:, 2])
    assert abs(cosine) < 1e-6


def test_a_shaken_start_is_another_start(table: ScoreTable) -> None:
    start = principal(table, 2)
    other = shaken(start, np.random.default_rng(0))
    assert finite(other)
    assert np.abs(other.loadings - start.loadings).max() > 0.01
    np.testing.assert_array_equal(other.intercepts, start.intercepts)


def test_the_same_generator_shakes_alike(table: ScoreTable) -> None:
    start = principal(table, 2)
    first, second = (shaken(start, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first.loadings, second.loadings)


def test_shaking_keeps_a_factor_with_slopes_in_its_pattern(table: ScoreTable) -> None:
    start = principal(table, 2)
    factor = np.zeros((2, 2, 4))
    factor[0, :, :2], factor[1, :, 2:] = np.eye(2), np.eye(2)
    start = Frame(**(vars(start) | {"factor": factor}))
    np.testing.assert_array_equal(shaken(start, np.random.default_rng(0)).factor, factor)


def test_shaking_keeps_the_scale_of_the_families_effects(table: ScoreTable) -> None:
    start = principal(table, 2)
    other = shaken(start, np.random.default_rng(0))
    np.testing.assert_allclose(other.factor[0] @ other.factor[0].T, np.eye(2), atol=1e-12)
