from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.planning.comparison import CHINCHILLA, PlanComparison

BUDGETS = [1e22, 1e24]
MIX = {"mmlu": 1.0, "gsm8k": 1.0}


@pytest.fixture(scope="module")
def compared(curved_fit: lv.Fit) -> PlanComparison:
    return lv.compare_plans(
        curved_fit, BUDGETS, targets=["general", "gsm8k", MIX], families=["qwen2", None]
    )


def test_the_table_holds_each_plan(curved_fit: lv.Fit, compared: PlanComparison) -> None:
    assert len(compared.table) == 3 * 2 * 2
    assert [plan.family for plan in compared.plans] == ["qwen2", "a new recipe"] * 3
    one = compared.table.query("target == 'gsm8k' and family == 'qwen2'").reset_index(drop=True)
    alone = lv.plan_compute(curved_fit, BUDGETS, target="gsm8k", family="qwen2").table
    pd.testing.assert_frame_equal(one[alone.columns], alone)


def test_tokens_per_parameter_are_set_beside_the_rule_of_20(compared: PlanComparison) -> None:
    assert CHINCHILLA == 20.0
    expected = 1000.0 * compared.table["tokens_t"] / compared.table["params_b"] / 20.0
    np.testing.assert_allclose(compared.table["chinchilla"], expected)


def test_the_factor_of_a_pair_is_the_ratio_of_its_tables(compared: PlanComparison) -> None:
    ratio = {
        (f"{row['target']} of {row['family']}", row["budget"]): row["tokens_per_param"]
        for _, row in compared.table.iterrows()
    }
    assert len(compared.differences) == 15 * 2
    for _, row in compared.differences.iterrows():
        first, second = (ratio[row[name], row["budget"]] for name in ("first", "second"))
        assert row["factor"] == pytest.approx(first / second)


def test_plans_part_where_the_interval_leaves_out_one(compared: PlanComparison) -> None:
    rows = compared.differences
    assert (rows["lower"] <= rows["upper"]).all()
    outside = ~rows["lower"].le(1.0) | ~rows["upper"].ge(1.0)
    assert rows["parts"].tolist() == outside.tolist()


def test_families_have_the_same_best_point_of_a_skill_in_every_draw(
    compared: PlanComparison,
) -> None:
    pair = compared.differences.query(
        "first == 'general of qwen2' and second == 'general of a new recipe'"
    )
    for name in ("factor", "lower", "upper"):
        np.testing.assert_allclose(pair[name], 1.0, rtol=1e-9)
    assert not pair["parts"].any()


def test_what_two_targets_share_cancels(curved_fit: lv.Fit) -> None:
    """A target beside one that is almost the same: far better known than either."""
    near = lv.compare_plans(
        curved_fit, 1e23, targets=[{"mmlu": 1.0}, {"mmlu": 1.0, "gsm8k": 0.01}], families=["qwen2"]
    )
    pair, plan = near.differences.iloc[0], near.table.iloc[0]
    assert pair["upper"] / pair["lower"] < 1.2
    assert plan["tokens_per_param_upper"] / plan["tokens_per_param_lower"] > 2.0


def test_exchanging_the_plans_inverts_the_factor(curved_fit: lv.Fit) -> None:
    there, back = (
        lv.compare_plans(curved_fit, 1e23, targets=targets).differences.iloc[0]
        for targets in (["general", "gsm8k"], ["gsm8k", "general"])
    )
    for ours, theirs in (("factor", "factor"), ("lower", "upper"), ("upper", "lower")):
        assert there[ours] == pytest.approx(1.0 / back[theirs])


def test_without_a_level_pairs_have_no_interval(unfinished_fit: lv.Fit) -> None:
    found = lv.compare_plans(unfinished_fit, BUDGETS, targets=["general", "gsm8k"], level=None)
    assert found.differences[["lower", "upper"]].isna().all(axis=None)
    assert not found.differences["parts"].any()
    assert found.differences["factor"].notna().all()
    assert len(found.words) == 3


def test_the_words_tell_each_plan_and_each_pair(curved_fit: lv.Fit, message: Message) -> None:
    found = lv.compare_plans(curved_fit, BUDGETS, targets=["general", "instruction"])
    ratio = found.table.query("target == 'general'")["tokens_per_param"].iloc[0]
    message(found.words[0])
    message(found.words[0].replace(",", ""), f"{ratio / 20.0:.3g}", "20")
    message(found.words[1])
    message(found.words[2])
    message(found.words[-1])


def test_splits_that_are_one_are_said_to_be_the_same(curved_fit: lv.Fit, message: Message) -> None:
    found = lv.compare_plans(
        curved_fit, BUDGETS, targets="general", families=pd.Index(["qwen2", "pythia"])
    )
    text = " ".join(found.words)
    message(text)


@pytest.mark.parametrize("given", [{"targets": None}, {"targets": "general", "families": 3}])
def test_what_is_no_list_of_targets_or_families_is_refused(
    curved_fit: lv.Fit, given: dict[str, object]
) -> None:
    with pytest.raises(lv.LvkitError, match="compare_plans|target"):
        lv.compare_plans(curved_fit, BUDGETS, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "quoted"),
    [
        ([True, True], ["4", "3", "5"]),
        ([True, False], ["1", "2", "1e22", "2 times", "1.5", "2.5"]),
        ([False, False], ["3", "5"]),
    ],
)
def test_the_words_tell_on_which_budgets_plans_part(
    compared: PlanComparison, parts: list[bool], quoted: list[str], message: Message
) -> None:
    rows = pd.DataFrame(
        {
            "first": "a",
            "second": "b",
            "budget": BUDGETS,
            "factor": [2.0, 4.0],
            "lower": [1.5, 3.0],
            "upper": [2.5, 5.0],
            "parts": parts,
        }
    )
    text = " ".join(replace(compared, differences=rows).words)
    message(text, *quoted)


def test_a_notebook_shows_words_and_table(compared: PlanComparison) -> None:
    page = compared._repr_html_()
    assert page.count("<p>") == len(compared.words)
    assert "<table" in page
    assert "chinchilla" in page


@pytest.mark.parametrize(
    ("targets", "families", "quoted"),
    [
        ("general", None, ["1"]),
        ([MIX], ["qwen2"], ["1"]),
        ([], ["qwen2", None], ["0"]),
        (["general", "maths"], None, ["maths"]),
        (["general"], ["qwen2", "qwen3"], ["qwen3"]),
    ],
)
def test_comparisons_of_less_than_two_plans_are_refused(
    curved_fit: lv.Fit, targets: Any, families: Any, quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        lv.compare_plans(curved_fit, 1e22, targets=targets, families=families, level=None)
    message(error, *quoted)
