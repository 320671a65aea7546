from __future__ import annotations

import numpy as np
import pytest
from cases import CLIP, make_case

from lvkit.scoretable import Coefficients, ScoreTable


def test_the_table_holds_each_measured_score_once_and_clipped() -> None:
    scores = np.array([[0.0, np.nan], [0.5, 1.0]])
    table = ScoreTable.build(scores, np.array([0, 1]), np.zeros((2, 1)), np.ones((2, 1)), CLIP)
    assert table.n_scores == 3
    odds = np.exp(table.seen.log_odds[:, 0])
    np.testing.assert_allclose(odds / (1.0 + odds), [CLIP, 0.5, 1.0 - CLIP])


def test_the_table_is_sorted_by_family_and_then_by_benchmark() -> None:
    table, *_ = make_case()
    pairs = list(zip(table.family, table.benchmark, strict=True))
    assert pairs == sorted(pairs)


@pytest.mark.parametrize("n_nodes", [64, 2_048, 16_384, 1_000_000])
def test_blocks_are_whole_families_and_cover_the_table(n_nodes: int) -> None:
    table, *_ = make_case()
    blocks = list(table.blocks(n_nodes))
    assert sum(b.scores.stop - b.scores.start for b in blocks) == table.n_scores
    assert sum(b.families.stop - b.families.start for b in blocks) == table.n_families
    for block in blocks:
        own = table.family[block.scores] - block.families.start
        np.testing.assert_array_equal(block.family, own)


def test_a_benchmarks_width_counts_its_coefficients() -> None:
    _, coefficients, _ = make_case(m=2, q=3)
    assert coefficients.width == 2 * 3 + 2 + 3


def test_one_familys_scores_are_those_of_the_table() -> None:
    table, *_ = make_case()
    one = table.of_family(1)
    row = table.family == 1
    np.testing.assert_array_equal(one.seen.log_odds, table.seen.log_odds[row])
    np.testing.assert_array_equal(one.benchmark, table.benchmark[row])
    assert (one.n_families, one.n_benchmarks) == (1, table.n_benchmarks)
    np.testing.assert_array_equal(one.benchmark[one.group_starts], np.unique(one.benchmark))


def test_a_repeated_table_under_stacked_coefficients_says_the_same_each_time() -> None:
    table, coefficients, _ = make_case()
    twice = table.repeated(2)
    stacked = Coefficients.stacked([coefficients, coefficients])
    assert (twice.n_families, twice.n_benchmarks) == (2 * table.n_families, 2 * table.n_benchmarks)
    for part in (Coefficients.fixed_part, Coefficients.latent_weights):
        np.testing.assert_array_equal(
            part(stacked, twice), np.concatenate([part(coefficients, table)] * 2)
        )
    np.testing.assert_array_equal(np.unique(twice.family), np.arange(2 * table.n_families))
