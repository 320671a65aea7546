from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden import Message, refused
from hypothesis import given, settings
from hypothesis import strategies as st

import lvkit as lv
from lvkit.planning.constraints import BRACKET, Cost, Limits, Span, log_ratio

NAMES = ("params_b", "tokens_t", "tokens_per_param")


def maybe(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.one_of(st.none(), st.floats(low, high))


limits_given = st.fixed_dictionaries(
    {
        "min_params_b": maybe(0.1, 10.0),
        "max_params_b": maybe(1.0, 1000.0),
        "min_tokens_t": maybe(0.01, 1.0),
        "max_tokens_t": maybe(0.1, 100.0),
        "min_tokens_per_param": maybe(1.0, 100.0),
        "max_tokens_per_param": maybe(20.0, 5000.0),
    }
)


def within(limits: Limits, size: Any, tokens: Any, slack: float = 1e-7) -> Any:
    """Whether points are allowed, straight from the limits' names."""
    fewest = limits.min_tokens_per_param or BRACKET[0]
    most = limits.max_tokens_per_param or BRACKET[1]
    ratio = 1000.0 * tokens / size
    return (
        (size >= (limits.min_params_b or 0.0) * (1.0 - slack))
        & (size <= (limits.max_params_b or np.inf) * (1.0 + slack))
        & (tokens >= (limits.min_tokens_t or 0.0) * (1.0 - slack))
        & (tokens <= (limits.max_tokens_t or np.inf) * (1.0 + slack))
        & (ratio >= fewest * (1.0 - slack))
        & (ratio <= most * (1.0 + slack))
    )


@settings(max_examples=40)
@given(
    chosen=limits_given,
    power=st.floats(18.0, 26.0),
    served=st.sampled_from([0.0, 2.0]),
)
def test_a_span_holds_just_the_allowed_sizes(
    chosen: dict[str, Any], power: float, served: float
) -> None:
    cost, budget = Cost(serving_tokens_t=served), 10.0**power
    size = np.geomspace(1e-4, 1e8, 1_001)
    tokens = 10.0 ** cost.log_tokens(np.log10(size), budget)
    try:
        limits = Limits(**chosen)
        span = Span.of(np.array([budget]), limits, cost)
    except lv.LvkitError:
        one = dict.fromkeys(chosen) | chosen
        free = object.__new__(Limits)
        for name, value in one.items():
            object.__setattr__(free, name, value)
        assert not within(free, size, tokens, -1e-7).any()
        return
    if span.spent[0] < budget:
        assert not within(limits, size, tokens, -1e-7).any()
        tokens = 10.0 ** span.tokens(np.log10(size)[:, None])[:, 0]
    inside = (np.log10(size) >= span.low) & (np.log10(size) <= span.high)
    loose = (np.log10(size) >= span.low - 1e-6) & (np.log10(size) <= span.high + 1e-6)
    assert within(limits, size[inside], tokens[inside]).all()
    assert not within(limits, size[~loose], tokens[~loose], -1e-7).any()


@settings(max_examples=40)
@given(chosen=limits_given, power=st.floats(18.0, 26.0))
def test_the_ends_of_a_span_are_allowed_and_some_limit_binds_there(
    chosen: dict[str, Any], power: float
) -> None:
    try:
        limits = Limits(**chosen)
        span = Span.of(np.array([10.0**power]), limits, Cost())
    except lv.LvkitError:
        return
    for end in (span.low, span.high):
        t = span.tokens(end)
        assert within(limits, 10.0 ** end[0], 10.0 ** t[0])
        assert limits.binding(float(end[0]), float(t[0])) != ""
        assert Cost().flops(end, t) == pytest.approx(span.spent, rel=1e-9)


@pytest.mark.parametrize(
    ("chosen", "most"),
    [
        ({"max_params_b": 7.0, "max_tokens_t": 2.0}, 6.0 * 7e9 * 2e12),
        ({"max_params_b": 7.0, "max_tokens_per_param": 20.0}, 6.0 * 7e9 * 20 * 7e9),
        ({"max_tokens_t": 2.0, "min_tokens_per_param": 100.0}, 6.0 * 2e12 * 2e10),
    ],
)
def test_limits_keep_a_part_of_a_large_budget(chosen: dict[str, float], most: float) -> None:
    span = Span.of(np.array([1e20, 1e27]), Limits(**chosen), Cost())
    assert span.spent.tolist() == [1e20, pytest.approx(most, rel=1e-9)]


def test_a_fixed_size_leaves_one_point(message: Message) -> None:
    span = Span.of(np.array([1e22]), Limits(min_params_b=7.0, max_params_b=7.0), Cost())
    assert 10.0**span.low == pytest.approx(7.0)
    assert span.low == span.high
    message(
        Limits(min_params_b=7.0, max_params_b=7.0).binding(float(span.low[0]), 0.0),
        "min_params_b",
        "max_params_b",
    )


def test_without_limits_the_bracket_is_named(message: Message) -> None:
    span = Span.of(np.array([1e22]), Limits(), Cost())
    ratios = [10.0 ** log_ratio(end, span.tokens(end))[0] for end in (span.high, span.low)]
    assert ratios == [pytest.approx(BRACKET[0]), pytest.approx(BRACKET[1])]
    few, many = (
        Limits().binding(float(end[0]), float(span.tokens(end)[0])) for end in (span.high, span.low)
    )
    message(few)
    message(many)


@pytest.mark.parametrize("name", [f"{end}_{part}" for part in NAMES for end in ("min", "max")])
def test_each_limit_is_named_where_it_binds(name: str) -> None:
    at = {"params_b": 7.0, "tokens_t": 2.0, "tokens_per_param": 2000.0 / 7.0}[name[4:]]
    limits = Limits(**{name: at})
    assert limits.binding(np.log10(7.0), np.log10(2.0)) == name
    assert limits.binding(np.log10(7.1), np.log10(2.1)) == ""


def test_rows_of_a_span_are_the_spans_of_those_budgets() -> None:
    budgets = np.array([1e20, 1e22, 1e24])
    limits = Limits(max_tokens_t=0.5)
    some, alone = (
        Span.of(budgets, limits, Cost()).rows([2, 0]),
        Span.of(budgets[[2, 0]], limits, Cost()),
    )
    for name in ("budget", "spent", "low", "high"):
        np.testing.assert_array_equal(getattr(some, name), getattr(alone, name))


@pytest.mark.parametrize("wrong", [0, -1.0, np.nan, np.inf, "7", True, [7.0]])
@pytest.mark.parametrize("name", ["min_params_b", "max_tokens_per_param"])
def test_limits_that_are_no_positive_numbers_are_refused(
    name: str, wrong: Any, message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        Limits(**{name: wrong})
    (problem,) = error.value.problems
    assert problem.where == f"Limits, {name}"
    assert repr(wrong) in problem.seen
    message(problem)


@pytest.mark.parametrize(
    ("chosen", "quoted"),
    [
        ({"min_params_b": 8, "max_params_b": 7}, ["min_params_b=8", "max_params_b=7"]),
        ({"min_tokens_t": 2.0, "max_tokens_t": 1}, ["min_tokens_t=2", "max_tokens_t=1"]),
        (
            {"min_tokens_per_param": 30, "max_tokens_per_param": 20},
            ["min_tokens_per_param=30", "max_tokens_per_param=20"],
        ),
        (
            {"min_params_b": 70, "max_tokens_t": 1.0, "min_tokens_per_param": 20},
            ["70 billion", "20", "1.4 trillion", "max_tokens_t=1"],
        ),
        (
            {"max_params_b": 1.0, "min_tokens_t": 10.0, "max_tokens_per_param": 100},
            ["10 trillion", "100", "100 billion", "max_params_b=1"],
        ),
        ({"min_tokens_per_param": 100000000.0}, ["min_tokens_per_param=1e+08", "1e+07"]),
        ({"max_tokens_per_param": 0.0001}, ["max_tokens_per_param=0.0001", "0.001"]),
    ],
)
def test_limits_that_exclude_each_other_are_refused(
    chosen: dict[str, float], quoted: list[str], message: Message
) -> None:
    with refused("Limits") as error:
        Limits(**chosen)
    message(error, *quoted)


def test_a_budget_that_buys_nothing_allowed_is_refused_with_the_least_that_does() -> None:
    limits = Limits(min_params_b=70.0, min_tokens_t=1.0)
    with pytest.raises(lv.LvkitError) as error:
        Span.of(np.array([1e24, 1e22]), limits, Cost())
    (problem,) = error.value.problems
    assert problem.where == "budgets, number 2"
    assert "1e+22" in problem.seen
    assert "4.2e+23" in problem.expected
    assert problem.remedy != ""


# -- costs ----------------------------------------------------------------------------------------


costs = st.builds(
    Cost,
    flops_per_param_token=st.floats(0.5, 20.0),
    serving_tokens_t=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    serving_flops_per_param_token=st.sampled_from([0.0, 1.0, 2.0]),
)
powers = st.floats(18.0, 27.0)


@pytest.mark.parametrize("served", [0.0, 3.0])
def test_a_model_costs_its_training_and_its_serving(served: float) -> None:
    cost = Cost(flops_per_param_token=5.0, serving_tokens_t=served)
    expected = 7e9 * (5.0 * 2e12 + 2.0 * served * 1e12)
    assert cost.flops(np.log10(7.0), np.log10(2.0)) == pytest.approx(expected, rel=1e-12)
    assert cost.serves == (served > 0.0)


def test_serving_for_nothing_is_no_part_of_the_budget() -> None:
    assert not Cost(serving_tokens_t=10.0, serving_flops_per_param_token=0.0).serves


@settings(max_examples=40)
@given(cost=costs, power=powers, s=st.floats(-3.0, 4.0))
def test_tokens_at_a_size_spend_the_budget(cost: Cost, power: float, s: float) -> None:
    t = cost.log_tokens(s, 10.0**power)
    if np.isfinite(t):
        assert cost.flops(s, t) == pytest.approx(10.0**power, rel=1e-9)
    else:
        assert cost.flops(s, -np.inf) >= 10.0**power * (1.0 - 1e-9)


@settings(max_examples=40)
@given(cost=costs, power=powers, t=st.floats(-6.0, 3.0))
def test_the_size_at_tokens_spends_the_budget(cost: Cost, power: float, t: float) -> None:
    s = cost.log_size(t, 10.0**power)
    assert cost.flops(s, t) == pytest.approx(10.0**power, rel=1e-9)


@settings(max_examples=40)
@given(cost=costs, power=powers, ratio=st.floats(1e-3, 1e7))
def test_the_size_at_tokens_per_parameter_spends_the_budget(
    cost: Cost, power: float, ratio: float
) -> None:
    s = float(cost.log_size_at_ratio(ratio, 10.0**power))
    t = s + np.log10(ratio) - 3.0
    assert 10.0 ** log_ratio(s, t) == pytest.approx(ratio, rel=1e-9)
    assert cost.flops(s, t) == pytest.approx(10.0**power, rel=1e-9)


def test_where_serving_takes_the_whole_budget_no_tokens_are_left() -> None:
    cost = Cost(serving_tokens_t=1.0)
    assert cost.log_tokens(np.array([2.0, 3.0]), 2e24).tolist() == [
        pytest.approx(np.log10(2e24 / 1e11 - 2e12) - np.log10(6.0) - 12.0),
        -np.inf,
    ]


def test_costs_broadcast() -> None:
    assert Cost().flops(np.zeros((4, 1)), np.zeros(3)).shape == (4, 3)
    assert Cost().log_tokens(np.zeros((4, 1)), np.full(3, 1e22)).shape == (4, 3)


@pytest.mark.parametrize(
    ("changes", "name", "quoted"),
    [
        ({"flops_per_param_token": 0.0}, "flops_per_param_token", ["0"]),
        ({"flops_per_param_token": "six"}, "flops_per_param_token", ["0"]),
        ({"serving_tokens_t": -1.0}, "serving_tokens_t", ["0"]),
        ({"serving_tokens_t": None}, "serving_tokens_t", ["0"]),
        ({"serving_flops_per_param_token": np.nan}, "serving_flops_per_param_token", ["0"]),
        ({"serving_tokens_t": np.inf}, "serving_tokens_t", ["0"]),
        ({"serving_tokens_t": True}, "serving_tokens_t", ["0"]),
    ],
)
def test_costs_that_are_none_are_refused(
    changes: dict[str, Any], name: str, quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        Cost(**changes)
    (problem,) = error.value.problems
    assert problem.where == f"Cost, {name}"
    assert repr(changes[name]) in problem.seen
    message(problem, *quoted)
