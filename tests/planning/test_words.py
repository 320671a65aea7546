from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import lvkit as lv
from lvkit.planning.words import amount, as_html, association, flops, size, tokens

BUDGETS = [1e22, 1e24]


def words(fit: lv.Fit, budgets: Any = BUDGETS, **asked: Any) -> str:
    return " ".join(lv.plan_compute(fit, budgets, **asked).words)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (20.0, "20"),
        (1234567.0, "1,230,000"),
        (999.6, "1,000"),
        (0.05, "0.05"),
        (0.000123456, "0.000123"),
        (1.5e-7, "1.5e-07"),
        (3.21e9, "3.21e+09"),
        (1.0, "1"),
    ],
)
def test_amounts_have_three_digits(value: float, text: str) -> None:
    assert amount(value) == text


def test_sizes_tokens_and_budgets_are_put_into_words() -> None:
    assert [size(x) for x in (0.07, 1.0, 405.0, 2000.0)] == [
        "70 million parameters",
        "1 billion parameters",
        "405 billion parameters",
        "2 trillion parameters",
    ]
    assert [tokens(x) for x in (1.4, 0.02, 2e-5)] == [
        "1.4 trillion tokens",
        "20 billion tokens",
        "20 million tokens",
    ]
    assert [flops(x) for x in (1e24, 5.88e23, 9.999e22)] == [
        "1e24 FLOPs",
        "5.88e23 FLOPs",
        "1e23 FLOPs",
    ]


def test_every_plan_says_that_it_is_no_experiment(small_fit: lv.Fit) -> None:
    models = small_fit.panel.models
    varying = sum(group["tokens_t"].nunique() > 1 for _, group in models.groupby("family"))
    assert f"tokens differ within {varying} of 12 families only" in association(small_fit)
    assert association(small_fit) in words(small_fit, target="general", level=None)


def test_the_best_point_is_told_with_its_interval(curved_fit: lv.Fit) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", family="qwen2", level=0.9)
    row = plan.table.iloc[-1]
    first = plan.words[0]
    assert first.startswith("For general of qwen2, 1e24 FLOPs go furthest with ")
    assert size(row["params_b"]) in first
    assert tokens(row["tokens_t"]) in first
    ends = (amount(row["tokens_per_param_lower"]), amount(row["tokens_per_param_upper"]))
    assert f"(90% interval {ends[0]} to {ends[1]}" in first
    quick = lv.plan_compute(curved_fit, 1e22, target="general", level=None)
    assert "interval" not in quick.words[0]


def test_a_ratio_that_cannot_depend_on_the_budget_is_said_to_be_constant(
    curved_fit: lv.Fit, sloped_fit: lv.Fit, instructed_fit: lv.Fit
) -> None:
    same = "the same on every budget and for every family: with these features"
    quick: dict[str, Any] = {"target": "general", "family": "qwen2", "level": None}
    assert same in words(curved_fit, **quick)
    assert "same on every budget:" in words(sloped_fit, **quick)
    assert "same on every budget:" in words(instructed_fit, **quick)
    assert "same on every" not in words(curved_fit, 1e22, **quick)
    assert "same on every" not in words(curved_fit, **(quick | {"target": {"mmlu": 1, "arc": 1}}))
    ratio = lv.Limits(min_tokens_per_param=20.0, max_tokens_per_param=20.0)
    assert "same on every" not in words(curved_fit, limits=ratio, **quick)


def test_an_interval_that_ends_where_the_bracket_does_is_said_to_be_open(
    curved_fit: lv.Fit,
) -> None:
    wide = lv.plan_compute(curved_fit, 1e24, target="general", level=0.99)
    assert wide.table["tokens_per_param_upper"][0] == pytest.approx(1e7)
    assert "where the plan stops looking" in wide.words[0]
    narrow = lv.plan_compute(curved_fit, 1e24, target="general", level=0.2)
    assert narrow.table["tokens_per_param_upper"][0] < 1e6
    assert "stops looking" not in narrow.words[0]


def test_a_point_that_limits_hold_has_no_interval_to_boast_of(curved_fit: lv.Fit) -> None:
    fixed = lv.Limits(min_params_b=7.0, max_params_b=7.0)
    text = words(curved_fit, target="instruction", limits=fixed)
    assert "(held there by the limits)" in text
    assert "the best point is where min_params_b and max_params_b bind." in text
    assert "told apart from a straight line" in text


