from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from pictures import texts

import lvkit as lv
from lvkit.drawing import picture
from lvkit.plots import plot_plan_comparison

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
    assert [text.get_text() for text in ax.get_yticklabels()] == ["mmlu", "gsm8k"]
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
    assert {"1e21", "1e22", "1e23", "gsm8k of qwen2", "gsm8k of a new recipe"} <= set(texts(ax))
    assert not any("interval" in text for text in labels(ax))
    crosses = line(ax, "corner")
    assert (found.table["corner"] == "max_tokens_t").all()
    assert len(crosses.get_xdata()) == 2 * len(BUDGETS)
