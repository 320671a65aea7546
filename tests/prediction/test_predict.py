"""Predicted scores and skills, as users see them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation import estimate
from lvkit.estimation.mml import MarginalNewton
from lvkit.prediction.predict import Prediction

COLUMNS = [
    "model", "family", "benchmark", "mean", "median", "lower", "upper", "family_kind", "n_known",
    "distance", "known_score", "outside", "outside_factor",
]  # fmt: skip

ROWS = pd.DataFrame(
    {
        "model": ["zeta", "alpha", "mid", "nobody"],
        "family": ["qwen2", "yi", "mine", None],
        "params_b": [300.0, 13.0, 7.0, 7.0],
        "tokens_t": [7.0, 3.0, 2.0, 2.0],
        "mmlu": [np.nan, np.nan, 0.7, np.nan],
    }
)


@pytest.fixture(scope="module")
def plugin(small_fit: lv.Fit) -> Prediction:
    return small_fit.predict(ROWS, intervals="plugin")


@pytest.fixture(scope="module")
def honest(small_fit: lv.Fit) -> Prediction:
    return small_fit.predict(ROWS, intervals="model")


@pytest.fixture(scope="module")
def quick(small_fit: lv.Fit) -> Prediction:
    """Few draws of few parameters: enough to compare with themselves."""
    return small_fit.predict(ROWS, intervals="model", draws=50)


@pytest.fixture(scope="module")
def unsure(small_panel: lv.Panel) -> lv.Fit:
    """A fit that was stopped too early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(estimate.METHODS, "mml", MarginalNewton(max_iterations=2))
        return lv.LatentSkillModel(n_skills=2, features="log_params").fit(small_panel)


def width(prediction: Prediction) -> pd.Series:
    table = prediction.table
    return (table["upper"] - table["lower"]).groupby(table["model"]).mean()


def of(prediction: Prediction, model: str) -> pd.DataFrame:
    return prediction.table.query("model == @model").set_index("benchmark")


# -- the table -----------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_model_and_benchmark_in_the_order_asked(
    plugin: Prediction, small_fit: lv.Fit
) -> None:
    assert list(plugin.table.columns) == COLUMNS
    assert plugin.table["model"].tolist() == np.repeat(ROWS["model"], 6).tolist()
    assert plugin.table["benchmark"].tolist() == list(small_fit.benchmarks) * 4
    assert plugin.table["family"].unique().tolist() == ["qwen2", "yi", "mine", ""]


def test_the_table_says_how_each_family_is_known(plugin: Prediction) -> None:
    kinds = plugin.table.groupby("model")["family_kind"].unique().str.join("")
    expected = {"zeta": "known", "alpha": "known", "mid": "new", "nobody": "unknown"}
    assert kinds.to_dict() == expected


def test_the_table_says_how_far_beyond_its_family_a_model_is(plugin: Prediction) -> None:
    assert of(plugin, "zeta")["distance"].unique() == pytest.approx([np.log10(300.0 / 72.0)])
    assert of(plugin, "alpha")["distance"].unique().tolist() == [0.0]
    assert of(plugin, "nobody")["distance"].isna().all()


def test_the_table_repeats_what_was_given(plugin: Prediction) -> None:
    given = plugin.table.dropna(subset="known_score")
    assert given[["model", "benchmark", "known_score"]].to_numpy().tolist() == [
        ["mid", "mmlu", 0.7]
    ]


def test_mean_and_median_lie_within_the_interval(plugin: Prediction, honest: Prediction) -> None:
    for table in (plugin.table, honest.table):
        for column in ("mean", "median"):
            assert ((table["lower"] <= table[column]) & (table[column] <= table["upper"])).all()
        assert table[["mean", "median", "lower", "upper"]].stack().between(0.0, 1.0).all()


def test_each_benchmark_has_a_label_or_goes_by_its_name(
    plugin: Prediction, small_panel: lv.Panel
) -> None:
    assert set(plugin.table["benchmark"]) <= set(plugin.labels)
    assert plugin.labels["gsm8k"] == small_panel.benchmarks.loc["gsm8k", "label"] == "GSM8K"


def test_a_prediction_shows_itself_as_a_table(plugin: Prediction) -> None:
    assert "<table" in plugin._repr_html_()
    assert "hellaswag" in plugin._repr_html_()


# -- what the evidence does ----------------------------------------------------------------------


