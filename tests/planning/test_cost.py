from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lvkit as lv
from lvkit.planning.cost import Cost, log_ratio

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
    ("changes", "name", "expected"),
    [
        ({"flops_per_param_token": 0.0}, "flops_per_param_token", "above 0"),
        ({"flops_per_param_token": "six"}, "flops_per_param_token", "above 0"),
        ({"serving_tokens_t": -1.0}, "serving_tokens_t", "0 or more"),
        ({"serving_tokens_t": None}, "serving_tokens_t", "0 or more"),
        ({"serving_flops_per_param_token": np.nan}, "serving_flops_per_param_token", "0 or more"),
        ({"serving_tokens_t": np.inf}, "serving_tokens_t", "0 or more"),
        ({"serving_tokens_t": True}, "serving_tokens_t", "0 or more"),
    ],
)
def test_costs_that_are_none_are_refused(changes: dict[str, Any], name: str, expected: str) -> None:
    with pytest.raises(lv.LvkitError) as refused:
        Cost(**changes)
    (problem,) = refused.value.problems
    assert problem.where == f"Cost, {name}"
    assert repr(changes[name]) in problem.seen
    assert expected in problem.expected
