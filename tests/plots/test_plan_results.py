from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from golden import Message
from matplotlib.figure import Figure
from pictures import texts

import lvkit as lv
from lvkit.planning.evaluations import EvaluationPlan
from lvkit.plots import plot_plan_comparison
from lvkit.plots.drawing import picture
from lvkit.plots.plan_results import plot_evaluations

BUDGETS = [1e21, 1e22, 1e23]


@pytest.fixture(scope="module")
def fit(complete: lv.Panel) -> lv.Fit:
    return lv.LatentSkillModel(n_skills=1).fit(complete)


@pytest.fixture(scope="module")
def comparison(fit: lv.Fit) -> lv.PlanComparison:
    return lv.compare_plans(fit, BUDGETS, targets=["mmlu", "gsm8k"])


def line(ax: Any, label: str) -> Any:
    return next(each for each in ax.lines if each.get_label() == label)


def labels(ax: Any) -> set[str]:
    return {text.get_text() for text in ax.get_legend().get_texts()}


def test_a_comparison_is_drawn_on_the_users_axes_whose_labels_stay(
    comparison: lv.PlanComparison,
) -> None:
    mine = Figure().add_subplot(xlabel="mine")
    assert plot_plan_comparison(comparison, ax=mine) is mine
    assert (mine.get_xlabel(), mine.get_ylabel()) == ("mine", "target")
    picture(mine, "A comparison.")
    assert plt.get_fignums() == []


def test_budgets_with_one_best_ratio_are_one_dot_for_each_target(
    comparison: lv.PlanComparison,
) -> None:
    ax = plot_plan_comparison(comparison)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["MMLU", "GSM8K"]
    drawn = [x for each in ax.lines if each.get_label() in ("best", "corner")
             for x in each.get_xdata()]  # fmt: skip
    first = comparison.table[comparison.table["budget"] == 1e21]
    assert sorted(drawn) == pytest.approx(sorted(first["tokens_per_param"]))
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends, first[["tokens_per_param_lower", "tokens_per_param_upper"]])


def test_the_rule_of_twenty_is_drawn_beside(comparison: lv.PlanComparison) -> None:
    ax = plot_plan_comparison(comparison)
    assert list(line(ax, "rule of 20").get_xdata()) == [20.0, 20.0]
    assert "95% interval" in labels(ax)


def test_where_ratios_differ_their_budgets_are_written_and_families_named(fit: lv.Fit) -> None:
    limits = lv.Limits(max_tokens_t=0.1)
    found = lv.compare_plans(fit, BUDGETS, targets=["gsm8k"], families=["qwen2", None],
                          limits=limits, level=None)  # fmt: skip
    ax = plot_plan_comparison(found)
    assert {"1e21", "1e22", "1e23", "GSM8K of qwen2", "GSM8K of a new recipe"} <= set(texts(ax))
    assert not any("interval" in text for text in labels(ax))
    crosses = line(ax, "corner")
    assert (found.table["corner"] == "max_tokens_t").all()
    assert len(crosses.get_xdata()) == 2 * len(BUDGETS)


def test_a_skill_and_a_benchmark_of_one_name_have_a_row_each(fit: lv.Fit) -> None:
    (name,) = fit.anchors.values()
    fit = fit.reanchor({name: name})
    both = lv.compare_plans(fit, BUDGETS, targets=[f"skill:{name}", f"benchmark:{name}"])
    drawn = [text.get_text() for text in plot_plan_comparison(both).get_yticklabels()]
    assert drawn == [f"{name} (skill)", f"{name} (benchmark)"]


def test_an_interval_that_is_cut_has_an_arrowhead_at_that_end(
    fit: lv.Fit, message: Message
) -> None:
    found = lv.compare_plans(fit, [1e22], targets=["mmlu", "gsm8k"])
    first, second = found.plans
    low = first.aim.limits.tokens_per_param[0]
    inside = first.table.assign(tokens_per_param_lower=15.0, tokens_per_param_upper=30.0)
    cut = second.table.assign(tokens_per_param_lower=low, tokens_per_param_upper=30.0)
    ax = plot_plan_comparison(
        replace(found, plans=(replace(first, table=inside), replace(second, table=cut)))
    )
    (head,) = [each for each in ax.lines if each.get_marker() in "<>"]
    assert head.get_marker() == "<"
    assert (list(head.get_xdata()), list(head.get_ydata())) == ([low], [1.0])
    message(sorted(labels(ax)))
    whole = replace(found, plans=(replace(first, table=inside),) * 2)
    message(sorted(labels(plot_plan_comparison(whole))))


def made(costs: str = "items") -> EvaluationPlan:
    """A plan of three steps, with names that are hard to show."""
    names = ["mmlu", "cost_$5_or_$6", "_hidden"]
    before, after = np.array([1.0, 0.5, 0.4]), np.array([0.5, 0.4, 0.38])
    cost = np.array([1000.0, 500.0, 41.0]) if costs != "equal" else np.ones(3)
    table = pd.DataFrame({"benchmark": names, "cost": cost, "sd_before": before, "sd_after": after})
    table["reduction"] = before - after
    table["reduction_per_cost"] = table["reduction"] / cost
    first = table.assign(sd_before=1.0, sd_after=[0.5, 0.6, 0.7])
    table["cumulative_cost"] = np.cumsum(cost)
    return EvaluationPlan(table, first.iloc[::-1], (), "new", "_skill$", "unit", (), costs)


def test_each_step_runs_from_what_was_to_what_is_left() -> None:
    ax = plot_evaluations(made())
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    np.testing.assert_array_equal(ends, [[0.5, 1.0], [0.4, 0.5], [0.38, 0.4]])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.5, 0.4, 0.38])
    assert ax.yaxis_inverted()


def test_hollow_circles_are_what_each_would_leave_if_run_first() -> None:
    circles = plot_evaluations(made()).lines[1]
    np.testing.assert_array_equal(circles.get_xdata(), [0.5, 0.6, 0.7])
    assert circles.get_markerfacecolor() == "none"


@pytest.mark.parametrize(
    ("costs", "names"),
    [
        ("items", "mmlu  1,000|cost_$5_or_$6  1,500|_hidden  1,541"),
        ("given", "mmlu  1,000|cost_$5_or_$6  1,500|_hidden  1,541"),
        ("equal", "mmlu|cost_$5_or_$6|_hidden"),
    ],
)
def test_beside_the_names_stands_what_has_been_spent(
    costs: str, names: str, message: Message
) -> None:
    ax = plot_evaluations(made(costs))
    drawn = [text.get_text().replace(r"\$", "$").strip() for text in ax.get_yticklabels()]
    assert drawn == names.split("|")
    message(ax.get_ylabel())
    message(*[text for text in texts(ax) if "_skill$" in text])


def test_benchmarks_go_by_their_labels_where_they_have_some() -> None:
    ax = plot_evaluations(made("equal"), labels={"mmlu": "MMLU"})
    drawn = [text.get_text().replace(r"\$", "$").strip() for text in ax.get_yticklabels()]
    assert drawn == ["MMLU", "cost_$5_or_$6", "_hidden"]


def test_it_is_drawn_where_it_is_asked_for_and_pyplot_is_left_alone() -> None:
    mine = Figure(figsize=(6, 6)).add_subplot(xlabel="mine", ylabel="mine too")
    assert plot_evaluations(made(), ax=mine) is mine
    assert (mine.get_xlabel(), mine.get_ylabel()) == ("mine", "mine too")
    before = plt.get_fignums()
    assert picture(plot_evaluations(made()), "A plan.").png.startswith(b"\x89PNG")
    assert plt.get_fignums() == before
