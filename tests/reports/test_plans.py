from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from golden import Message
from pictures import ODD, odd_panel

import lvkit as lv
from lvkit.data.panel import benchmark_labels
from lvkit.plots.drawing import Plot
from lvkit.plots.phrases import Prose, listed
from lvkit.plots.plan_results import describe_evaluations
from lvkit.plots.planning import describe_plan
from lvkit.reports.plans import FamilyPlans, evaluation_words, family_evaluations, plan_family

BUDGET = 1e23


@pytest.fixture(scope="module")
def plans(paper_fit: lv.Fit) -> FamilyPlans:
    return plan_family(paper_fit, "qwen2", BUDGET)


def test_each_skill_is_planned_for_in_turn(plans: FamilyPlans, paper_fit: lv.Fit) -> None:
    assert [plan.target.label for plan in plans.plans] == list(paper_fit.skills)
    assert list(plans.table) == list(paper_fit.skills)
    subjects = [subject for subject, _ in plans.words.paragraphs]
    assert subjects == [*(f"For {skill}" for skill in paper_fit.skills), "What a plan is"]


def test_what_all_plans_say_is_said_once(plans: FamilyPlans) -> None:
    assert str(plans.words).count("it is no experiment") == 1


def test_a_split_that_is_the_same_for_every_family_is_said_to_be_so(
    plans: FamilyPlans, paper_fit: lv.Fit, message: Message
) -> None:
    text = dict(plans.words.paragraphs)["What a plan is"]
    inside = [plan for plan in plans.plans if plan.table["corner"].iloc[0] == ""]
    told = listed(plan.target.label for plan in inside)
    message(text, told)
    other = plan_family(paper_fit, "opt", BUDGET, level=0.5)
    ratios = [{p.target.label: p.table["tokens_per_param"].iloc[0] for p in each.plans}
              for each in (plans, other)]  # fmt: skip
    assert all(
        np.isclose(ratios[0][plan.target.label], ratios[1][plan.target.label]) for plan in inside
    )


def test_a_split_that_depends_on_the_family_is_not_said_to_be_the_same(
    paper_fit: lv.Fit, leaderboard: lv.Panel, message: Message
) -> None:
    panel = leaderboard.complete()
    panel = panel.select(families=panel.families[:14])
    fit = lv.LatentSkillModel(n_skills=1, family_slopes="log_params").fit(panel)
    unsure = replace(fit, converged=False)  # without intervals: the families are few
    for plans in (plan_family(unsure, fit.families[0], BUDGET),
                  plan_family(paper_fit, "opt", BUDGET, target="commonsense")):  # fmt: skip
        message(str(plans.words))


def test_the_table_has_the_plans_numbers_with_their_intervals(
    plans: FamilyPlans, paper_fit: lv.Fit
) -> None:
    plan = lv.plan_compute(paper_fit, BUDGET, target="reasoning", family="qwen2")
    cell = str(plans.table.loc["parameters (billions)", "reasoning"])
    value, lower, upper = (float(x) for x in re.findall(r"[\d.]+", cell))
    row = plan.table.iloc[0]
    seen = row[["params_b", "params_b_lower", "params_b_upper"]].to_numpy(float)
    assert np.allclose([value, lower, upper], seen, rtol=5e-3)


def test_no_number_is_told_where_no_best_point_lies_inside(
    plans: FamilyPlans, message: Message
) -> None:
    column = plans.table["commonsense"]
    assert list(column.iloc[:4]) == ["–"] * 4
    message(column["mind"])
    assert plans.table.loc["mind", "reasoning"] == "–"
    message(plans.highlights()["best for commonsense"])


def test_the_map_is_of_a_plan_with_a_best_point_inside(paper_fit: lv.Fit, message: Message) -> None:
    both = [plan_family(paper_fit, "opt", BUDGET, target=t) for t in ("commonsense", "reasoning")]
    found = FamilyPlans(tuple(plan for each in both for plan in each.plans)).map
    assert isinstance(found, Plot)
    message(found.alt)


