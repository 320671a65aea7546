from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lvkit.estimation.objective import parts
from lvkit.model.score_table import ScoreTable


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what counts as large small."""
    sizes = {"LARGE": 1_000, "_FIRST": 200, "_GROWTH": 4, "_FAMILIES": 20, "_LEAST": 15}
    for name, size in sizes.items():
        monkeypatch.setattr(f"lvkit.estimation.objective.{name}", size)


def table_of(family: np.ndarray, n_benchmarks: int = 4, rare: int = 0) -> ScoreTable:
    """A complete table but for a last benchmark, measured for the last `rare` models if asked."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.2, 0.8, (len(family), n_benchmarks))
    if rare:
        scores[:-rare, -1] = np.nan
    ones = np.ones((len(family), 1))
    return ScoreTable.build(scores, family, rng.normal(size=(len(family), 2)), ones, 0.0025)


def models_of(table: ScoreTable) -> set[int]:
    return set(table.model.tolist())


def test_a_table_that_is_not_large_has_no_parts() -> None:
    assert list(parts(table_of(np.repeat(np.arange(50), 5)))) == []


def test_parts_grow_and_each_holds_the_one_before() -> None:
    whole = table_of(np.repeat(np.arange(500), 5))
    found = list(parts(whole))
    assert [part.n_scores for part in found] == pytest.approx([200, 800, 3_200], rel=0.05)
    for small, large in pairwise(found):
        assert models_of(small) < models_of(large)
    assert all(part.n_families >= 10 for part in found)


def test_a_part_has_the_scores_of_the_whole() -> None:
    whole = table_of(np.repeat(np.arange(500), 5))
    part = next(parts(whole))
    assert part.n_benchmarks == whole.n_benchmarks
    for model, benchmark, odds in zip(part.model, part.benchmark, part.seen.log_odds, strict=True):
        row = np.flatnonzero((whole.model == model) & (whole.benchmark == benchmark))
        assert whole.seen.log_odds[row] == odds


def test_of_a_large_family_only_some_models_come_into_a_part() -> None:
    whole = table_of(np.repeat(np.arange(30), 100))
    part = next(parts(whole))
    assert part.n_families == 17
    assert np.bincount(part.family).max() == 12  # 200 scores / 20 families, in whole models


def test_every_benchmark_has_its_scores_in_a_part() -> None:
    whole = table_of(np.repeat(np.arange(500), 5), rare=40)
    part = next(parts(whole))
    assert (np.bincount(part.benchmark, minlength=4) >= 15).all()
    assert part.n_scores < 500


def test_the_choice_is_random_and_follows_the_seed() -> None:
    whole = table_of(np.repeat(np.arange(500), 5))
    first, again, other = (models_of(next(parts(whole, seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_a_few_very_large_families_are_all_there() -> None:
    whole = table_of(np.repeat(np.arange(3), [10, 900, 900]))
    part = next(parts(whole))
    assert part.n_families == 3
    assert part.n_scores < 300
