from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from scipy.stats import norm

import lvkit as lv
from lvkit.fit.standings import (
    FACTORS,
    family_forecast,
    family_places,
    family_standings,
    growth_points,
    largest_model,
    main_family,
    next_models,
    ranked_families,
    similar_families,
)


@pytest.fixture(scope="module")
def forecast(small_fit: lv.Fit) -> lv.Prediction:
    return family_forecast(small_fit, small_fit.families[0], draws=100)


def test_the_family_with_most_models_is_the_main_one(paper_fit: lv.Fit) -> None:
    counts = paper_fit.panel.models["family"].loc[list(paper_fit.prepared.models)].value_counts()
    assert counts[main_family(paper_fit)] == counts.max()
    assert main_family(paper_fit, "qwen2") == "qwen2"


def test_a_family_that_is_not_there_is_refused_with_a_hint(
    paper_fit: lv.Fit, message: Message
) -> None:
    with refused() as error:
        main_family(paper_fit, "qwen3")
    message(error, "qwen3")


def test_a_family_that_was_left_out_is_refused_with_the_reason(
    paper_fit: lv.Fit, message: Message
) -> None:
    with refused("family", "gpt2", "tokens_t") as error:
        main_family(paper_fit, "gpt2")
    message(error)


def test_families_are_ranked_from_the_highest_with_normal_intervals(paper_fit: lv.Fit) -> None:
    table = ranked_families(paper_fit, "reasoning", 0.8)
    assert list(table["rank"]) == list(range(1, paper_fit.n_families + 1))
    assert table["standing"].is_monotonic_decreasing
    held = norm.cdf(table["upper"], table["standing"], table["sd"])
    assert np.allclose(held, 0.9)
    assert np.allclose(table["upper"] - table["standing"], table["standing"] - table["lower"])


def test_ranks_refuse_an_unknown_skill_and_a_level_that_is_none(
    paper_fit: lv.Fit, message: Message
) -> None:
    with refused() as error:
        ranked_families(paper_fit, "cooking")
    message(error, "cooking")
    with pytest.raises(lv.LvkitError, match="level"):
        ranked_families(paper_fit, "reasoning", 1.5)


def test_others_are_surely_above_or_below_one_pair_at_a_time(paper_fit: lv.Fit) -> None:
    places = family_places(paper_fit, "qwen2")
    table = family_standings(paper_fit, "mathematics", None)
    own, others = table.loc["qwen2"], table.drop(index="qwen2")
    gap = others["standing"] - own["standing"]
    p = norm.sf(0.0, gap, np.sqrt(own["sd"] ** 2 + others["sd"] ** 2))
    assert places.loc["mathematics", "below"] == (p >= 0.95).sum()
    assert places.loc["mathematics", "above"] == (p <= 0.05).sum()
    assert (places["above"] + places["below"] < paper_fit.n_families).all()
    assert (places["rank"] > places["below"]).all()


def test_draws_of_the_posterior_agree_on_who_is_surely_above(paper_fit: lv.Fit) -> None:
    places = family_places(paper_fit, "qwen2")
    post = paper_fit.sample_families(draws=4000)
    own = post.draws[post.families.index("qwen2"), :, 0]
    higher = np.array([(own > draws[:, 0]).mean() for draws in post.draws])
    assert abs(int((higher >= 0.95).sum()) - int(places["above"].iloc[0])) <= 2


def test_a_family_is_most_like_itself_by_another_name(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(families=leaderboard.families[:9]).to_frame()
    twin = some[some["family"] == some["family"].iloc[0]].assign(family="twin", lineage="twin")
    twin["model"] = "twin of " + twin["model"]
    panel = lv.Panel.from_frame(pd.concat([some, twin], ignore_index=True))
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(panel)
    near = similar_families(fit, "twin")
    assert near.index[0] == some["family"].iloc[0]
    assert near["distance"].is_monotonic_increasing
    assert len(near) == 5


def test_what_is_uncertain_counts_as_distance(paper_fit: lv.Fit) -> None:
    far = similar_families(paper_fit, "qwen2", most=100)
    assert len(far) == paper_fit.n_families - 1
    skills = list(paper_fit.skills)
    own = paper_fit.family_effects.loc["qwen2"]
    gap = np.sqrt(((far[skills] - own) ** 2).mean(axis=1))
    assert (far["distance"] > gap).all()


def test_the_next_sizes_keep_the_tokens_per_parameter_of_the_largest(paper_fit: lv.Fit) -> None:
    ahead = next_models(paper_fit, "qwen2")
    largest = paper_fit.panel.models.loc[largest_model(paper_fit, "qwen2")]
    assert largest.name == "qwen2-72b"
    assert list(ahead["model"]) == [f"{words} qwen2-72b" for words in FACTORS.values()]
    assert list(ahead["params_b"]) == [72.0 * factor for factor in FACTORS]
    ratio = ahead["tokens_t"] / ahead["params_b"]
    assert np.allclose(ratio, largest["tokens_t"] / largest["params_b"])


def test_a_forecast_has_the_familys_models_by_size_and_then_the_next(
    small_fit: lv.Fit, forecast: lv.Prediction
) -> None:
    family = small_fit.families[0]
    models = small_fit.panel.models
    held = list(forecast.request.models)
    own = models.index[models["family"] == family]
    assert set(held) == {*own, *next_models(small_fit, family)["model"]}
    assert models.loc[held[: len(own)], "params_b"].is_monotonic_increasing


def test_points_of_growth_have_what_was_measured(
    small_fit: lv.Fit, forecast: lv.Prediction
) -> None:
    table = growth_points(small_fit, forecast)
    assert table["params_b"].is_monotonic_increasing
    assert table.loc[table["ahead"], "observed"].isna().all()
    row = table[~table["ahead"]].iloc[0]
    assert row["observed"] == small_fit.panel.scores.loc[row["model"], row["benchmark"]]
    assert row["inside"] == (row["lower"] <= row["observed"] <= row["upper"])


def test_a_search_that_failed_gives_plug_in_intervals(small_fit: lv.Fit) -> None:
    failed = replace(small_fit, converged=False, message="out of steps")
    assert family_forecast(failed, failed.families[0], draws=50).intervals == "plugin"