def test_a_benchmark_can_be_the_target(paper_fit: lv.Fit, message: Message) -> None:
    plans = plan_family(paper_fit, "opt", BUDGET, target="mmlu_pro", level=0.8)
    assert list(plans.table) == ["mmlu_pro"]
    message("\n".join(plans.table.index))
    (best,) = plans.highlights().values()
    message(best)


def test_an_unknown_target_and_a_budget_that_is_none_are_refused(paper_fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="target"):
        plan_family(paper_fit, "opt", BUDGET, target="cooking")
    with pytest.raises(lv.LvkitError, match="budgets"):
        plan_family(paper_fit, "opt", 23.0)


def test_without_tokens_among_the_features_the_reason_is_told(message: Message) -> None:
    fit = lv.LatentSkillModel(n_skills=1, features="log_params").fit(odd_panel())
    plans = plan_family(fit, ODD[0], BUDGET)
    assert plans.plans == ()
    message(dict(plans.words.paragraphs)["No plan"], "tokens_t")
    assert isinstance(plans.map, Prose)
    assert plans.table.iloc[0, 0] == "none"
    assert plans.highlights() == {}


def test_plans_of_a_failed_search_have_no_intervals_and_say_so(
    paper_fit: lv.Fit, message: Message
) -> None:
    failed = replace(paper_fit, converged=False, message="out of steps")
    plans = plan_family(failed, "opt", BUDGET, target="reasoning")
    assert "(" not in str(plans.table.loc["parameters (billions)", "reasoning"])
    message(dict(plans.words.paragraphs)["No intervals"])


def test_the_map_is_described_from_the_smallest_budget_to_the_largest(
    paper_fit: lv.Fit, message: Message
) -> None:
    plan = lv.plan_compute(paper_fit, [1e22, 1e24], target="reasoning", family="opt", level=None)
    text = describe_plan(plan)
    message(text, "1e22", "1e24", len(paper_fit.prepared.models))


def test_a_corner_is_part_of_the_maps_description(paper_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(paper_fit, 1e23, target="commonsense", family="opt", level=None)
    message(describe_plan(plan))


def test_evaluations_are_planned_for_the_largest_model_that_lacks_a_score(
    paper_fit: lv.Fit, message: Message
) -> None:
    plan = family_evaluations(paper_fit, "bloom")
    assert plan.model == "bloom"
    assert set(plan.table["benchmark"]) == {
        name for name, score in paper_fit.panel.scores.loc["bloom"].items() if score != score
    }
    text = dict(evaluation_words(paper_fit, "bloom", plan).paragraphs)
    message(text["For which model"])
    assert text["What to run"].startswith(plan.words[0])
    assert text["What to run"].endswith(plan.words[-1])


def test_what_to_run_is_told_by_the_benchmarks_labels(paper_fit: lv.Fit, message: Message) -> None:
    plan = family_evaluations(paper_fit, "bloom")
    text = dict(evaluation_words(paper_fit, "bloom", plan).paragraphs)["What to run"]
    labels = benchmark_labels(paper_fit.panel)
    first, second = (labels[str(name)] for name in plan.table["benchmark"].head(2))
    message(text, first, second)
    assert re.findall(r"ifeval|math_lvl5|mmlu_pro|musr", text) == []


def test_evaluations_are_planned_for_the_next_size_if_nothing_is_missing(
    paper_fit: lv.Fit, message: Message
) -> None:
    plan = family_evaluations(paper_fit, "qwen2", target="reasoning")
    message(plan.model, "72b")
    assert plan.label == "reasoning"
    text = dict(evaluation_words(paper_fit, "qwen2", plan).paragraphs)
    message(text["For which model"])


def test_the_picture_of_evaluations_is_described(paper_fit: lv.Fit, message: Message) -> None:
    plan = family_evaluations(paper_fit, "bloom")
    text = describe_evaluations(plan)
    message(text, len(plan.table))
