from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.family_curves import AVERAGE

POINT = ("params_b", "tokens_t", "tokens_per_param")


@pytest.mark.parametrize("family", ["qwen2", None, AVERAGE])
@pytest.mark.parametrize("budget", [1e22, 3.7e23])
def test_the_median_that_a_budget_reaches_needs_that_budget(
    curved_fit: lv.Fit, budget: float, family: str | None
) -> None:
    plan = lv.plan_compute(curved_fit, budget, target="general", family=family).table.iloc[0]
    need = lv.required_compute(curved_fit, target="general", score=plan["median"], family=family)
    assert need.feasible
    assert need.compute == pytest.approx(budget, rel=1e-6)
    assert need.probability == pytest.approx(0.5, abs=1e-3)
    for name in POINT:
        assert getattr(need, name) == pytest.approx(plan[name], rel=1e-6)


@pytest.mark.parametrize("target", ["gsm8k", {"mmlu": 1.0, "gsm8k": 2.0}])
def test_without_noise_the_same_holds_for_expected_scores(curved_fit: lv.Fit, target: Any) -> None:
    asked = {"target": target, "family": "qwen2", "limits": lv.Limits(max_tokens_t=30.0)}
    plan = lv.plan_compute(curved_fit, 1e23, **asked).table.iloc[0]
    for probability, score in ((0.5, plan["median"]), (0.975, plan["lower"])):
        need = lv.required_compute(
            curved_fit, score=score, probability=probability, noise=False, **asked
        )
        assert need.compute == pytest.approx(1e23, rel=1e-5)


def test_what_is_needed_is_spent_on_size_and_tokens(curved_fit: lv.Fit) -> None:
    cost = lv.Cost(serving_tokens_t=0.5)
    need = lv.required_compute(
        curved_fit, target="mmlu", score=0.6, family="qwen2", cost=cost, probability=0.8
    )
    spent = cost.flops(np.log10(need.params_b), np.log10(need.tokens_t))
    assert spent == pytest.approx(need.compute, rel=1e-9)
    assert need.tokens_per_param == pytest.approx(1000.0 * need.tokens_t / need.params_b)


@pytest.mark.parametrize(("target", "scores"), [("general", (0.0, 1.0)), ("mmlu", (0.5, 0.6))])
def test_a_higher_score_or_a_higher_probability_takes_more(
    curved_fit: lv.Fit, target: str, scores: tuple[float, float]
) -> None:
    needed = [
        lv.required_compute(
            curved_fit, target=target, family="qwen2", score=score, probability=probability
        ).compute
        for score in scores
        for probability in (0.4, 0.9)
    ]
    assert (np.diff(needed[:2]) > 0.0).all()
    assert (np.diff(needed[2:]) > 0.0).all()
    assert (np.array(needed[2:]) > needed[:2]).all()


def test_a_measured_score_takes_more_than_an_expected_one_to_be_sure_of(
    curved_fit: lv.Fit,
) -> None:
    asked: dict[str, Any] = {"target": "mmlu", "score": 0.6, "family": "qwen2"}
    for probability, more in ((0.9, True), (0.1, False)):
        measured, expected = (
            lv.required_compute(curved_fit, probability=probability, noise=noise, **asked).compute
            for noise in (True, False)
        )
        assert (measured > expected) == more


@pytest.mark.parametrize(("target", "off"), [("mmlu", 0.006), ({"mmlu": 1.0, "gsm8k": 1.0}, 0.025)])
def test_the_probability_is_that_of_scores_drawn_there(
    curved_fit: lv.Fit, target: Any, off: float
) -> None:
    """That of a mix is by a normal approximation; a score of gsm8k here scatters very widely."""
    need = lv.required_compute(
        curved_fit, target=target, score=0.6, probability=0.8, family="qwen2"
    )
    assert need.probability == pytest.approx(0.8, abs=1e-6)
    aim, names = need.aim, list(target) if isinstance(target, dict) else [target]
    basis = aim.surface.basis(np.log10([need.params_b]), np.log10([need.tokens_t]))
    total, rng = np.zeros((50, 2_400)), np.random.default_rng(0)
    for name in names:
        j = curved_fit.benchmarks.index(name)
        mean = aim.draws.scores(j, basis)[0]
        phi = np.repeat(aim.draws.precisions[:, j], 8)
        total += rng.beta(mean * phi, (1.0 - mean) * phi, total.shape) / len(names)
    assert (total >= 0.6).mean() == pytest.approx(0.8, abs=off)


def test_limits_are_kept(curved_fit: lv.Fit) -> None:
    free = lv.required_compute(curved_fit, target="mmlu", score=0.6, family="qwen2")
    limits = lv.Limits(max_tokens_t=free.tokens_t / 3.0)
    bound = lv.required_compute(curved_fit, target="mmlu", score=0.6, family="qwen2", limits=limits)
    assert bound.tokens_t == pytest.approx(free.tokens_t / 3.0)
    assert bound.compute > free.compute


