"""Laws of the hold-out protocol."""

from __future__ import annotations

import pandas as pd
import pytest

import lvkit as lv
from lvkit.prediction.folds import Fold, folds


def made(rows: list[tuple[str, str, str, float]]) -> lv.Panel:
    """A panel of models, families, lineages and sizes."""
    table = pd.DataFrame(rows, columns=["model", "family", "lineage", "params_b"])
    table["mmlu"] = [0.3 + 0.01 * at for at in range(len(table))]
    return lv.Panel.from_frame(table)


@pytest.fixture(scope="module")
def panel() -> lv.Panel:
    """Two lineages: one of a base and a chat family, one of a single family."""
    return made(
        [
            ("base-large", "base", "first", 70.0),
            ("base-small", "base", "first", 1.0),
            ("base-middle", "base", "first", 7.0),
            ("chat-small", "chat", "first", 1.0),
            ("chat-large", "chat", "first", 70.0),
            ("other-b", "other", "second", 3.0),
            ("other-a", "other", "second", 3.0),
            ("lone", "lone", "second", 2.0),
        ]
    )


def by_lineage(panel: lv.Panel, keep: int) -> dict[str, Fold]:
    return {fold.lineage: fold for fold in folds(panel, panel.models.index, keep)}


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_nothing_is_both_kept_and_tested(leaderboard: lv.Panel, keep: int) -> None:
    for fold in folds(leaderboard, leaderboard.models.index, keep):
        assert set(fold.train).isdisjoint(fold.test)
        assert fold.test


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_of_the_tested_lineage_only_the_kept_models_are_known(
    leaderboard: lv.Panel, keep: int
) -> None:
    models = leaderboard.models
    for fold in folds(leaderboard, models.index, keep):
        relatives = models.loc[models["lineage"] == fold.lineage]
        known = relatives.loc[relatives.index.isin(fold.train)]
        tested = relatives.loc[list(fold.test)]  # all of them relatives, or this raises
        counts = known.groupby("family").size()
        assert (counts == keep).all()
        assert set(counts.index) == (set(tested["family"]) if keep else set())


@pytest.mark.parametrize("keep", [1, 2])
def test_no_tested_model_is_smaller_than_a_kept_one(leaderboard: lv.Panel, keep: int) -> None:
    models = leaderboard.models
    for fold in folds(leaderboard, models.index, keep):
        for family in set(models.loc[list(fold.test), "family"]):
            sizes = models.loc[models["family"] == family, "params_b"]
            kept = sizes[sizes.index.isin(fold.train)]
            tested = sizes[sizes.index.isin(fold.test)]
            assert kept.max() <= tested.min()


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_every_other_lineage_is_known_whole(leaderboard: lv.Panel, keep: int) -> None:
    models = leaderboard.models
    for fold in folds(leaderboard, models.index, keep):
        others = models.index[models["lineage"] != fold.lineage]
        assert set(others) <= set(fold.train)


def test_every_model_of_a_family_with_more_than_the_kept_ones_is_tested_once(
    leaderboard: lv.Panel,
) -> None:
    sizes = leaderboard.models.groupby("family").size()
    tested = [
        name for fold in folds(leaderboard, leaderboard.models.index, 2) for name in fold.test
    ]
    assert len(tested) == len(set(tested)) == int((sizes - 2).clip(lower=0).sum())


def test_the_smallest_models_are_kept(panel: lv.Panel) -> None:
    fold = by_lineage(panel, 1)["first"]
    assert set(fold.test) == {"base-middle", "base-large", "chat-large"}
    assert {"base-small", "chat-small"} <= set(fold.train)


def test_models_of_the_same_size_are_ordered_by_name(panel: lv.Panel) -> None:
    fold = by_lineage(panel, 1)["second"]
    assert fold.test == ("other-b",)
    assert "other-a" in fold.train


def test_families_that_are_too_small_to_test_leave_the_training_set(panel: lv.Panel) -> None:
    assert "lone" not in by_lineage(panel, 1)["second"].train
    assert "lone" in by_lineage(panel, 1)["first"].train
    fold = by_lineage(panel, 2)["first"]
    assert fold.test == ("base-large",)
    assert not {"chat-small", "chat-large"} & set(fold.train)


def test_a_lineage_with_nothing_to_test_has_no_fold(panel: lv.Panel) -> None:
    assert set(by_lineage(panel, 2)) == {"first"}
    assert by_lineage(panel, 3) == {}


def test_one_lineage_alone_cannot_be_held_out_whole(panel: lv.Panel) -> None:
    alone = panel.select(families=["base", "chat"])
    assert by_lineage(alone, 0) == {}
    assert set(by_lineage(alone, 1)) == {"first"}


def test_models_that_cannot_be_fitted_are_neither_kept_nor_tested(panel: lv.Panel) -> None:
    usable = [name for name in panel.models.index if name != "base-small"]
    (fold,) = (fold for fold in folds(panel, usable, 1) if fold.lineage == "first")
    assert "base-small" not in {*fold.train, *fold.test}
    assert "base-middle" in fold.train  # now the smallest


def test_folds_do_not_depend_on_the_order_of_the_rows(leaderboard: lv.Panel) -> None:
    backwards = leaderboard.to_frame().iloc[::-1]
    turned = lv.Panel.from_frame(backwards, benchmarks=leaderboard.benchmarks)
    names = leaderboard.models.index
    assert turned.models.index.tolist() == names[::-1].tolist()
    assert folds(turned, turned.models.index, 1) == folds(leaderboard, names, 1)


def test_whole_families_are_asked_for_as_unknown_recipes(panel: lv.Panel) -> None:
    assert by_lineage(panel, 0)["first"].question(panel)["family"].isna().all()
    asked = by_lineage(panel, 1)["first"].question(panel)
    assert set(asked["family"]) == {"base", "chat"}


def test_a_question_does_not_hold_the_answer(panel: lv.Panel) -> None:
    for keep in (0, 1):
        asked = by_lineage(panel, keep)["first"].question(panel)
        assert not set(asked.columns) & set(panel.scores.columns)
