from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.family_curves import AVERAGE

Expectation = Callable[..., np.ndarray]

BUDGETS = [1e21, 1e22, 1e23, 1e24]
POINT = ("params_b", "tokens_t", "tokens_per_param")


def quick(fit: lv.Fit, budgets: Any = BUDGETS, **asked: Any) -> pd.DataFrame:
    """The table of a plan without intervals."""
    return lv.plan_compute(fit, budgets, level=None, **asked).table


def brute(
    expect: Callable[[np.ndarray, np.ndarray], np.ndarray], budget: float, cost: lv.Cost
) -> float:
    """The best size on a budget, from closer and closer grids over everything it can buy."""
    low, high = -3.0, 5.0
    for _ in range(6):
        s = np.linspace(low, high, 401)
        left = budget / 10.0 ** (s + 9.0) - 2e12 * cost.serving_tokens_t
        ratio = left / 6.0 / 10.0 ** (s + 9.0)
        some = s[(ratio > 1e-3) & (ratio < 1e7)]
        tokens = (budget / 10.0 ** (some + 9.0) - 2e12 * cost.serving_tokens_t) / 6e12
        best, step = some[np.argmax(expect(10.0**some, tokens))], s[1] - s[0]
        low, high = best - 2.0 * step, best + 2.0 * step
    return float(10.0**best)


# -- the best point ------------------------------------------------------------------------------

MIX = {"mmlu": 2.0, "gsm8k": 1.0}
SERVED = lv.Cost(serving_tokens_t=1.0)


@pytest.mark.parametrize(
    ("name", "target", "family", "cost"),
    [
        ("curved_fit", "general", None, lv.Cost()),
        ("curved_fit", "gsm8k", "qwen2", lv.Cost()),
        ("curved_fit", "general", None, SERVED),
        ("curved_fit", "mmlu", "qwen2", SERVED),
        ("curved_fit", MIX, "olmo", lv.Cost()),
        ("curved_fit", MIX, None, SERVED),
        ("sloped_fit", "mmlu", None, lv.Cost()),
        ("sloped_fit", "bbh", "qwen2", lv.Cost()),
        ("sloped_fit", MIX, AVERAGE, lv.Cost()),
        ("cubed_fit", "general", None, lv.Cost()),
        ("cubed_fit", "arc", "pythia", SERVED),
    ],
)
def test_nothing_that_a_budget_buys_is_better(
    name: str,
    target: Any,
    family: str | None,
    cost: lv.Cost,
    expectation: Expectation,
    request: pytest.FixtureRequest,
) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    weights = target if isinstance(target, dict) else {target: 1.0}
    skills = set(weights) <= set(fit.skills)
    names = fit.skills if skills else fit.benchmarks

    def expect(size: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        every = expectation(fit, family, size, tokens, skills=skills)
        parts = [weight * every[:, names.index(name)] for name, weight in weights.items()]
        return np.sum(parts, axis=0) / sum(weights.values())

    table = quick(fit, [1e22, 1e24], target=target, family=family, cost=cost)
    for _, row in table.iterrows():
        size = brute(expect, row["budget"], cost)
        assert np.log10(row["params_b"]) == pytest.approx(np.log10(size), abs=2e-3)
        best = expect(np.array([row["params_b"], size]), np.array([row["tokens_t"]] * 2))[0]
        assert row["value"] == pytest.approx(best, abs=5e-4)


def test_without_limits_tokens_per_parameter_are_the_same_for_all_budgets_and_families(
    curved_fit: lv.Fit,
) -> None:
    slopes = curved_fit.slopes.loc["general"]
    lead = (slopes["log_params"] - slopes["log_tokens"]) / slopes["log_params:log_tokens"]
    for family in (*curved_fit.families, None, AVERAGE):
        table = quick(curved_fit, target="general", family=family)
        np.testing.assert_allclose(table["tokens_per_param"], 1000.0 * 10.0**-lead, rtol=1e-9)
        assert (table["corner"] == "").all()


def test_of_one_benchmark_too_tokens_per_parameter_are_the_same_everywhere(
    curved_fit: lv.Fit,
) -> None:
    tables = [quick(curved_fit, target="arc", family=f) for f in ("qwen2", "olmo", None)]
    ratios = np.concatenate([table["tokens_per_param"] for table in tables])
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)


