from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.planning.plan_text import amount, as_html, association, flops, size, tokens

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


def test_every_plan_says_that_it_is_no_experiment(small_fit: lv.Fit, message: Message) -> None:
    models = small_fit.panel.models
    varying = sum(group["tokens_t"].nunique() > 1 for _, group in models.groupby("family"))
    message(association(small_fit), varying, "12")
    assert association(small_fit) in words(small_fit, target="general", level=None)


def test_the_best_point_is_told_with_its_interval(curved_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", family="qwen2", level=0.9)
    row = plan.table.iloc[-1]
    first = plan.words[0]
    assert size(row["params_b"]) in first
    assert tokens(row["tokens_t"]) in first
    ends = (amount(row["tokens_per_param_lower"]), amount(row["tokens_per_param_upper"]))
    message(first, "1e24", "90%", ends[0], ends[1])
    quick = lv.plan_compute(curved_fit, 1e22, target="general", level=None)
    assert "interval" not in quick.words[0]


def test_a_ratio_that_cannot_depend_on_the_budget_is_said_to_be_constant(
    curved_fit: lv.Fit, sloped_fit: lv.Fit, instructed_fit: lv.Fit, message: Message
) -> None:
    quick: dict[str, Any] = {"target": "general", "family": "qwen2", "level": None}
    message(words(curved_fit, **quick))
    message(words(sloped_fit, **quick))
    message(words(instructed_fit, **quick))
    message(words(curved_fit, 1e22, **quick))
    message(words(curved_fit, **quick | {"target": {"mmlu": 1, "arc": 1}}))
    ratio = lv.Limits(min_tokens_per_param=20.0, max_tokens_per_param=20.0)
    message(words(curved_fit, limits=ratio, **quick))


def test_an_interval_that_ends_where_the_bracket_does_is_said_to_be_open(
    curved_fit: lv.Fit, message: Message
) -> None:
    wide = lv.plan_compute(curved_fit, 1e24, target="general", level=0.99)
    assert wide.table["tokens_per_param_upper"][0] == pytest.approx(1e7)
    message(wide.words[0])
    narrow = lv.plan_compute(curved_fit, 1e24, target="general", level=0.2)
    assert narrow.table["tokens_per_param_upper"][0] < 1e6
    message(narrow.words[0])


def test_a_point_that_limits_hold_has_no_interval_to_boast_of(
    curved_fit: lv.Fit, message: Message
) -> None:
    fixed = lv.Limits(min_params_b=7.0, max_params_b=7.0)
    text = words(curved_fit, target="instruction", limits=fixed)
    message(text, "min_params_b", "max_params_b")


def test_a_limit_that_binds_is_named(curved_fit: lv.Fit, message: Message) -> None:
    limits = lv.Limits(max_tokens_t=1.0)
    text = words(curved_fit, target="general", limits=limits, level=None)
    message(text, "max_tokens_t")


@pytest.mark.parametrize("level", [None, 0.95])
def test_an_end_of_the_bracket_is_no_recommendation(
    curved_fit: lv.Fit, level: float | None, message: Message
) -> None:
    text = words(curved_fit, target="instruction", level=level)
    message(text)
    if level is None:
        message(text)
    else:
        message(text)


def test_whether_the_bend_is_told_from_zero_is_said(
    curved_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    from lvkit.planning.optimum import Aim

    plan = lv.plan_compute(curved_fit, BUDGETS, target="instruction")
    for ends, said in (((0.2, 0.9), " is told apart"), ((-0.1, 0.9), "is not told apart")):
        monkeypatch.setattr(Aim, "bend_interval", lambda aim, level, ends=ends: ends)
        assert said in " ".join(replace(plan).words)
    message(" ".join(replace(plan).words))


def test_without_an_interaction_the_target_is_a_straight_line(
    small_fit: lv.Fit, message: Message
) -> None:
    text = words(small_fit, target="general")
    message(text)


def test_a_best_point_that_is_hardly_determined_is_said_to_be(
    curved_fit: lv.Fit, message: Message
) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general")
    assert (plan.table["corner"] == "").all()
    doubtful = replace(plan, table=plan.table.assign(interior=0.6))
    message(" ".join(doubtful.words), "40%")
    lower = plan.table["tokens_per_param_upper"] / 500.0
    wide = replace(plan, table=plan.table.assign(interior=1.0, tokens_per_param_lower=lower))
    message(" ".join(wide.words), "500")


def test_a_budget_that_limits_keep_from_being_spent_is_told(
    curved_fit: lv.Fit, message: Message
) -> None:
    limits = lv.Limits(max_params_b=7.0, max_tokens_t=2.0)
    text = words(curved_fit, [1e21, 1e25], target="general", limits=limits, level=None)
    message(text, "1e25")


def test_where_more_would_lower_the_target_is_told(curved_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", level=None)
    falling = replace(plan, table=plan.table.assign(falls=[True, False]))
    message(" ".join(falling.words), "1e22")
    message(" ".join(plan.words))


def test_how_far_a_plan_leaves_the_data_is_told(curved_fit: lv.Fit, message: Message) -> None:
    table = {"extrapolates": [False, True], "distance": [0.0, 1.0]}
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", level=None)
    text = " ".join(replace(plan, table=plan.table.assign(**table)).words)
    message(text, "1e24", "10")


def test_many_budgets_are_told_by_their_ends(curved_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(curved_fit, [1e20, 1e21, 1e22, 1e23, 1e24], target="general", level=None)
    some = replace(plan, table=plan.table.assign(falls=[True, True, True, True, False]))
    message(" ".join(some.words), "4", "1e20", "1e23")


def test_names_reach_a_page_escaped(message: Message) -> None:
    table = pd.DataFrame({"family": ["<script>alert(1)</script>"], "value": [1.0]})
    page = as_html(["For <script> & more."], table)
    assert "<script>" not in page
    message(page)


def test_a_family_with_a_dangerous_name_is_shown_harmlessly(
    curved_fit: lv.Fit, message: Message
) -> None:
    plan = lv.plan_compute(curved_fit, 1e22, target="general", level=None)
    name = "<script>alert(1)</script>"
    fit: Any = SimpleNamespace(
        families=(name,), model=curved_fit.model, panel=curved_fit.panel,
        prepared=curved_fit.prepared, n_families=1, unidentified=(),
    )  # fmt: skip
    page = replace(plan, aim=replace(plan.aim, fit=fit, family=name))._repr_html_()
    assert "<script>" not in page
    message(page)
    assert "<table" in page
