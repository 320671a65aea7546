from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.plan import plan_compute
from lvkit.widgets import plan_budget
from lvkit.widgets.budgeting import budgets_up_to
from lvkit.widgets.planning import BudgetPlanner


@pytest.fixture(scope="module")
def fit(small_panel: lv.Panel) -> lv.Fit:
    anchors = {"general": "mmlu", "instruction": "ifeval"}
    return lv.LatentSkillModel(anchors=anchors).fit(small_panel)


@pytest.fixture
def widget(fit: lv.Fit) -> BudgetPlanner:
    return plan_budget(fit, budget=1e23, intervals=False, raise_on_exception=True)


def test_the_plan_is_the_librarys(fit: lv.Fit) -> None:
    widget = plan_budget(fit, budget=1e23, target="mmlu", family=fit.families[0], level=0.9)
    budgets = budgets_up_to(1e23)
    expected = plan_compute(fit, budgets, target="mmlu", family=fit.families[0], level=0.9)
    pd.testing.assert_frame_equal(widget.plan.table, expected.table)
    assert widget.words.text == "\n".join(expected.words)
    assert widget.table.frame is widget.plan.table
    assert f" ({expected.table['params_b_lower'].iloc[-1]:.3g} to " in widget.table.value


def test_the_asked_budget_is_the_last_of_the_plan(widget: BudgetPlanner) -> None:
    assert widget.plan.table["budget"].iloc[[0, -1]].tolist() == pytest.approx([1e21, 1e23])
    widget.budget.value = 1e22
    assert widget.plan.table["budget"].iloc[-1] == pytest.approx(1e22)


def test_a_move_changes_picture_words_and_table(widget: BudgetPlanner, message: Message) -> None:
    def seen() -> tuple[object, ...]:
        return widget.picture.png, widget.picture.alt, widget.words.text, widget.table.csv

    before = seen()
    widget.budget.value = 3e22
    assert all(old != new for old, new in zip(before, seen(), strict=True))
    message(widget.picture.alt, "3e22")


def test_intervals_come_when_they_are_ticked(widget: BudgetPlanner) -> None:
    assert widget.plan.level is None
    before = widget.picture.png
    widget.intervals.value = True
    assert widget.plan.level == 0.95
    assert widget.picture.png != before
    widget.level.value = 0.5
    assert widget.plan.level == 0.5


def test_another_familys_best_points_come_first_and_its_intervals_right_after(
    widget: BudgetPlanner,
) -> None:
    levels: list[object] = []
    widget.intervals.value = True
    widget.picture.observe(lambda _: levels.append(widget.plan.level), "value")
    one, other = widget.fit.families[:2]
    widget.family.value = one
    assert levels == [None, 0.95]
    widget.budget.value = 3e22
    assert levels[2:] == [0.95]
    widget.family.value = other
    widget.family.value = one
    assert levels[3:] == [None, 0.95, 0.95]


def test_a_mix_shows_weights_and_heeds_them(widget: BudgetPlanner) -> None:
    def shown() -> list[str]:
        boxes = widget.weights.items()
        return [name for name, box in boxes if box.layout.display != "none"]

    assert widget._mixing.layout.display == "none"
    widget.target.value = dict(widget.target.options)["a mix of benchmarks"]
    assert widget._mixing.layout.display == "flex"
    assert shown() == [f"benchmark:{name}" for name in widget.fit.benchmarks]
    for name, box in widget.weights.items():
        with widget.quiet():
            box.value = float(name in ("benchmark:mmlu", "benchmark:arc"))
    widget.weights["benchmark:arc"].value = 3.0
    assert dict(zip(widget.plan.target.names, widget.plan.target.weights, strict=True)) == {
        "arc": 0.75, "mmlu": 0.25,
    }  # fmt: skip


