from __future__ import annotations

import numpy as np
import pytest
from cases import CLIP, make_case

from lvkit.model.score_table import Block, Coefficients, ScoreTable


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


def test_some_scores_make_a_table_of_their_own() -> None:
    table, *_ = make_case()
    some = np.flatnonzero(np.isin(table.family, [0, 2]))
    part = table.rows(some)
    np.testing.assert_array_equal(part.family, np.searchsorted([0, 2], table.family[some]))
    np.testing.assert_array_equal(part.model, table.model[some])
    np.testing.assert_array_equal(part.seen.log_odds, table.seen.log_odds[some])
    assert (part.n_families, part.n_benchmarks) == (2, table.n_benchmarks)
    np.testing.assert_array_equal(part.family[part.family_starts], [0, 1])
    groups = part.family * 3 + part.benchmark
    np.testing.assert_array_equal(groups[part.group_starts], np.unique(groups))


def test_a_run_of_scores_shares_the_tables_memory() -> None:
    table, *_ = make_case()
    part = table.rows(slice(10, 26))
    assert np.shares_memory(part.features, table.features)
    assert np.shares_memory(part.seen.log_odds, table.seen.log_odds)


def test_a_table_that_is_not_large_is_one_chunk() -> None:
    table, *_ = make_case()
    assert table.chunks() == [(slice(0, 4), slice(0, table.n_scores))]


@pytest.mark.parametrize("size", [1, 13, 20, 1_000])
def test_chunks_are_whole_families_in_order_and_cover_the_table(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvkit.model.score_table._LARGE_TABLE", 5)
    monkeypatch.setattr("lvkit.model.score_table._CHUNK", size)
    table, *_ = make_case()
    chunks = table.chunks()
    scores = [np.arange(table.n_scores)[chunk] for _, chunk in chunks]
    np.testing.assert_array_equal(np.concatenate(scores), np.arange(table.n_scores))
    families = [np.arange(table.n_families)[chunk] for chunk, _ in chunks]
    np.testing.assert_array_equal(np.concatenate(families), np.arange(table.n_families))
    for family, rows in zip(families, scores, strict=True):
        np.testing.assert_array_equal(np.unique(table.family[rows]), family)
        assert len(rows) <= size or len(family) == 1


def test_only_a_block_of_one_large_family_is_sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    table, *_ = make_case()
    several = table.blocks(64)[0]
    monkeypatch.setattr("lvkit.model.score_table._LARGE_FAMILY", 1)
    monkeypatch.setattr("lvkit.model.score_table._SLICE", 64 * 4)
    assert table.slices(several, 64) == (several,)
    one = Block.cut(table, slice(2, 3), slice(13, 26))
    slices = table.slices(one, 64)
    assert [len(piece.family) for piece in slices] == [4, 4, 4, 1]
    values = np.random.default_rng(0).normal(size=(13, 3))
    whole = one.weighted_sums @ values
    total = np.zeros((table.n_benchmarks, 3, 3))
    for piece, at in zip(slices, range(0, 13, 4), strict=True):
        sums = (piece.weighted_sums @ values[at : at + 4]).reshape(-1, 3, 3)
        total[piece.group_benchmark] += sums
    np.testing.assert_allclose(total.reshape(-1, 3), whole)


def test_sums_over_families_and_benchmarks_are_those_of_plain_loops() -> None:
    table, *_ = make_case(m=2)
    block, values = table.blocks(64)[0], np.random.default_rng(1).normal(size=(table.n_scores, 2))
    groups = list(zip(block.group_family, block.group_benchmark, strict=True))
    for g, (family, benchmark) in enumerate(groups):
        rows = (block.family == family) & (block.benchmark == benchmark)
        found = (block.plain_sums @ values)[g]
        np.testing.assert_allclose(found, values[rows].sum(axis=0))
        count = block.covariates.shape[1]
        found = (block.weighted_sums @ values)[g * count : (g + 1) * count]
        np.testing.assert_allclose(found, block.covariates[rows].T @ values[rows])


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