def test_the_expected_scores_of_a_fitted_model_are_those_of_the_fit(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    table = small_fit.predict(small_panel, intervals="plugin", draws=4_000).table
    found = table.pivot(index="model", columns="benchmark", values="mean")
    expected = small_fit.fitted_scores
    np.testing.assert_allclose(found.loc[expected.index], expected, atol=0.012)


def test_a_family_with_known_scores_is_predicted_more_narrowly_than_an_unknown_recipe(
    small_fit: lv.Fit,
) -> None:
    rows = ROWS.iloc[[1, 1]].assign(model=["known", "unknown"], family=["yi", None])
    known, unknown = width(small_fit.predict(rows, intervals="plugin"))
    assert known < 0.75 * unknown


def test_known_scores_narrow_the_prediction_of_a_new_family(small_fit: lv.Fit) -> None:
    rows = pd.concat([ROWS.iloc[[3]]] * 3).assign(
        model=["none", "one", "two"], mmlu=[np.nan, 0.6, 0.6], hellaswag=[np.nan, np.nan, 0.75]
    )
    found = width(small_fit.predict(rows, intervals="plugin"))
    assert found["two"] < found["one"] < found["none"]


def test_a_new_family_with_high_scores_is_predicted_higher(small_fit: lv.Fit) -> None:
    rows = pd.concat([ROWS.iloc[[3]]] * 3).assign(
        model=["low", "none", "high"], mmlu=[0.35, np.nan, 0.8]
    )
    prediction = small_fit.predict(rows)
    for benchmark in ("arc", "bbh", "gsm8k"):
        low, none, high = (of(prediction, name)["mean"][benchmark] for name in rows["model"])
        assert low < none < high


def test_one_models_known_scores_tell_of_its_relatives(small_fit: lv.Fit) -> None:
    rows = ROWS.iloc[[2, 2, 3]].assign(
        model=["given", "relative", "stranger"], mmlu=[0.8, np.nan, np.nan],
        params_b=[1.0, 7.0, 7.0],
    )  # fmt: skip
    prediction = small_fit.predict(rows, intervals="plugin")
    assert of(prediction, "relative")["mean"]["arc"] > of(prediction, "stranger")["mean"]["arc"]
    assert width(prediction)["relative"] < width(prediction)["stranger"]


def test_known_scores_of_a_known_family_pull_its_prediction(small_fit: lv.Fit) -> None:
    rows = ROWS.iloc[[1]]
    plain = small_fit.predict(rows, intervals="plugin").table["mean"]
    pulled = small_fit.predict(rows.assign(mmlu=0.95), intervals="plugin").table["mean"]
    assert (pulled.mean() - plain.mean()) > 0.002


def test_larger_models_of_a_family_are_predicted_higher(small_fit: lv.Fit) -> None:
    rows = ROWS.iloc[[1, 1]].assign(model=["small", "large"], params_b=[2.0, 60.0])
    prediction = small_fit.predict(rows)
    assert (of(prediction, "large")["mean"] > of(prediction, "small")["mean"]).all()


# -- intervals -----------------------------------------------------------------------------------


def test_intervals_are_honest_unless_told_otherwise(small_fit: lv.Fit, quick: Prediction) -> None:
    found = small_fit.predict(ROWS, draws=50)
    assert found.intervals == "model"
    pd.testing.assert_frame_equal(found.table, quick.table)


def test_plug_in_intervals_are_narrower_than_honest_ones(
    plugin: Prediction, honest: Prediction
) -> None:
    assert width(plugin).mean() < 0.97 * width(honest).mean()


def test_a_higher_level_gives_wider_intervals(small_fit: lv.Fit, plugin: Prediction) -> None:
    widths = [
        width(small_fit.predict(ROWS, level=level, intervals="plugin"))
        for level in (0.5, 0.8, 0.95, 0.99)
    ]
    for narrow, wide in pairwise(widths):
        assert (narrow < wide).all()
    pd.testing.assert_series_equal(widths[2], width(plugin))


def test_quantiles_rise_with_the_probability(plugin: Prediction) -> None:
    probabilities = [0.01, 0.025, 0.25, 0.5, 0.75, 0.975, 0.99]
    found = plugin.quantiles(probabilities)
    assert list(found.columns) == ["model", "benchmark", *probabilities]
    assert (np.diff(found[probabilities].to_numpy(), axis=1) > 0.0).all()


def test_quantiles_are_the_limits_of_the_table(honest: Prediction) -> None:
    found = honest.quantiles([0.025, 0.5, 0.975])
    for probability, name in ((0.025, "lower"), (0.5, "median"), (0.975, "upper")):
        np.testing.assert_allclose(found[probability], honest.table[name], atol=1e-12)


def test_half_of_the_draws_lie_below_the_median(plugin: Prediction) -> None:
    # A Beta distribution for each component: the mixture's distribution function, computed here.
    from scipy import stats

    here, table = plugin.predictive, plugin.table
    median = table["median"].to_numpy().reshape(4, 6, 1)
    mean, precision = here.expected, here.precision
    below = stats.beta.cdf(median, mean * precision, (1.0 - mean) * precision).mean(axis=2)
    np.testing.assert_allclose(below, 0.5, atol=0.04)


@pytest.mark.filterwarnings("ignore:(params_b|tokens_t) of")  # far outside, on purpose
def test_scores_within_the_clip_are_told_as_zero_or_one(small_fit: lv.Fit) -> None:
    weak = ROWS.iloc[[3]].assign(params_b=0.01, tokens_t=0.01)
    strong = ROWS.iloc[[3]].assign(model="strong", params_b=1e4, tokens_t=1e3)
    table = small_fit.predict(pd.concat([weak, strong]), intervals="plugin").table
    limits = table[["lower", "median", "upper"]].to_numpy()
    assert (limits == 0.0).any()
    assert (limits == 1.0).any()
    inner = limits[(limits > 0.0) & (limits < 1.0)]
    assert inner.min() > small_fit.model.clip * (1.0 - 1e-9)
    assert inner.max() < 1.0 - small_fit.model.clip * (1.0 - 1e-9)
    assert (table["lower"] < table["upper"]).all()


# -- same seed, same numbers ---------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers(small_fit: lv.Fit, quick: Prediction) -> None:
    again = small_fit.predict(ROWS, intervals="model", draws=50, seed=0)
    pd.testing.assert_frame_equal(again.table, quick.table)


def test_another_seed_gives_other_draws_of_the_same_thing(
    small_fit: lv.Fit, plugin: Prediction
) -> None:
    other = small_fit.predict(ROWS, intervals="plugin", seed=1).table
    assert (other["mean"] != plugin.table["mean"]).all()
    np.testing.assert_allclose(other["mean"], plugin.table["mean"], atol=0.02)


def test_the_order_of_the_rows_does_not_matter(small_fit: lv.Fit, quick: Prediction) -> None:
    found = small_fit.predict(ROWS.iloc[::-1], draws=50).table
    cells = ["model", "benchmark"]
    pd.testing.assert_frame_equal(
        found.sort_values(cells, ignore_index=True),
        quick.table.sort_values(cells, ignore_index=True),
        check_exact=True,
    )


@pytest.mark.parametrize("row", range(4))
def test_a_models_numbers_do_not_depend_on_the_other_rows(
    row: int, small_fit: lv.Fit, quick: Prediction
) -> None:
    alone = small_fit.predict(ROWS.iloc[[row]], draws=50).table
    together = of(quick, ROWS["model"][row])
    for name in ("mean", "median", "lower", "upper"):
        np.testing.assert_allclose(alone[name], together[name], atol=1e-6)


def test_a_panel_and_its_table_are_predicted_alike(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    some = small_panel.select(families=["yi", "olmo"])
    panel = small_fit.predict(some, intervals="plugin", draws=200).table
    frame = small_fit.predict(some.to_frame(), intervals="plugin", draws=200).table
    pd.testing.assert_frame_equal(panel, frame)


def test_reading_the_fit_through_other_anchors_changes_no_plug_in_prediction(
    small_fit: lv.Fit, plugin: Prediction
) -> None:
    other = small_fit.reanchor({"maths": "gsm8k", "language": "hellaswag"})
    found = other.predict(ROWS, intervals="plugin").table
    np.testing.assert_allclose(found["mean"], plugin.table["mean"], atol=0.02)
    np.testing.assert_allclose(found["upper"], plugin.table["upper"], atol=0.05)


# -- other models --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:(params_b|tokens_t) of")  # far outside, on purpose
def test_slopes_that_differ_between_families_widen_far_predictions(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_params", family_slopes="log_params")
    fit = model.fit(small_panel)
    frame = replace(fit.frame, factor=fit.frame.factor * np.array([1.0, 4.0])[:, None, None])
    rows = ROWS.iloc[[1, 1]].assign(model=["near", "far"], params_b=[20.0, 2_000.0])
    plain, steep = (
        replace(fit, frame=f).predict(rows, intervals="plugin", draws=1_000).predictive.skills
        for f in (fit.frame, frame)
    )
    assert steep[1].std() > 1.2 * plain[1].std()
    assert steep[1].std() / steep[0].std() > plain[1].std() / plain[0].std()


@pytest.mark.filterwarnings("ignore:(params_b|tokens_t) of")  # far outside, on purpose
def test_no_expected_score_falls_below_an_estimated_floor(small_panel: lv.Panel) -> None:
    model = lv.LatentSkillModel(n_skills=1, features="log_params", floor="estimate")
    fit = model.fit(small_panel)
    rows = ROWS.iloc[[3]].assign(params_b=1e-3)
    expected = fit.predict(rows, intervals="plugin", draws=500).predictive.expected[0]
    assert fit.params.floors.max() > 0.0
    assert (expected >= fit.params.floors[:, None] - 1e-12).all()


# -- skills --------------------------------------------------------------------------------------


def test_predicted_skills_have_a_row_for_each_model_and_skill(small_fit: lv.Fit) -> None:
    table = small_fit.predict_skills(ROWS, draws=100)
    assert list(table.columns) == [
        "model", "family", "skill", "mean", "median", "lower", "upper", "family_kind",
    ]  # fmt: skip
    assert table["model"].tolist() == np.repeat(ROWS["model"], 2).tolist()
    assert table["skill"].tolist() == ["general", "instruction"] * 4
    assert ((table["lower"] < table["median"]) & (table["median"] < table["upper"])).all()


def test_predicted_skills_of_fitted_models_are_those_of_the_fit() -> None:
    # Many families, so that the parameters' errors are small and act nearly linearly.
    truth = lv.Parameters(
        loadings=np.array([[0.9], [0.7], [0.5], [0.8]]), intercepts=np.zeros(4),
        precisions=np.full(4, 60.0), floors=np.zeros(4), slopes=np.array([[1.0]]),
        correlation=np.eye(1),
    )  # fmt: skip
    panel = lv.simulate(truth, lv.simulate_models(80, 3, seed=2), features="log_params", seed=2)
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(panel)
    asked = panel.select(families=panel.families[:6])
    table = fit.predict_skills(asked, draws=2_000).set_index("model")
    expected = fit.skill_scores.iloc[:, 0].loc[table.index]
    spread = (table["upper"] - table["lower"]) / (2.0 * 1.96)
    assert ((table["mean"] - expected).abs() < 0.15 * spread).all()


def test_skill_intervals_widen_with_the_level(small_fit: lv.Fit) -> None:
    narrow, wide = (small_fit.predict_skills(ROWS, level=level, draws=100) for level in (0.5, 0.9))
    assert (narrow["lower"] > wide["lower"]).all()
    assert (narrow["upper"] < wide["upper"]).all()


# -- refusals ------------------------------------------------------------------------------------


def refusal(fit: lv.Fit, what: str = "predict", **options: Any) -> str:
    with pytest.raises(lv.LvkitError) as caught:
        getattr(fit, what)(ROWS, **options)
    return str(caught.value)


@pytest.mark.parametrize("what", ["predict", "predict_skills"])
@pytest.mark.parametrize("level", [0.0, 1.0, 95, -0.5, "0.9", None, np.nan])
def test_a_level_that_is_none_is_refused(
    what: str, level: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, what, level=level)
    message(text, level, "0", "1", "0.95")


@pytest.mark.parametrize("what", ["predict", "predict_skills"])
@pytest.mark.parametrize("draws", [0, -1, 1.5, "100", True])
def test_a_number_of_draws_that_is_none_is_refused(
    what: str, draws: Any, small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, what, draws=draws)
    message(text, draws, "1")


@pytest.mark.parametrize("what", ["predict", "predict_skills"])
def test_a_seed_that_is_none_is_refused(what: str, small_fit: lv.Fit, message: Message) -> None:
    message(refusal(small_fit, what, seed=-1), "-1")


def test_unknown_intervals_are_refused(small_fit: lv.Fit, message: Message) -> None:
    text = refusal(small_fit, intervals="exact")
    message(text, "exact", "plugin", "model", "calibrated")


def test_calibrated_intervals_without_a_calibration_are_refused(
    small_fit: lv.Fit, message: Message
) -> None:
    text = refusal(small_fit, intervals="calibrated")
    message(text)


@pytest.mark.parametrize("what", ["predict", "predict_skills"])
def test_other_wishes_for_new_families_are_refused(
    what: str, small_fit: lv.Fit, message: Message
) -> None:
    message(refusal(small_fit, what, new_family="guess"), "new_family", "guess")


@pytest.mark.parametrize("probability", [0.0, 1.0, 50])
def test_a_quantile_that_is_none_is_refused(
    probability: float, plugin: Prediction, message: Message
) -> None:
    with refused("probabilities") as error:
        plugin.quantiles([0.5, probability])
    message(error)


def test_honest_intervals_of_a_fit_that_did_not_converge_are_refused(
    unsure: lv.Fit, message: Message
) -> None:
    text = refusal(unsure)
    message(text)


def test_skills_of_a_fit_that_did_not_converge_are_refused(
    unsure: lv.Fit, message: Message
) -> None:
    message(refusal(unsure, "predict_skills"))


def test_a_fit_that_did_not_converge_still_predicts_by_plug_in(unsure: lv.Fit) -> None:
    table = unsure.predict(ROWS, intervals="plugin", draws=200).table
    assert table["mean"].between(0.0, 1.0).all()