def test_where_families_differ_in_their_slopes_so_do_their_best_points(
    sloped_fit: lv.Fit,
) -> None:
    sizes = [quick(sloped_fit, 1e23, target="general", family=f)["params_b"][0]
             for f in ("qwen2", "pythia", "olmo")]  # fmt: skip
    assert np.ptp(np.log10(sizes)) > 0.05


def test_a_mix_of_benchmarks_has_best_points_that_move_with_the_budget(curved_fit: lv.Fit) -> None:
    ratio = quick(curved_fit, target={"mmlu": 1.0, "ifeval": 1.0})["tokens_per_param"]
    assert ratio.max() / ratio.min() > 1.01


@pytest.mark.parametrize("cost", [lv.Cost(), lv.Cost(5.5), SERVED])
@pytest.mark.parametrize("target", ["general", "instruction", MIX])
def test_every_budget_is_spent_exactly(curved_fit: lv.Fit, target: Any, cost: lv.Cost) -> None:
    table = quick(curved_fit, target=target, cost=cost)
    spent = cost.flops(np.log10(table["params_b"]), np.log10(table["tokens_t"]))
    np.testing.assert_allclose(spent, table["budget"], rtol=1e-9)
    np.testing.assert_array_equal(table["spent"], table["budget"])
    ratio = 1000.0 * table["tokens_t"] / table["params_b"]
    np.testing.assert_allclose(table["tokens_per_param"], ratio, rtol=1e-9)


def test_serving_moves_the_best_point_to_smaller_models_trained_for_longer(
    curved_fit: lv.Fit,
) -> None:
    less, more = (quick(curved_fit, target="general", cost=cost) for cost in (lv.Cost(), SERVED))
    assert (more["params_b"] < less["params_b"]).all()
    assert (more["tokens_per_param"] > less["tokens_per_param"]).all()
    assert (more["value"] < less["value"]).all()


