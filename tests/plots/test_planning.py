from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from golden import Message
from matplotlib.figure import Figure
from pictures import texts

import lvkit as lv
from lvkit.planning.constraints import Cost, Limits
from lvkit.planning.plan import Plan, plan_compute
from lvkit.plots.drawing import picture
from lvkit.plots.plan_results import plot_plan_value
from lvkit.plots.planning import plan_view, plot_plan, plot_plan_ground, plot_plan_path

BUDGETS = [1e21, 1e22, 1e23]
TIGHT = Limits(min_params_b=2, max_params_b=50, min_tokens_t=0.05, max_tokens_t=9,
               min_tokens_per_param=4, max_tokens_per_param=900)  # fmt: skip


@pytest.fixture(scope="module")
def fit(complete: lv.Panel) -> lv.Fit:
    return lv.LatentSkillModel(anchors={"maths": "gsm8k", "sense": "hellaswag"}).fit(complete)


@pytest.fixture(scope="module")
def plan(fit: lv.Fit) -> Plan:
    return plan_compute(fit, BUDGETS, target="maths")


def line(ax: Any, label: str) -> Any:
    return next(each for each in ax.lines if each.get_label() == label)


def labels(ax: Any) -> set[str]:
    return {text.get_text() for text in ax.get_legend().get_texts()}


@pytest.mark.parametrize("plot", [plot_plan, plot_plan_value])
def test_a_plan_is_drawn_on_the_users_axes_whose_labels_stay(
    plan: Plan, plot: Callable[..., Any]
) -> None:
    mine = Figure().add_subplot(xlabel="mine")
    assert plot(plan, ax=mine) is mine
    assert mine.get_xlabel() == "mine"
    assert mine.get_ylabel()
    picture(mine, "A plan.")
    assert plt.get_fignums() == []


def test_the_best_points_are_joined_and_dotted(plan: Plan) -> None:
    ax = plot_plan(plan)
    for name in ("_path", "best"):
        np.testing.assert_allclose(line(ax, name).get_xdata(), plan.table["params_b"])
        np.testing.assert_allclose(line(ax, name).get_ydata(), plan.table["tokens_t"])
    assert "corner" not in labels(ax)


@pytest.mark.parametrize("cost", [Cost(), Cost(serving_tokens_t=1.0)])
def test_each_budget_has_a_line_of_points_that_cost_it(fit: lv.Fit, cost: Cost) -> None:
    plan = plan_compute(fit, BUDGETS, target="maths", level=None, cost=cost)
    ax = plot_plan(plan)
    lines = [each for each in ax.lines if each.get_label() in ("budget (FLOPs)", "_budget")]
    assert len(lines) == 3
    for budget, each in zip(BUDGETS, lines, strict=True):
        cost_of = cost.flops(np.log10(each.get_xdata()), np.log10(each.get_ydata()))
        np.testing.assert_allclose(cost_of, budget)
    assert {"1e21", "1e22", "1e23"} <= set(texts(ax))


def test_the_band_reaches_the_ends_of_the_intervals_along_each_budget(plan: Plan) -> None:
    band = plot_plan(plan).patches[-1].get_xy()
    table = plan.table
    for end, other in (("lower", "upper"), ("upper", "lower")):
        for size, tokens in zip(table[f"params_b_{end}"], table[f"tokens_t_{other}"], strict=True):
            assert np.abs(np.log10(band) - np.log10([size, tokens])).max(axis=1).min() < 1e-6


def test_one_budget_has_its_interval_along_its_line(fit: lv.Fit) -> None:
    plan = plan_compute(fit, 1e22, target="gsm8k", level=0.8)
    drawn = line(plot_plan(plan), "its 80% interval")
    ends = plan.table[["params_b_lower", "params_b_upper"]].to_numpy()[0]
    np.testing.assert_allclose(drawn.get_xdata()[[0, -1]], ends)


def test_without_intervals_there_is_no_band(fit: lv.Fit) -> None:
    plan = plan_compute(fit, BUDGETS, target="maths", level=None)
    assert not any("interval" in text for text in labels(plot_plan(plan)))
    assert not any("interval" in text for text in labels(plot_plan_value(plan)))


