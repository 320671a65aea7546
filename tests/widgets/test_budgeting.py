from __future__ import annotations

import numpy as np
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.constraints import Limits
from lvkit.planning.family_curves import AVERAGE
from lvkit.widgets import budgeting
from lvkit.widgets.budgeting import MIXES, limits_of, target_of


def test_blank_limits_are_none() -> None:
    assert limits_of({"max_params_b": " ", "max_tokens_t": "2.5"}) == Limits(max_tokens_t=2.5)


def test_a_limit_that_is_no_number_is_refused(message: Message) -> None:
    with refused() as error:
        limits_of({"max_params_b": "seven"})
    message(error, "seven")


def test_budgets_go_from_a_hundredth_to_the_one_asked_for() -> None:
    assert budgeting.budgets_up_to(1e24)[[0, -1]].tolist() == pytest.approx([1e22, 1e24])


def test_the_slider_reaches_the_budget_it_begins_with(small_fit: lv.Fit) -> None:
    paid = budgeting.costs(small_fit)
    assert budgeting.budget_slider(small_fit, 1e40).max == pytest.approx(40.0)
    slider = budgeting.budget_slider(small_fit, float(paid.median()))
    assert 10.0**slider.min == pytest.approx(paid.min())
    assert 10.0**slider.max == pytest.approx(1_000.0 * paid.max())


def test_fitted_models_cost_six_operations_for_each_parameter_and_token(small_fit: lv.Fit) -> None:
    models = small_fit.panel.models.loc[list(small_fit.prepared.models)]
    expected = 6.0 * models["params_b"] * 1e9 * models["tokens_t"] * 1e12
    np.testing.assert_allclose(budgeting.costs(small_fit), expected)


def test_menus_hold_all_that_can_be_aimed_at_and_all_families(small_fit: lv.Fit) -> None:
    targets = [value for _, value in budgeting.target_menu(small_fit, "skill:general").options]
    assert targets == [
        *(f"skill:{name}" for name in small_fit.skills),
        *(f"benchmark:{name}" for name in small_fit.benchmarks),
        *MIXES.values(),
    ]
    assert list(budgeting.weight_boxes(small_fit)) == targets[:-2]
    families = [value for _, value in budgeting.family_menu(small_fit, "").options]
    assert families == ["", AVERAGE, *small_fit.families]


def test_a_mix_of_weights_that_are_all_zero_is_handed_on_to_be_refused() -> None:
    weights = {"skill:a": 0.0, "skill:b": 0.0, "benchmark:c": 1.0}
    assert target_of(MIXES["skill"], weights) == {"skill:a": 0.0, "skill:b": 0.0}


def test_size_and_tokens_have_no_control_of_their_own(small_fit: lv.Fit) -> None:
    assert budgeting.other_columns(small_fit) == []
