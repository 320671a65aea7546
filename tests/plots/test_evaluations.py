from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from pictures import texts

from lvkit.drawing import picture
from lvkit.planning.evaluations import EvaluationPlan
from lvkit.plots.plan_results import plot_evaluations


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
    ("costs", "names", "label"),
    [
        ("items", "mmlu  1,000|cost_$5_or_$6  1,500|_hidden  1,541", "benchmark, items so far"),
        ("given", "mmlu  1,000|cost_$5_or_$6  1,500|_hidden  1,541", "benchmark, cost so far"),
        ("equal", "mmlu|cost_$5_or_$6|_hidden", "benchmark"),
    ],
)
def test_beside_the_names_stands_what_has_been_spent(costs: str, names: str, label: str) -> None:
    ax = plot_evaluations(made(costs))
    drawn = [text.get_text().replace(r"\$", "$").strip() for text in ax.get_yticklabels()]
    assert drawn == names.split("|")
    assert ax.get_ylabel() == label
    assert "standard deviation of  _skill$" in texts(ax)


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