def test_a_limit_that_binds_is_named(curved_fit: lv.Fit) -> None:
    limits = lv.Limits(max_tokens_t=1.0)
    text = words(curved_fit, target="general", limits=limits, level=None)
    assert "On every budget, the best point is where max_tokens_t binds." in text


@pytest.mark.parametrize("level", [None, 0.95])
def test_an_end_of_the_bracket_is_no_recommendation(
    curved_fit: lv.Fit, level: float | None
) -> None:
    text = words(curved_fit, target="instruction", level=level)
    assert "go furthest" not in text
    assert "On every budget, no best point lies inside" in text
    assert "That is no recommendation." in text
    if level is None:
        assert "the target does not bend down, by " in text
    else:
        assert "told apart from a straight line" in text


def test_whether_the_bend_is_told_from_zero_is_said(
    curved_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvkit.planning.aim import Aim

    plan = lv.plan_compute(curved_fit, BUDGETS, target="instruction")
    for ends, said in (((0.2, 0.9), " is told apart"), ((-0.1, 0.9), "is not told apart")):
        monkeypatch.setattr(Aim, "bend_interval", lambda aim, level, ends=ends: ends)
        assert said in " ".join(replace(plan).words)
    assert "so that the best split is hardly determined" in " ".join(replace(plan).words)


def test_without_an_interaction_the_target_is_a_straight_line(small_fit: lv.Fit) -> None:
    text = words(small_fit, target="general")
    assert "With these features the target is a straight line along a budget." in text
    assert "interval 0 to 0" not in text


def test_a_best_point_that_is_hardly_determined_is_said_to_be(curved_fit: lv.Fit) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general")
    assert (plan.table["corner"] == "").all()
    doubtful = replace(plan, table=plan.table.assign(interior=0.6))
    assert "in 40% of the draws there is none inside" in " ".join(doubtful.words)
    lower = plan.table["tokens_per_param_upper"] / 500.0
    wide = replace(plan, table=plan.table.assign(interior=1.0, tokens_per_param_lower=lower))
    assert "spans a factor of at least 500" in " ".join(wide.words)


def test_a_budget_that_limits_keep_from_being_spent_is_told(curved_fit: lv.Fit) -> None:
    limits = lv.Limits(max_params_b=7.0, max_tokens_t=2.0)
    text = words(curved_fit, [1e21, 1e25], target="general", limits=limits, level=None)
    assert "On 1e25 FLOPs, the limits keep a part of the budget from being spent." in text


def test_where_more_would_lower_the_target_is_told(curved_fit: lv.Fit) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", level=None)
    falling = replace(plan, table=plan.table.assign(falls=[True, False]))
    assert "On 1e22 FLOPs, a slightly larger budget would lower general." in " ".join(falling.words)
    assert "would lower" not in " ".join(plan.words)


def test_how_far_a_plan_leaves_the_data_is_told(curved_fit: lv.Fit) -> None:
    table = {"extrapolates": [False, True], "distance": [0.0, 1.0]}
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", level=None)
    text = " ".join(replace(plan, table=plan.table.assign(**table)).words)
    assert "On 1e24 FLOPs, the plan lies outside" in text
    assert "by up to a factor of 10:" in text


def test_many_budgets_are_told_by_their_ends(curved_fit: lv.Fit) -> None:
    plan = lv.plan_compute(curved_fit, [1e20, 1e21, 1e22, 1e23, 1e24], target="general", level=None)
    some = replace(plan, table=plan.table.assign(falls=[True, True, True, True, False]))
    assert "On 4 of the budgets between 1e20 FLOPs and 1e23 FLOPs, a" in " ".join(some.words)


def test_names_reach_a_page_escaped() -> None:
    table = pd.DataFrame({"family": ["<script>alert(1)</script>"], "value": [1.0]})
    page = as_html(["For <script> & more."], table)
    assert "<script>" not in page
    assert "For &lt;script&gt; &amp; more." in page


def test_a_family_with_a_dangerous_name_is_shown_harmlessly(curved_fit: lv.Fit) -> None:
    plan = lv.plan_compute(curved_fit, 1e22, target="general", level=None)
    name = "<script>alert(1)</script>"
    fit: Any = SimpleNamespace(
        families=(name,), model=curved_fit.model, panel=curved_fit.panel,
        prepared=curved_fit.prepared, n_families=1, unidentified=(),
    )  # fmt: skip
    page = replace(plan, aim=replace(plan.aim, fit=fit, family=name))._repr_html_()
    assert "<script>" not in page
    assert "general of &lt;script&gt;" in page
    assert "<table" in page