def test_weights_of_zero_are_told_and_the_widget_goes_on(fit: lv.Fit, message: Message) -> None:
    widget = plan_budget(fit, intervals=False)
    widget.target.value = dict(widget.target.options)["a mix of skills"]
    plan = widget.plan
    with widget.quiet():
        widget.weights["skill:general"].value = 0.0
    widget.weights["skill:instruction"].value = 0.0
    message(widget.notice.text)
    assert widget.plan is plan
    widget.weights["skill:general"].value = 1.0
    assert widget.notice.text == ""
    assert widget.plan is not plan


def test_a_limit_binds_and_is_named(widget: BudgetPlanner) -> None:
    best = widget.plan.table["params_b"].iloc[-1]
    widget.limits["max_params_b"].value = f"{best / 2:.6g}"
    assert widget.plan.table["params_b"].iloc[-1] == pytest.approx(best / 2, rel=1e-4)
    assert widget.plan.table["corner"].iloc[-1] == "max_params_b"
    assert "max_params_b" in widget.words.text
    assert "max_params_b</td>" in widget.table.value
    assert ">corner</th>" in widget.table.value
    widget.limits["max_params_b"].value = ""
    assert ">corner</th>" not in widget.table.value


def test_limits_that_are_none_or_exclude_each_other_are_told(fit: lv.Fit, message: Message) -> None:
    widget = plan_budget(fit, intervals=False)
    widget.limits["max_params_b"].value = "seven"
    message(widget.notice.text, "seven")
    widget.limits["max_params_b"].value = ""
    widget.limits["min_tokens_per_param"].value = "100"
    widget.limits["max_tokens_per_param"].value = "20"
    message(widget.notice.text)
    widget.limits["max_tokens_per_param"].value = "200"
    assert widget.notice.text == ""


def test_serving_costs_make_the_model_smaller(widget: BudgetPlanner) -> None:
    before = widget.plan.table.iloc[-1]
    widget.serving.value = 20.0
    after = widget.plan.table.iloc[-1]
    assert after["params_b"] < before["params_b"]
    assert widget.plan.aim.cost.serving_tokens_t == 20.0


def test_the_other_view_shows_what_budgets_reach(widget: BudgetPlanner, message: Message) -> None:
    plan, before = widget.plan, widget.picture.png
    widget.view.value = "value"
    assert widget.plan is plan
    assert widget.picture.png != before
    message(widget.picture.alt)


def test_a_fit_that_did_not_converge_plans_without_intervals(fit: lv.Fit, message: Message) -> None:
    odd = replace(fit, converged=False, message="too few steps")
    widget = plan_budget(odd)
    message(widget.notice.text)
    assert widget.plan.level is None
    widget.intervals.value = False
    assert widget.notice.text == ""


def test_errors_are_raised_through_on_demand(widget: BudgetPlanner, message: Message) -> None:
    with refused() as error:
        widget.limits["max_tokens_t"].value = "-3"
    message(error)


def test_attributes_follow_the_family(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(families=leaderboard.families[:25], benchmarks=["mmlu", "arc", "bbh"])
    model = lv.LatentSkillModel(n_skills=1, features="log_params + log_tokens + instruct")
    fit = model.fit(some)
    widget = plan_budget(fit, intervals=False, raise_on_exception=True)
    chats = set(fit.panel.models.query("instruct")["family"])
    widget.family.value = next(name for name in fit.families if name in chats)
    assert widget.attributes["instruct"].value is True
    assert widget.plan.models["instruct"].tolist() == [True] * 5


def test_a_fit_without_tokens_is_refused(small_panel: lv.Panel, message: Message) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(small_panel)
    with refused("plan") as error:
        plan_budget(fit)
    message(error)


def test_every_control_is_described(widget: BudgetPlanner) -> None:
    boxes = [*widget.limits.values(), *widget.weights.values(), widget.serving]
    assert all(box.description and box.tooltip for box in [*widget.controls.children, *boxes])


def test_the_file_holds_every_column(widget: BudgetPlanner) -> None:
    assert widget.table.csv.splitlines()[0] == ",".join(widget.plan.table.columns)
    assert np.isclose(float(widget.table.csv.splitlines()[-1].split(",")[0]), 1e23)