def test_what_cannot_be_reached_is_an_answer(curved_fit: lv.Fit, message: Message) -> None:
    limits = lv.Limits(max_params_b=1.0, max_tokens_t=1.0)
    need = lv.required_compute(
        curved_fit, target="mmlu", score=0.9, probability=0.9, family="qwen2", limits=limits
    )
    assert not need.feasible
    assert all(np.isnan(getattr(need, name)) for name in ("compute", *POINT, "distance"))
    assert not need.extrapolates
    assert need.probability < 0.9
    message(need.reason, "0.9", "90%")
    assert need.words[0] == need.reason
    assert "feasible=False" in repr(need)
    message(need._repr_html_())


def test_a_score_that_the_least_model_has_takes_the_least_that_is_looked_at(
    curved_fit: lv.Fit, message: Message
) -> None:
    limits = lv.Limits(min_params_b=50.0, min_tokens_t=10.0)
    need = lv.required_compute(curved_fit, target="mmlu", score=0.3, family="qwen2", limits=limits)
    assert need.compute == pytest.approx(6.0 * 50e9 * 10e12)
    message(need.reason)


def test_a_formula_that_is_no_parabola_is_searched_from_end_to_end(cubed_fit: lv.Fit) -> None:
    plan = lv.plan_compute(cubed_fit, 1e23, target="general", family="qwen2").table.iloc[0]
    need = lv.required_compute(cubed_fit, target="general", score=plan["median"], family="qwen2")
    assert need.compute == pytest.approx(1e23, rel=1e-4)


def test_the_same_seed_gives_the_same_answer(curved_fit: lv.Fit) -> None:
    asked: dict[str, Any] = {"target": "mmlu", "score": 0.6, "probability": 0.9}
    one, same, other = (
        lv.required_compute(curved_fit, seed=seed, **asked).compute for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_the_answer_says_how_far_it_leaves_the_data(curved_fit: lv.Fit, message: Message) -> None:
    far = lv.required_compute(curved_fit, target="general", score=8.0)
    assert far.extrapolates
    assert far.distance > 0.5
    message("\n".join(far.words))


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ({"score": 1.0}, ["1.0", "0", "1"]),
        ({"score": 60}, ["60", "100"]),
        ({"score": np.nan}, []),
        ({"score": "high"}, ["high"]),
        ({"target": "general", "score": np.inf}, []),
        ({"probability": 0.0}, ["0.0", "0", "1"]),
        ({"probability": 90}, ["90"]),
        ({"probability": None}, []),
        ({"family": "qwen3"}, ["qwen3"]),
        ({"target": "nothing"}, ["nothing"]),
    ],
)
def test_questions_that_are_none_are_refused(
    curved_fit: lv.Fit, asked: dict[str, Any], quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        lv.required_compute(curved_fit, **({"target": "mmlu", "score": 0.6} | asked))
    message(error, *quoted)


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ({"target": "mmlu", "score": 0.6}, ["0.6"]),
        ({"target": "mmlu", "score": 0.6, "noise": False}, ["0.6"]),
        ({"target": {"mmlu": 1.0, "arc": 1.0}, "score": 0.6}, ["0.6", "50%"]),
        ({"target": "general", "score": 0.7}, ["0.7", "general"]),
        ({"target": "general", "score": 1}, ["1", "general"]),
        ({"target": {"general": 3.0, "instruction": 1.0}, "score": 0.7}, ["75%", "25%"]),
    ],
)
def test_the_answer_names_the_unit_of_what_is_reached(
    curved_fit: lv.Fit, asked: dict[str, Any], quoted: list[str], message: Message
) -> None:
    need = lv.required_compute(curved_fit, family="qwen2", **asked)
    assert need.feasible
    message(need.reason, *quoted)


def test_a_fit_that_did_not_converge_is_refused(unfinished_fit: lv.Fit, message: Message) -> None:
    with refused() as error:
        lv.required_compute(unfinished_fit, target="mmlu", score=0.6)
    message(error)


def test_a_need_at_an_end_of_the_bracket_is_no_recommendation(
    paper_fit: lv.Fit, message: Message
) -> None:
    asked = {"target": "hellaswag", "score": 0.85, "probability": 0.9}
    corner = lv.required_compute(paper_fit, **asked)
    message(corner.corner)
    message(corner.words[1])
    limits = lv.Limits(min_tokens_per_param=20.0)
    built = lv.required_compute(paper_fit, limits=limits, **asked)
    assert built.corner == "min_tokens_per_param"
    message(" ".join(built.words))
    assert built.compute > corner.compute
