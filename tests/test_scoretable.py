from __future__ import annotations

import numpy as np
import pytest
from cases import CLIP, make_case

from lvkit.scoretable import ScoreTable


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
