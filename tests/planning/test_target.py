from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused

import lvkit as lv
from lvkit.planning.target import find_name, read_target
from lvkit.reports.plans import plan_family
from lvkit.widgets.planning import plan_budget


@pytest.fixture(scope="session")
def doubly_named(small_fit: lv.Fit) -> lv.Fit:
    """A fit with a skill that is called like a benchmark which does not anchor it."""
    return small_fit.reanchor({"arc": "mmlu", "instruction": "ifeval"})


def test_a_name_is_a_skill_or_a_benchmark(small_fit: lv.Fit, message: Message) -> None:
    skill, benchmark = (read_target(small_fit, name) for name in ("instruction", "gsm8k"))
    assert (skill.label, skill.kind, skill.names) == ("instruction", "skill", ("instruction",))
    assert skill.positions.tolist() == [small_fit.skills.index("instruction")]
    message(skill.unit)
    assert (benchmark.kind, benchmark.weights.tolist()) == ("benchmark", [1.0])
    assert benchmark.positions.tolist() == [small_fit.benchmarks.index("gsm8k")]
    message(benchmark.unit)


def test_a_name_that_is_both_has_to_say_which(doubly_named: lv.Fit, message: Message) -> None:
    targets = [read_target(doubly_named, name) for name in ("skill:arc", "benchmark:arc")]
    assert [(target.kind, target.names) for target in targets] == [
        ("skill", ("arc",)),
        ("benchmark", ("arc",)),
    ]
    assert [target.label for target in targets] == ["arc (skill)", "arc (benchmark)"]
    mix = read_target(doubly_named, {"benchmark:arc": 1.0, "gsm8k": 1.0})
    message(mix.label, "50%")


SIZE = {"params_b": 7.0, "tokens_t": 2.0}
ASKED: dict[str, Callable[[lv.Fit, Any], object]] = {
    "plan_compute": lambda fit, target: lv.plan_compute(fit, 1e22, target=target, level=None),
    "required_compute": lambda fit, target: lv.required_compute(fit, target=target, score=0.5),
    "compare_plans": lambda fit, target: lv.compare_plans(
        fit, 1e22, targets=["gsm8k", target], level=None
    ),
    "plan_evaluations": lambda fit, target: lv.plan_evaluations(
        fit, pd.DataFrame([{"model": "x", "family": None, **SIZE}]), target=target
    ),
    "plan_budget": lambda fit, target: plan_budget(fit, target=target, intervals=False),
    "plan_family": lambda fit, target: plan_family(
        fit, fit.families[0], 1e22, target=target, level=0.9, seed=0
    ),
}


@pytest.mark.parametrize("asked", list(ASKED))
def test_whatever_takes_a_target_refuses_a_name_that_is_both(
    asked: str, doubly_named: lv.Fit, message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        ASKED[asked](doubly_named, "arc")
    (problem,) = error.value.problems
    assert problem.where == "target"
    message(problem, "arc", "skill:arc", "benchmark:arc")
    ASKED[asked](doubly_named, "benchmark:arc")


def test_a_name_in_a_mix_that_is_both_is_refused(doubly_named: lv.Fit, message: Message) -> None:
    with refused("target", "skill:arc", "benchmark:arc") as error:
        read_target(doubly_named, {"arc": 1.0, "gsm8k": 2.0})
    message(error)


def test_a_saved_fit_with_skills_called_like_benchmarks_loads_and_asks_which(
    small_fit: lv.Fit, tmp_path: Path, message: Message
) -> None:
    small_fit.reanchor({"mmlu": "mmlu", "ifeval": "ifeval"}).save(tmp_path / "old.lvkit")
    old = lv.load_fit(tmp_path / "old.lvkit")
    assert old.skills == ("mmlu", "ifeval")
    with refused("target", "skill:mmlu", "benchmark:mmlu") as error:
        read_target(old, "mmlu")
    message(error)
    assert read_target(old, "bbh").kind == "benchmark"


def test_a_name_that_begins_like_a_kind_can_still_be_written() -> None:
    skills, benchmarks = ["maths"], ["skill:maths", "benchmark"]
    assert find_name("skill:maths", skills, benchmarks) == ("skill", "maths")
    assert find_name("benchmark:skill:maths", skills, benchmarks) == ("benchmark", "skill:maths")
    assert find_name("benchmark", skills, benchmarks) == ("benchmark", "benchmark")


def test_automatic_skills_are_never_meant_by_a_benchmark_s_name(small_panel: lv.Panel) -> None:
    for n_skills in (1, 2):
        fit = lv.LatentSkillModel(n_skills=n_skills, features="log_params").fit(small_panel)
        kinds = {read_target(fit, name).kind for name in fit.benchmarks}
        assert kinds == {"benchmark"}
        assert {read_target(fit, name).kind for name in fit.skills} == {"skill"}


def test_weights_are_scaled_to_add_up_to_one(small_fit: lv.Fit) -> None:
    mix = read_target(small_fit, {"mmlu": 3, "gsm8k": 1.0})
    assert mix.weights.tolist() == [0.75, 0.25]
    assert mix.label == "75% mmlu + 25% gsm8k"
    assert [small_fit.benchmarks[at] for at in mix.positions] == ["mmlu", "gsm8k"]


def test_a_weight_of_zero_leaves_the_name_out(small_fit: lv.Fit) -> None:
    mix = read_target(small_fit, {"mmlu": 2.0, "gsm8k": 0.0})
    assert (mix.label, mix.names, mix.weights.tolist()) == ("mmlu", ("mmlu",), [1.0])


@pytest.mark.parametrize(
    ("target", "quoted"),
    [
        ("mmul", ["'mmul'", "mmlu"]),
        ("benchmark:general", ["benchmark:general"]),
        ({"general": 1.0, "gsm8": 1.0}, ["'gsm8'", "gsm8k"]),
        ({"general": 1.0, "gsm8k": 1.0}, []),
        ({"mmlu": 0.0, "arc": 0.0}, []),
        ({"mmlu": 1.0, "arc": -0.5}, ["-0.5", "arc", "0"]),
        ({"mmlu": np.nan}, ["nan", "mmlu", "0"]),
        ({"mmlu": np.inf}, ["inf", "mmlu"]),
        ({"mmlu": "much"}, ["'much'", "mmlu"]),
        ({"mmlu": True}, ["True", "mmlu"]),
        ({"mmlu": 1.0, "benchmark:mmlu": 1.0}, ["'mmlu' twice"]),
        ({}, ["{}"]),
        (["mmlu"], ["['mmlu']"]),
        (None, ["None"]),
    ],
)
def test_targets_that_are_none_are_refused(
    small_fit: lv.Fit, target: Any, quoted: list[str], message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as error:
        read_target(small_fit, target)
    assert error.value.problems[0].where.startswith("target")
    message(error, *quoted)


def test_a_series_of_weights_is_a_mix(curved_fit: lv.Fit) -> None:
    found = read_target(curved_fit, pd.Series({"mmlu": 3.0, "arc": 1.0}))  # type: ignore[arg-type]
    assert dict(zip(found.names, found.weights, strict=True)) == {"mmlu": 0.75, "arc": 0.25}


def test_weights_that_overflow_are_refused(curved_fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="infinity"):
        read_target(curved_fit, {"mmlu": 1e308, "arc": 1e308})
