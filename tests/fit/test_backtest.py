"""The hold-out test: its table, its measures by hand, and that it does not depend on workers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation import estimate
from lvkit.estimation.mml import MarginalNewton
from lvkit.fit.backtest import Backtest, backtest
from lvkit.prediction import calibration
from lvkit.prediction.folds import folds

MODEL = lv.LatentSkillModel(anchors={"general": "mmlu"}, features="log_params")
LEVELS = (0.9, 0.5)
COLUMNS = [
    "family", "model", "benchmark", "y", "mean", "median", "lower", "upper", "z", "lineage",
    "distance", "complete",
]  # fmt: skip


@pytest.fixture(scope="module")
def panel(small_panel: lv.Panel) -> lv.Panel:
    """Four benchmarks and seven families in five lineages, with a gap."""
    chosen = ["yi-1.5", "yi-1.5-chat", "yi", "pythia", "qwen2", "olmo", "gpt-j-neo-neox"]
    some = small_panel.select(families=chosen, benchmarks=["mmlu", "arc", "hellaswag", "bbh"])
    table = some.to_frame().set_index("model")
    table.loc["yi-34b", "bbh"] = np.nan
    return lv.Panel.from_frame(table.reset_index(), benchmarks=some.benchmarks)


@pytest.fixture(scope="module")
def plugin(panel: lv.Panel) -> Backtest:
    return run(panel, intervals="plugin")


@pytest.fixture(scope="module")
def few(panel: lv.Panel) -> lv.Panel:
    """Four lineages of one family each."""
    return panel.select(families=["yi", "pythia", "qwen2", "olmo"])


def run(panel: lv.Panel, **options: Any) -> Backtest:
    return backtest(panel, MODEL, **({"keep": 1, "level": LEVELS, "draws": 400} | options))


# -- the table -----------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_held_out_score(plugin: Backtest, panel: lv.Panel) -> None:
    assert set(COLUMNS) | {"lower_0.5", "upper_0.5"} <= set(plugin.table.columns)
    tested = [name for fold in folds(panel, panel.models.index, 1) for name in fold.test]
    scores = panel.scores.loc[tested].stack().dropna()
    cells = zip(plugin.table["model"], plugin.table["benchmark"], strict=True)
    assert sorted(cells) == sorted(scores.index)
    assert (plugin.keep, plugin.levels, plugin.intervals) == (1, LEVELS, "plugin")


def test_the_scores_are_those_of_the_panel(plugin: Backtest, panel: lv.Panel) -> None:
    table = plugin.table
    for name, benchmark, y in table[["model", "benchmark", "y"]].to_numpy():
        assert y == panel.scores.loc[name, benchmark]
    for column in ("family", "lineage"):
        assert table[column].tolist() == panel.models.loc[table["model"], column].tolist()


def test_a_fold_is_predicted_as_a_user_would_predict_it(plugin: Backtest, panel: lv.Panel) -> None:
    (fold,) = (f for f in folds(panel, panel.models.index, 1) if f.lineage == "qwen2")
    fit = MODEL.fit(panel.select(models=list(fold.train)))
    asked = panel.models.loc[list(fold.test)]
    expected = fit.predict(asked, level=0.9, intervals="plugin", draws=400).table
    cells = ["model", "benchmark"]
    found = plugin.table.set_index(cells).loc[list(map(tuple, expected[cells].to_numpy()))]
    for name in ("mean", "median", "lower", "upper", "distance"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-12)


def test_benchmarks_are_labelled_as_in_the_panel(plugin: Backtest, panel: lv.Panel) -> None:
    assert plugin.labels == panel.benchmarks["label"].to_dict()


def test_several_levels_are_nested(plugin: Backtest) -> None:
    table = plugin.table
    assert (table["lower"] < table["lower_0.5"]).all()
    assert (table["lower_0.5"] < table["upper_0.5"]).all()
    assert (table["upper_0.5"] < table["upper"]).all()


def test_normal_scores_say_on_which_side_of_the_median_a_score_lies(plugin: Backtest) -> None:
    table = plugin.table[plugin.table["z"].abs() > 0.3]
    assert len(table) > 20
    assert (np.sign(table["z"]) == np.sign(table["y"] - table["median"])).all()


def test_models_with_gaps_are_not_among_the_published(plugin: Backtest, panel: lv.Panel) -> None:
    complete = plugin.table.groupby("model")["complete"].first()
    assert not complete["yi-34b"]
    assert complete.drop("yi-34b").all()
    sizes = panel.models["family"].value_counts()
    assert (sizes[plugin.table["family"]] > 1).all()


def test_families_with_too_few_complete_models_are_not_among_the_published(
    panel: lv.Panel,
) -> None:
    some = panel.select(models=[n for n in panel.models.index if n != "yi-9b"])
    table = run(some, intervals="plugin", draws=50).table
    assert set(table.loc[~table["complete"], "family"]) == {"yi"}  # of two, one has a gap


@pytest.fixture(scope="module")
def lone_benchmark(panel: lv.Panel) -> lv.Panel:
    """Only models of one lineage that are held out in its fold are measured on bbh."""
    table = panel.to_frame().set_index("model")
    larger = (table["lineage"] == "yi-1.5") & (table["params_b"] > 6.0)
    table.loc[~larger, "bbh"] = np.nan
    return lv.Panel.from_frame(table.reset_index(), benchmarks=panel.benchmarks)


def test_a_score_on_a_benchmark_that_the_training_models_lack_is_listed(
    lone_benchmark: lv.Panel,
) -> None:
    found = run(lone_benchmark, intervals="plugin", draws=50)
    left = found.untested
    assert left.columns.tolist() == ["lineage", "family", "model", "benchmark", "y"]
    assert set(left["lineage"]) == {"yi-1.5"}
    assert set(left["family"]) == {"yi-1.5", "yi-1.5-chat"}
    assert set(left["benchmark"]) == {"bbh"}
    measured = lone_benchmark.scores["bbh"].dropna()
    assert left.set_index("model")["y"].to_dict() == measured.to_dict()
    assert found.failures == {}
    assert "bbh" not in set(found.table["benchmark"])
    assert "yi-1.5" in set(found.table["lineage"])


def test_a_lineage_whose_fold_cannot_be_fitted_is_named_with_the_reason(
    lone_benchmark: lv.Panel, panel: lv.Panel, message: Message
) -> None:
    table = lone_benchmark.to_frame().set_index("model")
    table.loc["pythia-160m", "bbh"] = panel.scores.loc["pythia-160m", "bbh"]
    one_more = lv.Panel.from_frame(table.reset_index(), benchmarks=panel.benchmarks)
    found = run(one_more, intervals="plugin", draws=50)
    assert list(found.failures) == ["yi-1.5"]
    message(found.failures["yi-1.5"], "bbh")
    assert "yi-1.5" not in set(found.table["lineage"]) | set(found.untested["lineage"])


def test_where_nothing_is_left_out_nothing_is_listed(plugin: Backtest) -> None:
    assert plugin.untested.empty


def test_whole_families_are_tested_as_unknown_recipes(panel: lv.Panel) -> None:
    table = run(panel, keep=0, intervals="plugin", draws=200).table
    assert set(table["model"]) == set(panel.models.index)
    assert table["distance"].isna().all()


# -- measures by hand ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def by_hand() -> Backtest:
    """Five scores of three families on two benchmarks; points and misses easy to count."""
    table = pd.DataFrame(
        {
            "family": ["a", "a", "b", "c", "a"],
            "model": ["a1", "a2", "b1", "c1", "a1"],
            "benchmark": ["x", "x", "x", "x", "y"],
            "y": [0.50, 0.60, 0.30, 0.90, 0.40],
            "median": [0.52, 0.66, 0.40, 0.90, 0.30],
            "lower": [0.40, 0.50, 0.35, 0.80, 0.20],
            "upper": [0.60, 0.70, 0.45, 1.00, 0.38],
            "lower_0.5": [0.50, 0.62, 0.38, 0.88, 0.28],
            "upper_0.5": [0.54, 0.68, 0.42, 0.92, 0.32],
            "complete": [True, True, True, False, True],
        }
    )
    return Backtest(table, (0.9, 0.5), 1, "plugin", ())


def test_the_error_is_averaged_over_families_then_benchmarks(by_hand: Backtest) -> None:
    # On x: a (2 + 6) / 2 = 4, b 10, c 0, so 14 / 3; on y: 10.
    found = by_hand.summary()
    assert found.index.tolist() == ["all"]
    assert found.loc["all", "mae"] == pytest.approx((14.0 / 3.0 + 10.0) / 2.0)
    assert found.loc["all", "scores"] == 5


def test_coverage_width_and_interval_score_are_those_by_hand(by_hand: Backtest) -> None:
    found = by_hand.summary().loc["all"]
    widths = [0.2, 0.2, 0.1, 0.2, 0.18]
    assert found["coverage"] == pytest.approx(3.0 / 5.0)
    assert found["width"] == pytest.approx(np.mean(widths))
    misses = 0.05 + 0.02  # of b1 on x and a1 on y, 20 times each at 90 %
    assert found["interval_score"] == pytest.approx(np.mean(widths) + 20.0 * misses / 5.0)
    assert found["coverage_0.5"] == pytest.approx(2.0 / 5.0)
    assert found["interval_score_0.5"] == pytest.approx(
        np.mean([0.04, 0.06, 0.04, 0.04, 0.04]) + 4.0 * (0.02 + 0.08 + 0.08) / 5.0
    )


def test_only_published_scores_are_counted_on_request(by_hand: Backtest) -> None:
    found = by_hand.summary(complete=True).loc["all"]
    assert found["scores"] == 4
    assert found["mae"] == pytest.approx((7.0 + 10.0) / 2.0)


def test_a_summary_of_no_scores_is_refused(by_hand: Backtest, message: Message) -> None:
    nothing = replace(by_hand, table=by_hand.table.assign(complete=False))
    with refused("summary") as error:
        nothing.summary(complete=True)
    message(error)


def test_the_summary_by_family_has_a_row_for_each(by_hand: Backtest) -> None:
    found = by_hand.summary("family")
    assert found.index.tolist() == ["a", "b", "c"]
    assert found.index.name == "family"
    assert found["scores"].tolist() == [3, 1, 1]
    assert found["mae"].tolist() == pytest.approx([(4.0 + 10.0) / 2.0, 10.0, 0.0])
    assert found["coverage"].tolist() == pytest.approx([2.0 / 3.0, 0.0, 1.0])


def test_the_summary_by_benchmark_has_a_row_for_each(by_hand: Backtest) -> None:
    found = by_hand.summary("benchmark")
    assert found.index.tolist() == ["x", "y"]
    assert found["mae"].tolist() == pytest.approx([14.0 / 3.0, 10.0])


def test_a_summary_by_anything_else_is_refused(by_hand: Backtest) -> None:
    with pytest.raises(lv.LvkitError, match="by: got 'lineage'; expected 'family' or 'bench"):
        by_hand.summary("lineage")


def test_a_hold_out_test_shows_its_summary(by_hand: Backtest) -> None:
    assert "interval_score" in by_hand._repr_html_()


# -- kinds of intervals, seeds and workers -------------------------------------------------------


def test_honest_intervals_are_the_default_and_wider(few: lv.Panel) -> None:
    found, plugin = run(few), run(few, intervals="plugin")
    assert found.intervals == "model"
    assert found.summary().loc["all", "width"] > plugin.summary().loc["all", "width"]


def test_calibrated_intervals_are_learned_inside_each_fold(
    few: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_PARAMETER_DRAWS", 4)
    fitted: list[set[str]] = []
    original = calibration._hold_out

    def watched(fit: lv.Fit, fold: Any, seed: int) -> pd.DataFrame:
        fitted.append(set(fit.panel.models.index))
        return original(fit, fold, seed)

    monkeypatch.setattr(calibration, "_hold_out", watched)
    found, honest = run(few, intervals="calibrated", draws=100), run(few, draws=100)
    trained = {frozenset(fold.train) for fold in folds(few, few.models.index, 1)}
    assert {frozenset(names) for names in fitted} == trained
    assert found.table["model"].tolist() == honest.table["model"].tolist()
    assert not np.allclose(found.table["lower"], honest.table["lower"], atol=1e-3)
    assert found.table["z"].tolist() == honest.table["z"].tolist()


@pytest.mark.slow
def test_one_worker_and_two_give_identical_numbers(panel: lv.Panel, plugin: Backtest) -> None:
    two = run(panel, intervals="plugin", n_jobs=2)
    pd.testing.assert_frame_equal(two.table, plugin.table, check_exact=True)


def test_the_order_of_the_rows_does_not_matter(panel: lv.Panel, plugin: Backtest) -> None:
    rows = panel.to_frame().sample(frac=1.0, random_state=1)
    turned = lv.Panel.from_frame(rows, benchmarks=panel.benchmarks)
    found = run(turned, intervals="plugin").table
    cells = ["model", "benchmark"]
    pd.testing.assert_frame_equal(
        found.sort_values(cells, ignore_index=True),
        plugin.table.sort_values(cells, ignore_index=True),
        check_exact=True,
    )


def test_another_seed_gives_other_draws(panel: lv.Panel, plugin: Backtest) -> None:
    found = run(panel, intervals="plugin", seed=1).table
    assert (found["lower"] != plugin.table["lower"]).any()
    np.testing.assert_allclose(found["mean"], plugin.table["mean"], atol=0.06)


def test_progress_counts_the_folds(panel: lv.Panel) -> None:
    from tqdm import tqdm

    bars = []

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            bars.append(self)

    run(panel, intervals="plugin", draws=50, progress=Bar)
    assert [(bar.n, bar.total) for bar in bars] == [(6, 6)]


@pytest.mark.parametrize("intervals", ["plugin", "model", "calibrated"])
def test_lineages_whose_fit_did_not_converge_are_named_and_predicted_by_plug_in(
    intervals: str, panel: lv.Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(estimate.METHODS, "mml", MarginalNewton(max_iterations=2))
    found = run(panel, intervals=intervals, draws=50)
    lineages = sorted({fold.lineage for fold in folds(panel, panel.models.index, 1)})
    assert sorted(found.unconverged) == lineages
    assert found.table["mean"].between(0.0, 1.0).all()


def test_fits_that_converged_are_not_named(plugin: Backtest) -> None:
    assert plugin.unconverged == ()


# -- refusals ------------------------------------------------------------------------------------


def refusal(panel: Any, **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        run(panel, **options)
    return str(caught.value)


def test_nothing_to_test_is_refused(panel: lv.Panel, message: Message) -> None:
    text = refusal(panel, keep=9)
    message(text, "9")


@pytest.mark.parametrize("keep", [-1, 1.5, "1", None, True])
def test_a_number_of_kept_models_that_is_none_is_refused(
    keep: Any, panel: lv.Panel, message: Message
) -> None:
    message(refusal(panel, keep=keep), keep, "0")


@pytest.mark.parametrize("level", [0.0, 1.0, 95, (0.9, 2), "0.9", None])
def test_a_level_that_is_none_is_refused(level: Any, panel: lv.Panel, message: Message) -> None:
    message(refusal(panel, level=level), "0", "1", "0.95")


def test_no_level_is_refused(panel: lv.Panel, message: Message) -> None:
    message(refusal(panel, level=()))


def test_unknown_intervals_are_refused(panel: lv.Panel) -> None:
    text = refusal(panel, intervals="exact")
    assert text == "intervals: got 'exact'; expected one of 'plugin', 'model', 'calibrated'."


@pytest.mark.parametrize(
    ("option", "value"), [("draws", 0), ("seed", -1), ("n_jobs", 0), ("draws", 2.5)]
)
def test_other_settings_that_are_none_are_refused(
    option: str, value: Any, panel: lv.Panel, message: Message
) -> None:
    message(refusal(panel, **{option: value}), option, value)


def test_what_is_no_panel_is_refused(message: Message) -> None:
    message(refusal(pd.DataFrame()))