def test_the_units_of_sizes_and_tokens_change_nothing(
    curved_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    features = "log10(params_b * 1000) * log10(tokens_t * 1000)"
    other = lv.LatentSkillModel(
        anchors=dict(curved_fit.anchors), floor="chance", features=features
    ).fit(small_panel)
    for target in ("general", "gsm8k"):
        ours, theirs = (
            lv.plan_compute(fit, BUDGETS, target=target, family="qwen2").table
            for fit in (curved_fit, other)
        )
        for name in (*POINT, "value"):
            np.testing.assert_allclose(theirs[name], ours[name], rtol=5e-3)
        for end in ("lower", "upper"):  # by other draws
            apart = np.log10(theirs["params_b_" + end] / ours["params_b_" + end])
            width = np.log10(ours["params_b_upper"] / ours["params_b_lower"])
            assert (apart.abs() < 0.3 * width).all()


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", POINT)
@pytest.mark.parametrize("end", ["min", "max"])
@pytest.mark.parametrize("target", ["general", "gsm8k", MIX])
def test_a_binding_limit_binds(curved_fit: lv.Fit, target: Any, part: str, end: str) -> None:
    asked = {"target": target, "family": "qwen2"}
    free = quick(curved_fit, 1e23, **asked)
    factor = 1.3 if end == "min" else 1.0 / 1.3
    limit = float(free[part][0] * factor)
    bound = quick(curved_fit, 1e23, limits=lv.Limits(**{f"{end}_{part}": limit}), **asked)
    assert bound["corner"][0] == f"{end}_{part}"
    assert bound[part][0] == pytest.approx(limit, rel=1e-9)
    assert bound["spent"][0] == 1e23
    assert bound["value"][0] < free["value"][0]


def test_a_limit_that_leaves_the_best_point_alone_changes_nothing(curved_fit: lv.Fit) -> None:
    free = quick(curved_fit, target="general")
    wide = lv.Limits(max_params_b=1e4, min_tokens_t=1e-3, max_tokens_per_param=1e5)
    pd.testing.assert_frame_equal(quick(curved_fit, target="general", limits=wide), free)


def test_a_fixed_size_is_kept_on_every_budget(curved_fit: lv.Fit) -> None:
    limits = lv.Limits(min_params_b=7.0, max_params_b=7.0)
    plan = lv.plan_compute(curved_fit, BUDGETS, target="general", limits=limits)
    table = plan.table
    for name in ("params_b", "params_b_lower", "params_b_upper"):
        np.testing.assert_allclose(table[name], 7.0)
    np.testing.assert_allclose(table["tokens_t"], table["budget"] / 6.0 / 7e9 / 1e12)
    assert set(table["corner"]) == {"min_params_b and max_params_b"}
    assert (table["interior"] == 0.0).all()


def test_several_limits_bind_where_they_meet(curved_fit: lv.Fit, message: Message) -> None:
    limits = lv.Limits(max_params_b=7.0, max_tokens_t=2.0)
    table = quick(curved_fit, [1e21, 1e25], target="general", limits=limits)
    most = 6.0 * 7e9 * 2e12
    assert table["spent"].tolist() == [1e21, pytest.approx(most, rel=1e-9)]
    message(table["corner"][1], "max_params_b", "max_tokens_t")
    assert [table[name][1] for name in POINT[:2]] == [pytest.approx(7.0), pytest.approx(2.0)]


def test_limits_hold_for_the_intervals_too(curved_fit: lv.Fit) -> None:
    limits = lv.Limits(min_params_b=2.0, max_tokens_t=5.0, max_tokens_per_param=1000.0)
    table = lv.plan_compute(curved_fit, BUDGETS, target="general", limits=limits).table
    assert (table["params_b_lower"] > 2.0 * (1.0 - 1e-9)).all()
    assert (table["tokens_t_upper"] < 5.0 * (1.0 + 1e-9)).all()
    assert (table["tokens_per_param_upper"] < 1000.0 * (1.0 + 1e-9)).all()


def test_a_budget_below_the_limits_is_refused(curved_fit: lv.Fit, message: Message) -> None:
    limits = lv.Limits(min_params_b=70.0, min_tokens_t=2.0)
    with refused("budgets, number 2", "1e+20") as error:
        quick(curved_fit, [1e25, 1e20], target="general", limits=limits)
    message(error)


def test_without_a_best_point_inside_the_end_of_the_bracket_is_named(curved_fit: lv.Fit) -> None:
    table = quick(curved_fit, target="instruction")
    assert set(table["corner"]) <= {
        "fewest tokens per parameter (bracket)",
        "most tokens per parameter (bracket)",
    }


# -- more of the budget --------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["general", "instruction", "gsm8k", MIX])
@pytest.mark.parametrize(
    "limits", [None, lv.Limits(max_tokens_t=2.0), lv.Limits(max_params_b=3.0, max_tokens_t=1.0)]
)
def test_a_plan_says_where_more_of_the_budget_lowers_its_target(
    curved_fit: lv.Fit, target: Any, limits: lv.Limits | None
) -> None:
    budgets = np.geomspace(1e15, 1e26, 40)
    asked = {"target": target, "family": "qwen2", "limits": limits}
    here, more = quick(curved_fit, budgets, **asked), quick(curved_fit, 1.01 * budgets, **asked)
    change = more["value"] - here["value"]
    clear = change.abs() > 1e-6
    assert clear.any()
    assert ((change < 0.0) == here["falls"])[clear].all()


def test_a_skill_that_rises_with_both_never_falls_with_the_budget(small_fit: lv.Fit) -> None:
    assert (small_fit.slopes.loc["general"] > 0.0).all()
    table = quick(small_fit, np.geomspace(1e18, 1e26, 20), target="general")
    assert not table["falls"].any()
    assert (table["value"].diff().dropna() > 0.0).all()


# -- intervals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["general", "gsm8k", MIX])
def test_intervals_hold_the_point_and_wider_levels_hold_narrower_ones(
    curved_fit: lv.Fit, target: Any
) -> None:
    asked = {"target": target, "family": "qwen2"}
    wide, narrow = (
        lv.plan_compute(curved_fit, [1e22, 1e24], level=level, **asked).table
        for level in (0.95, 0.5)
    )
    for name in POINT:
        assert (wide[name + "_lower"] <= narrow[name + "_lower"]).all()
        assert (narrow[name + "_upper"] <= wide[name + "_upper"]).all()
        assert (wide[name + "_lower"] < wide[name]).all()
        assert (wide[name] < wide[name + "_upper"]).all()
    assert (wide["lower"] < narrow["lower"]).all()
    assert (narrow["lower"] < wide["median"]).all()
    assert (wide["median"] < narrow["upper"]).all()
    assert wide["interior"].between(0.0, 1.0).all()


def test_intervals_of_size_and_tokens_are_on_the_budget(curved_fit: lv.Fit) -> None:
    table = lv.plan_compute(curved_fit, BUDGETS, target=MIX, cost=SERVED).table
    for size, tokens in (("lower", "upper"), ("upper", "lower")):
        spent = SERVED.flops(
            np.log10(table[f"params_b_{size}"]), np.log10(table[f"tokens_t_{tokens}"])
        )
        np.testing.assert_allclose(spent, table["budget"], rtol=1e-9)


def test_the_familys_posterior_moves_the_value_but_not_the_best_point(curved_fit: lv.Fit) -> None:
    known, new = (
        lv.plan_compute(curved_fit, 1e23, target="general", family=family).table.iloc[0]
        for family in ("qwen2", None)
    )
    for name in POINT:
        for end in ("", "_lower", "_upper"):
            assert known[name + end] == pytest.approx(new[name + end], rel=1e-9)
    assert known["upper"] - known["lower"] < 0.8 * (new["upper"] - new["lower"])


def test_many_budgets_have_the_intervals_of_each_alone(curved_fit: lv.Fit) -> None:
    asked = {"target": MIX, "family": "qwen2"}
    budgets = np.geomspace(1e21, 1e24, 41)
    many = lv.plan_compute(curved_fit, budgets, **asked).table.iloc[[1, 20, 38]]
    few = lv.plan_compute(curved_fit, many["budget"], **asked).table
    for name in (*POINT, "value", "median", "lower", "upper"):
        np.testing.assert_allclose(many[name], few[name], rtol=1e-7)
    for name in POINT:
        for end in ("_lower", "_upper"):
            np.testing.assert_allclose(many[name + end], few[name + end], rtol=0.02)
    np.testing.assert_allclose(many["interior"], few["interior"], atol=0.02)


def test_the_order_of_the_budgets_does_not_matter(curved_fit: lv.Fit) -> None:
    budgets = np.geomspace(1e24, 1e21, 25)
    back = lv.plan_compute(curved_fit, budgets, target=MIX).table
    there = lv.plan_compute(curved_fit, budgets[::-1], target=MIX).table
    pd.testing.assert_frame_equal(back.iloc[::-1].reset_index(drop=True), there)


def test_the_same_seed_gives_the_same_numbers(curved_fit: lv.Fit) -> None:
    one, same, other = (
        lv.plan_compute(curved_fit, BUDGETS, target="gsm8k", seed=seed).table for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert (one["lower"] != other["lower"]).all()
    assert (one["params_b"] == other["params_b"]).all()


@pytest.mark.parametrize("asked", [{"target": "general"}, {"target": "mmlu", "family": "qwen2"}])
def test_plans_are_the_same_whatever_was_planned_before(
    curved_fit: lv.Fit, asked: dict[str, Any]
) -> None:
    again = replace(curved_fit)  # of which nothing is kept
    lv.plan_compute(again, 1e23, target="gsm8k", family="olmo", seed=3)
    lv.plan_compute(again, 1e23, **asked)
    pd.testing.assert_frame_equal(
        lv.plan_compute(again, BUDGETS, **asked).table,
        lv.plan_compute(replace(curved_fit), BUDGETS, **asked).table,
    )


def test_without_a_level_what_needs_draws_is_left_out(unfinished_fit: lv.Fit) -> None:
    table = quick(unfinished_fit, target="general")
    drawn = [f"{name}_{end}" for name in POINT for end in ("lower", "upper")]
    drawn += ["median", "lower", "upper", "interior"]
    assert table[drawn].isna().all(axis=None)
    assert table[[*POINT, "value", "spent", "distance"]].notna().all(axis=None)


def test_intervals_of_a_fit_that_did_not_converge_are_refused(
    unfinished_fit: lv.Fit, message: Message
) -> None:
    with refused() as error:
        lv.plan_compute(unfinished_fit, 1e22, target="general")
    message(error)


def test_on_simulated_truth_the_plan_finds_the_true_best_point() -> None:
    models = lv.simulate_models(80, 4, seed=1)
    truth = lv.Parameters(
        loadings=np.array([[1.0], [0.8], [1.2], [0.9]]),
        intercepts=np.zeros(4),
        precisions=np.full(4, 400.0),
        floors=np.zeros(4),
        slopes=np.array([[0.9, 0.7, 0.8]]),
        correlation=np.ones((1, 1)),
    )
    panel = lv.simulate(truth, models, seed=1)
    fit = lv.LatentSkillModel(anchors={"skill": "bench_1"}).fit(panel)
    row = lv.plan_compute(fit, 1e22, target="skill").table.iloc[0]
    true = 1000.0 * 10.0 ** -((0.9 - 0.7) / 0.8)
    assert row["tokens_per_param_lower"] < true < row["tokens_per_param_upper"]
    assert row["tokens_per_param_upper"] < 3.0 * row["tokens_per_param_lower"]
    assert row["interior"] == 1.0


# -- where the data are --------------------------------------------------------------------------


def test_a_plan_says_how_far_it_leaves_the_data(curved_fit: lv.Fit) -> None:
    table = quick(curved_fit, [1e22, 1e29], target="general")
    assert (table["extrapolates"] == (table["distance"] > 0.0)).all()
    assert table["distance"][1] > 2.0


def test_the_value_of_a_plan_is_that_of_its_surface(curved_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(curved_fit, BUDGETS, target="gsm8k", family="qwen2", level=None)
    at = plan.surface(plan.table["params_b"], plan.table["tokens_t"])
    np.testing.assert_allclose(at, plan.table["value"], rtol=1e-12)
    assert plan.surface(np.ones((3, 1)), np.ones(4)).shape == (3, 4)
    with refused("tokens_t", "0.0") as error:
        plan.surface(7.0, [1.0, 0.0])
    message(error)
    with refused("params_b") as error:
        plan.surface(np.nan, 1.0)
    message(error)


@pytest.mark.parametrize("name", ["curved_fit", "sloped_fit", "instructed_fit"])
def test_planned_models_are_predicted_as_planned(name: str, request: pytest.FixtureRequest) -> None:
    fit: lv.Fit = request.getfixturevalue(name)
    for family in ("qwen2", None):
        given = {"instruct": False} if name == "instructed_fit" else None
        budgets = np.geomspace(1e22, 1.01e22, 3)
        plan = lv.plan_compute(fit, budgets, target="mmlu", family=family, attributes=given)
        told = fit.predict(plan.models, intervals="plugin").table
        mean = told[told["benchmark"] == "mmlu"]["mean"].to_numpy()
        np.testing.assert_allclose(mean, plan.table["value"], atol=0.01)
        assert plan.models["model"].is_unique


def test_attributes_of_the_family_shift_its_plan(instructed_fit: lv.Fit, message: Message) -> None:
    own = quick(instructed_fit, target="instruction", family="qwen1.5-chat")
    said, other = (
        quick(
            instructed_fit, target="instruction", family="qwen1.5-chat",
            attributes={"instruct": value},
        )
        for value in (True, False)
    )  # fmt: skip
    pd.testing.assert_frame_equal(own, said)
    slope = instructed_fit.slopes.loc["instruction", "instruct"]
    np.testing.assert_allclose(own["value"] - other["value"], slope, rtol=1e-6)
    with refused("attributes", "instruct") as error:
        quick(instructed_fit, target="instruction")
    message(error)


def test_a_plan_remembers_what_it_was_asked(curved_fit: lv.Fit, message: Message) -> None:
    limits = lv.Limits(max_params_b=70.0)
    plan = lv.plan_compute(curved_fit, 1e22, target=MIX, limits=limits, cost=SERVED, level=0.8)
    assert plan.fit is curved_fit
    message(plan.family)
    assert plan.target.label == "67% mmlu + 33% gsm8k"
    assert (plan.aim.limits, plan.aim.cost, plan.level) == (limits, SERVED, 0.8)


def test_a_saved_fit_plans_alike(curved_fit: lv.Fit, tmp_path: Any) -> None:
    curved_fit.save(tmp_path / "fit.lvkit")
    again = lv.load_fit(tmp_path / "fit.lvkit")
    asked = {"target": "gsm8k", "family": "qwen2"}
    ours, theirs = (lv.plan_compute(fit, BUDGETS, **asked).table for fit in (curved_fit, again))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-6)


# -- the embedded data ---------------------------------------------------------------------------


def test_the_best_point_of_common_sense_is_hardly_determined(
    paper_fit: lv.Fit, message: Message
) -> None:
    plan = lv.plan_compute(paper_fit, BUDGETS, target="commonsense")
    assert set(plan.table["corner"]) == {"fewest tokens per parameter (bracket)"}
    assert (plan.table["interior"] < 0.5).all()
    text = " ".join(plan.words)
    message(text)


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budgets", "quoted", "words"),
    [
        (0.0, ["1"], ["got 0.0", "FLOPs from 1e+12 to 1e+35"]),
        ([1e22, -1e22], ["2"], ["got -1e+22"]),
        ([1e22, np.nan], ["2"], ["nan", "such as 1e22"]),
        (np.inf, ["1"], ["inf"]),
        ([22, 23], ["1"], ["got 22.0", "not their logarithm"]),
        (1e40, ["1"], ["got 1e+40"]),
        ("much", ["1"], ["much"]),
        (None, ["1"], ["None"]),
        ([], ["budgets"], ["got []", "one or several"]),
        ([[1e22, 1e23]], ["budgets"], ["one or several"]),
    ],
)
def test_budgets_that_are_none_are_refused(
    curved_fit: lv.Fit, budgets: Any, quoted: list[str], words: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        quick(curved_fit, budgets, target="general")
    message(error.value.problems[0].where, *quoted)
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ({"target": "maths"}, ["maths"]),
        ({"family": "qwen3"}, ["qwen3"]),
        ({"limits": {"max_params_b": 7.0}}, []),
        ({"cost": 6.0}, ["6.0"]),
        ({"level": 95}, ["95"]),
        ({"seed": -1}, ["-1"]),
        ({"attributes": {"instruct": True}}, ["'instruct'"]),
    ],
)
def test_questions_that_are_none_are_refused(
    curved_fit: lv.Fit, asked: dict[str, Any], quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        lv.plan_compute(curved_fit, 1e22, **({"target": "general"} | asked))
    message(error, *quoted)


def test_what_is_no_fit_is_refused(small_panel: lv.Panel, message: Message) -> None:
    with refused("plan") as error:
        lv.plan_compute(small_panel, 1e22, target="mmlu")  # type: ignore[arg-type]
    message(error)


def test_a_budget_too_large_for_a_number_is_refused(curved_fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="budgets"):
        lv.plan_compute(curved_fit, 10**400, target="general")


def test_a_surface_of_words_is_refused(curved_fit: lv.Fit, message: Message) -> None:
    plan = lv.plan_compute(curved_fit, 1e22, target="general", level=None)
    with refused("params_b") as error:
        plan.surface("seven", 1.0)  # type: ignore[arg-type]
    message(error)
