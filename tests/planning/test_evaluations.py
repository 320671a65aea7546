"""Plans of evaluations: what they promise, what they cost, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.estimation.estimate import refit
from lvkit.planning.evaluations import EvaluationPlan, plan_evaluations
from lvkit.prediction.distribution import latent_posteriors
from lvkit.prediction.request import read_request

COLUMNS = [
    "benchmark", "cost", "sd_before", "sd_after", "reduction", "reduction_per_cost",
    "cumulative_cost",
]  # fmt: skip


def asked(**changes: Any) -> pd.DataFrame:
    row = {"model": "new-13b", "family": None, "params_b": 13.0, "tokens_t": 3.0}
    return pd.DataFrame([row | changes])


def planned(fit: lv.Fit, models: pd.DataFrame | None = None, **options: Any) -> EvaluationPlan:
    models = asked() if models is None else models
    return plan_evaluations(fit, models, **({"target": "instruction", "costs": None} | options))


def first_sd(plan: EvaluationPlan) -> float:
    return float(plan.table["sd_before"].iloc[0])


# -- the steps -----------------------------------------------------------------------------------


def test_every_benchmark_that_is_left_has_its_step(small_fit: lv.Fit) -> None:
    plan = planned(small_fit)
    assert list(plan.table.columns) == COLUMNS
    assert sorted(plan.table["benchmark"]) == sorted(small_fit.benchmarks)
    assert sorted(plan.candidates["benchmark"]) == sorted(small_fit.benchmarks)


def test_a_step_begins_where_the_one_before_ended(small_fit: lv.Fit) -> None:
    table = planned(small_fit, costs="items").table
    np.testing.assert_array_equal(table["sd_before"][1:], table["sd_after"][:-1])
    np.testing.assert_allclose(table["reduction"], table["sd_before"] - table["sd_after"])
    np.testing.assert_allclose(table["reduction_per_cost"], table["reduction"] / table["cost"])
    np.testing.assert_allclose(table["cumulative_cost"], np.cumsum(table["cost"]))
    assert (table["reduction"] > -1e-12).all()


def test_the_first_step_is_the_best_of_all_candidates(small_fit: lv.Fit) -> None:
    plan = planned(small_fit, costs="items")
    ratios = plan.candidates["reduction_per_cost"]
    assert plan.table["benchmark"].iloc[0] == plan.candidates["benchmark"].iloc[0]
    assert (ratios.diff().dropna() <= 0.0).all()
    assert plan.table["reduction_per_cost"].iloc[0] == ratios.max()


def test_a_recipe_nobody_knows_has_skills_of_unit_variance(small_fit: lv.Fit) -> None:
    assert first_sd(planned(small_fit)) == pytest.approx(1.0, abs=1e-9)
    assert first_sd(planned(small_fit, target=None)) == pytest.approx(1.0, abs=1e-9)


def test_a_shorter_plan_is_the_beginning_of_the_longer(small_fit: lv.Fit) -> None:
    short, long = planned(small_fit, most=2).table, planned(small_fit, most=60).table
    pd.testing.assert_frame_equal(short, long.head(2))
    assert len(long) == 6


def test_only_what_can_be_run_is_planned(small_fit: lv.Fit) -> None:
    plan = planned(small_fit, among=["mmlu", "arc"])
    assert sorted(plan.table["benchmark"]) == ["arc", "mmlu"]


@pytest.mark.parametrize("target", ["general", "instruction", "benchmark:gsm8k", None])
def test_what_is_expected_is_what_drawn_scores_leave_on_average(
    small_fit: lv.Fit, target: str | None
) -> None:
    """Scores of 300 models are drawn from the fitted model, and conditioned on."""
    plan = planned(small_fit, target=target, most=2)
    names, params = list(small_fit.benchmarks), small_fit.params
    rng = np.random.default_rng(1)
    request = read_request(small_fit, asked(), "error")
    alpha = rng.multivariate_normal(np.zeros(2), params.correlation, 300)
    theta = alpha + request.features[0] @ params.slopes.T
    mean = 1.0 / (1.0 + np.exp(-(theta @ params.loadings.T + params.intercepts)))
    y = rng.beta(mean * params.precisions, (1.0 - mean) * params.precisions)
    run = list(plan.table["benchmark"])
    rows = pd.concat([asked(model=f"model {i}") for i in range(300)], ignore_index=True)
    rows[run] = y[:, [names.index(name) for name in run]]
    found = latent_posteriors(small_fit, read_request(small_fit, rows, "error"), [small_fit.frame])
    root = small_fit.frame.factor[0]
    covariance = root @ found[1][0] @ root.T
    if target is None or target in small_fit.skills:
        at = slice(None) if target is None else small_fit.skills.index(target)
        left = np.diagonal(covariance, axis1=1, axis2=2)[:, at].mean()
    else:
        j = names.index("gsm8k")
        centre = found[0][0] @ root.T + request.features[0] @ params.slopes.T
        centre = centre @ params.loadings[j] + params.intercepts[j]
        spread = np.sqrt(params.loadings[j] @ covariance @ params.loadings[j])
        eta = centre[:, None] + spread[:, None] * rng.standard_normal((300, 400))
        left = (1.0 / (1.0 + np.exp(-eta))).var(axis=1, ddof=1).mean()
    assert plan.table["sd_after"].iloc[-1] == pytest.approx(np.sqrt(left), rel=0.03)


# -- what is known -------------------------------------------------------------------------------


def test_known_scores_are_conditioned_on_and_not_run_again(small_fit: lv.Fit) -> None:
    plan = planned(small_fit, asked(ifeval=0.4, mmlu=0.6))
    assert plan.known == ("ifeval", "mmlu")
    assert {"ifeval", "mmlu"}.isdisjoint(plan.table["benchmark"])
    assert first_sd(plan) < first_sd(planned(small_fit, asked(mmlu=0.6))) < 1.0


def test_what_a_score_left_is_what_the_next_plan_begins_with(small_fit: lv.Fit) -> None:
    plan = planned(small_fit, most=1)
    y = {name: 0.45 for name in plan.table["benchmark"]}
    assert first_sd(planned(small_fit, asked(**y))) == pytest.approx(
        plan.table["sd_after"].iloc[0], rel=0.1
    )


def test_a_known_family_needs_less(small_fit: lv.Fit) -> None:
    assert first_sd(planned(small_fit, asked(family="yi"))) < 0.6


def test_scores_of_the_fit_are_known(
    small_fit: lv.Fit, small_panel: lv.Panel, message: Message
) -> None:
    row = small_panel.models.iloc[[0]]
    with refused("models") as error:
        planned(small_fit, row)
    message(error)


def test_a_namesake_in_another_family_has_no_scores(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    plan = planned(small_fit, asked(model=small_panel.models.index[0]))
    assert plan.known == ()


# -- targets -------------------------------------------------------------------------------------


def test_all_skills_are_the_root_mean_square_of_each(small_fit: lv.Fit) -> None:
    row = asked(family="yi")
    each = [first_sd(planned(small_fit, row, target=skill)) for skill in small_fit.skills]
    together = first_sd(planned(small_fit, row, target=None))
    assert together == pytest.approx(np.sqrt(np.mean(np.square(each))))


def test_weights_count_by_their_ratios(small_fit: lv.Fit) -> None:
    one, two = (planned(small_fit, target={"mmlu": w, "gsm8k": 3 * w}) for w in (1.0, 20.0))
    pd.testing.assert_frame_equal(one.table, two.table)


def test_a_mix_of_skills_has_the_variance_of_the_mix(small_fit: lv.Fit) -> None:
    plan = planned(small_fit, target={"general": 0.5, "instruction": 0.5})
    share = np.full(2, 0.5)
    expected = np.sqrt(share @ small_fit.params.correlation @ share)
    assert first_sd(plan) == pytest.approx(expected)


def test_the_plan_says_what_is_wanted_and_in_which_unit(small_fit: lv.Fit) -> None:
    skill, score = planned(small_fit), planned(small_fit, target="mmlu")
    assert (skill.label, skill.unit) == ("instruction", "standard deviations among families")
    assert (score.label, score.unit) == ("mmlu", "expected score")
    assert 0.0 < first_sd(score) < 0.5


# -- costs ---------------------------------------------------------------------------------------


def test_items_are_the_default_cost(small_fit: lv.Fit) -> None:
    plan = plan_evaluations(small_fit, asked(), target="general")
    items = small_fit.panel.benchmarks["n_items"]
    assert list(plan.table["cost"]) == list(items.loc[plan.table["benchmark"]])
    assert plan.costs == "items"


def test_the_unit_of_the_costs_does_not_matter(small_fit: lv.Fit) -> None:
    costs = dict(zip(small_fit.benchmarks, (3.0, 1.0, 4.0, 1.5, 9.0, 2.0), strict=True))
    hours = planned(small_fit, target="general", costs=costs)
    dollars = planned(
        small_fit, target="general", costs={name: 40.0 * cost for name, cost in costs.items()}
    )
    assert list(hours.table["benchmark"]) == list(dollars.table["benchmark"])
    np.testing.assert_allclose(hours.table["sd_after"], dollars.table["sd_after"])


def test_a_benchmark_too_dear_is_run_last(small_fit: lv.Fit) -> None:
    costs = dict.fromkeys(small_fit.benchmarks, 1.0) | {"ifeval": 1e6}
    plan = planned(small_fit, costs=costs)
    assert plan.table["benchmark"].iloc[-1] == "ifeval"


def test_costs_are_equal_where_a_number_of_items_is_lacking_and_that_is_said(
    message: Message,
) -> None:
    rng, rows = np.random.default_rng(0), []
    for family in range(8):
        for size in (1.0, 7.0, 30.0):
            logits = np.log10(size) - 0.5 + rng.normal(0.0, 0.3, 2)
            scores = dict(zip(["mmlu", "own"], 1.0 / (1.0 + np.exp(-logits)), strict=True))
            name = f"f{family}-{size:g}b"
            rows.append({"model": name, "family": f"f{family}", "params_b": size} | scores)
    panel = lv.Panel.from_frame(pd.DataFrame(rows), benchmarks={"own": 0.0})
    fit = lv.LatentSkillModel(anchors={"all": "mmlu"}, features="log_params").fit(panel)
    plan = plan_evaluations(fit, pd.DataFrame([{"model": "new", "family": None, "params_b": 3.0}]))
    assert plan.costs == "equal"
    assert set(plan.table["cost"]) == {1.0}
    message(plan.words[-1], "own")


# -- words ---------------------------------------------------------------------------------------


def test_the_words_tell_the_first_steps_and_the_end(small_fit: lv.Fit, message: Message) -> None:
    plan = planned(small_fit, asked(family="yi", gsm8k=0.5))
    first, second = plan.table["benchmark"].iloc[:2]
    message(plan.words[0], "yi", "1")
    message(plan.words[1], first)
    message(plan.words[2], second)
    message(plan.words[-2], f"{plan.table['sd_after'].iloc[-1]:.3g}")
    message(plan.words[-1])


def test_a_page_shows_words_and_steps_with_names_made_safe(small_fit: lv.Fit) -> None:
    page = planned(small_fit, asked(model="<b>new</b>"))._repr_html_()
    assert "&lt;b&gt;new&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "ifeval" in page


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"target": "instuction"}, ["instruction"]),
        ({"costs": "hours"}, ["hours"]),
        ({"costs": 3.0}, ["3.0"]),
        ({"costs": {"mmlu": 1.0}}, ["arc"]),
        ({"costs": {"mmmu": 1.0}}, ["mmlu"]),
        ({"costs": {"mmlu": 0.0}, "among": ["mmlu"]}, ["mmlu", "0.0"]),
        ({"costs": {"mmlu": float("nan")}, "among": ["mmlu"]}, []),
        ({"among": ["arcc"]}, ["arc"]),
        ({"among": []}, []),
        ({"most": 0}, ["0"]),
        ({"models": pd.concat([asked(), asked(model="two")])}, ["2"]),
        ({"models": asked(family="nobody")}, []),
    ],
)
def test_bad_input_is_refused_with_its_remedy(
    small_fit: lv.Fit, options: dict[str, Any], quoted: list[str], message: Message
) -> None:
    with refused() as error:
        planned(small_fit, **options)
    message(error, *quoted)


# -- held-out models -----------------------------------------------------------------------------


def test_planned_order_comes_sooner_to_the_same_than_random_order(
    small_fit: lv.Fit, small_panel: lv.Panel
) -> None:
    """Three families are held out whole; true scores of their largest models are revealed."""
    names, rng = list(small_fit.benchmarks), np.random.default_rng(2)
    after: dict[str, list[list[float]]] = {"planned": [], "random": []}
    for family in ("yi", "qwen2", "pythia"):
        rest = [name for name in small_panel.families if name != family]
        fit = lv.Fit.of(refit(small_fit, small_panel.select(families=rest)))
        models = small_panel.models[small_panel.models["family"] == family]
        name = models["params_b"].idxmax()
        row = models.loc[[name]].assign(family=None)
        plan = planned(fit, row)
        orders = [list(plan.table["benchmark"]), *(list(rng.permutation(names)) for _ in range(12))]
        some = [
            row.rename(index={name: f"{number} {m}"}).assign(
                **small_panel.scores.loc[name, order[:m]].to_dict()
            )
            for number, order in enumerate(orders)
            for m in (1, 2, 3)
        ]
        request = read_request(fit, pd.concat(some), "error")
        weights = fit.frame.factor[0][fit.skills.index("instruction")]
        covariance = latent_posteriors(fit, request, [fit.frame])[1][0]
        sd = np.sqrt(weights @ covariance @ weights).reshape(len(orders), 3)
        after["planned"].append(list(sd[0]))
        after["random"].append(list(sd[1:].mean(axis=0)))
    planned_sd, random_sd = (np.mean(after[way], axis=0) for way in ("planned", "random"))
    assert (planned_sd < random_sd).all()
    assert planned_sd[0] < random_sd[1]