def test_contours_are_values_of_the_target(plan: Plan) -> None:
    ax = plot_plan(plan)
    contours = ax.collections[1]
    segments = [each for each in contours.get_paths() if len(each.vertices)]
    level = contours.levels[len(contours.levels) // 2]
    path = contours.get_paths()[len(contours.levels) // 2]
    inner = path.vertices[len(path.vertices) // 2]
    assert segments
    step = np.diff(contours.levels)[0]
    assert abs(float(plan.surface(*inner)) - level) < 0.1 * step


def test_fitted_models_and_their_region_are_drawn(plan: Plan) -> None:
    ax = plot_plan(plan)
    models = plan.fit.panel.models.loc[list(plan.fit.prepared.models)]
    points = line(ax, "fitted models")
    np.testing.assert_array_equal(points.get_xdata(), models["params_b"])
    np.testing.assert_array_equal(points.get_ydata(), models["tokens_t"])
    region = line(ax, "_region")
    assert region.get_xdata().max() == pytest.approx(models["params_b"].max())
    assert region.get_ydata()[0] == region.get_ydata()[-1]


def test_what_limits_exclude_is_hatched_and_named_once(fit: lv.Fit, message: Message) -> None:
    plan = plan_compute(fit, BUDGETS, target="maths", limits=TIGHT, level=None)
    ax = plot_plan(plan)
    message(sorted(labels(ax)))
    hatched = [each for each in (*ax.collections, *ax.patches) if each.get_hatch()]
    assert len(hatched) == 6
    assert sum(each.get_label() == "excluded by limits" for each in hatched) == 1


def test_a_point_on_a_bound_is_a_cross_and_one_inside_a_dot(fit: lv.Fit) -> None:
    plan = plan_compute(fit, BUDGETS, target="maths", limits=TIGHT, level=None)
    on_bound = plan.table["corner"] != ""
    assert on_bound.tolist() == [True, True, False]
    ax = plot_plan(plan)
    np.testing.assert_allclose(line(ax, "corner").get_xdata(), plan.table["params_b"][on_bound])
    np.testing.assert_allclose(line(ax, "best").get_xdata(), plan.table["params_b"][~on_bound])


def test_all_that_is_planned_is_in_view(fit: lv.Fit) -> None:
    far = plan_compute(fit, [1e26], target="maths", level=None)
    ax = plot_plan(far)
    assert ax.get_xlim()[0] < far.table["params_b"][0] < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < far.table["tokens_t"][0] < ax.get_ylim()[1]


def test_the_layers_of_the_map_are_the_map(plan: Plan) -> None:
    layers = plot_plan_path(plan, ax=plot_plan_ground(plan))
    assert picture(layers, "x").png == picture(plot_plan(plan), "x").png


def test_the_ground_knows_nothing_of_budgets(fit: lv.Fit) -> None:
    view = ((0.1, 300.0), (0.01, 30.0))
    plans = [plan_compute(fit, budget, target="maths", level=None) for budget in (1e21, 1e23)]
    images = {picture(plot_plan_ground(each, view=view), "x").png for each in plans}
    assert len(images) == 1


def test_a_view_in_steps_holds_the_plans_own_and_is_shared(fit: lv.Fit) -> None:
    plans = [plan_compute(fit, b, target="maths", level=None) for b in (1.00e23, 1.02e23)]
    exact, steps = plan_view(plans[0]), plan_view(plans[0], step=0.25)
    for (low, high), (least, most) in zip(exact, steps, strict=True):
        assert low / 10.0**0.25 < least <= low < high <= most < high * 10.0**0.25
    assert plan_view(plans[1], step=0.25) == steps
    assert plot_plan_ground(plans[0], view=steps).get_xlim() == pytest.approx(steps[0])


def test_of_many_budgets_six_have_a_line(fit: lv.Fit) -> None:
    plan = plan_compute(fit, np.geomspace(1e20, 1e24, 100), target="maths", level=None)
    ax = plot_plan(plan)
    lines = [each for each in ax.lines if each.get_label() in ("budget (FLOPs)", "_budget")]
    assert len(lines) == 6
    assert {"1e20", "1e24"} <= set(texts(ax))


def test_values_are_drawn_against_budgets_with_their_interval(plan: Plan, message: Message) -> None:
    ax = plot_plan_value(plan)
    np.testing.assert_array_equal(line(ax, "_line").get_xdata(), BUDGETS)
    np.testing.assert_array_equal(line(ax, "_line").get_ydata(), plan.table["value"])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == plan.table["lower"].min()
    assert band.max() == plan.table["upper"].max()
    assert ax.xaxis.get_major_formatter()(3e22) == "3e22"
    message(ax.get_ylabel())


def test_plans_outside_the_fitted_models_are_open_dots(fit: lv.Fit) -> None:
    plan = plan_compute(fit, [1e22, 1e26], target="mmlu")
    assert plan.table["extrapolates"].tolist() == [False, True]
    ax = plot_plan_value(plan)
    assert line(ax, "expected").get_xdata().tolist() == [1e22]
    outside = line(ax, "expected, outside the fitted models")
    assert outside.get_xdata().tolist() == [1e26]
    assert outside.get_markerfacecolor() == "white"


def test_the_value_of_one_budget_is_a_dot_on_its_interval(fit: lv.Fit) -> None:
    plan = plan_compute(fit, 1e22, target="mmlu")
    ends = plot_plan_value(plan).collections[0].get_segments()[0][:, 1]
    np.testing.assert_array_equal(ends, plan.table[["lower", "upper"]].to_numpy()[0])


def test_no_text_is_unreadably_small_or_cut_off(plan: Plan) -> None:
    for ax in (plot_plan(plan), plot_plan_value(plan)):
        sizes = [text.get_fontsize() for text in ax.figure.findobj(plt.Text) if text.get_text()]
        assert min(sizes) >= 7
        assert max(len(text) for text in texts(ax)) < 90
