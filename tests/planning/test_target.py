from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lvkit as lv
from lvkit.planning.target import read_target


@pytest.fixture(scope="session")
def doubly_named(small_fit: lv.Fit) -> lv.Fit:
    """A fit with a skill that is called like a benchmark which does not anchor it."""
    return small_fit.reanchor({"arc": "mmlu", "instruction": "ifeval"})


def test_a_name_is_a_skill_or_a_benchmark(small_fit: lv.Fit) -> None:
    skill, benchmark = (read_target(small_fit, name) for name in ("instruction", "gsm8k"))
    assert (skill.label, skill.kind, skill.names) == ("instruction", "skill", ("instruction",))
    assert skill.positions.tolist() == [small_fit.skills.index("instruction")]
    assert skill.unit == "standard deviations among families"
    assert (benchmark.kind, benchmark.weights.tolist()) == ("benchmark", [1.0])
    assert benchmark.positions.tolist() == [small_fit.benchmarks.index("gsm8k")]
    assert benchmark.unit == "expected score"


def test_a_name_that_is_both_means_the_skill_unless_it_says_otherwise(doubly_named: lv.Fit) -> None:
    kinds = {name: read_target(doubly_named, name).kind for name in ("arc", "skill:arc")}
    assert kinds == {"arc": "skill", "skill:arc": "skill"}
    benchmark = read_target(doubly_named, "benchmark:arc")
    assert (benchmark.kind, benchmark.names) == ("benchmark", ("arc",))


def test_weights_are_scaled_to_add_up_to_one(small_fit: lv.Fit) -> None:
    mix = read_target(small_fit, {"mmlu": 3, "gsm8k": 1.0})
    assert mix.weights.tolist() == [0.75, 0.25]
    assert mix.label == "75% mmlu + 25% gsm8k"
    assert [small_fit.benchmarks[at] for at in mix.positions] == ["mmlu", "gsm8k"]


def test_a_weight_of_zero_leaves_the_name_out(small_fit: lv.Fit) -> None:
    mix = read_target(small_fit, {"mmlu": 2.0, "gsm8k": 0.0})
    assert (mix.label, mix.names, mix.weights.tolist()) == ("mmlu", ("mmlu",), [1.0])


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("mmul", ["'mmul'", "general, instruction", "mmlu", "Did you mean 'mmlu'?"]),
        ("benchmark:general", ["benchmark:general", "a skill (general, instruction)"]),
        ({"general": 1.0, "gsm8": 1.0}, ["'gsm8'", "Did you mean 'gsm8k'?"]),
        ({"general": 1.0, "gsm8k": 1.0}, ["skills together with benchmarks", "different units"]),
        ({"mmlu": 0.0, "arc": 0.0}, ["add up to zero", "a weight above zero"]),
        ({"mmlu": 1.0, "arc": -0.5}, ["-0.5", "weight of 'arc'", "0 or more"]),
        ({"mmlu": np.nan}, ["nan", "weight of 'mmlu'", "0 or more"]),
        ({"mmlu": np.inf}, ["inf", "weight of 'mmlu'"]),
        ({"mmlu": "much"}, ["'much'", "weight of 'mmlu'"]),
        ({"mmlu": True}, ["True", "weight of 'mmlu'"]),
        ({"mmlu": 1.0, "benchmark:mmlu": 1.0}, ["'mmlu' twice", "each name once"]),
        ({}, ["{}", "a mapping of such names to weights"]),
        (["mmlu"], ["['mmlu']", "a skill, a benchmark, or a mapping"]),
        (None, ["None", "a skill, a benchmark"]),
    ],
)
def test_targets_that_are_none_are_refused(
    small_fit: lv.Fit, target: Any, words: list[str]
) -> None:
    with pytest.raises(lv.LvkitError) as refused:
        read_target(small_fit, target)
    assert refused.value.problems[0].where.startswith("target")
    assert [word for word in words if word not in str(refused.value)] == []


def test_a_series_of_weights_is_a_mix(curved_fit: lv.Fit) -> None:
    found = read_target(curved_fit, pd.Series({"mmlu": 3.0, "arc": 1.0}))  # type: ignore[arg-type]
    assert dict(zip(found.names, found.weights, strict=True)) == {"mmlu": 0.75, "arc": 0.25}


def test_weights_that_overflow_are_refused(curved_fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="infinity"):
        read_target(curved_fit, {"mmlu": 1e308, "arc": 1e308})
