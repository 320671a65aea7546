from __future__ import annotations

import warnings
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import Message

import lvkit as lv
from lvkit.estimation.anchor_choice import (
    AnchorSuggestions,
    anchor_reliability,
    automatic_names,
    suggest_anchors,
)
from lvkit.model.parameters import Parameters, anchor
from lvkit.model.prepared import prepare


def make_parameters(loadings: Any, correlation: Any = None) -> Parameters:
    loadings = np.asarray(loadings, dtype=float)
    n_benchmarks, n_skills = loadings.shape
    return Parameters(
        loadings=loadings,
        intercepts=np.zeros(n_benchmarks),
        precisions=np.full(n_benchmarks, 50.0),
        floors=np.zeros(n_benchmarks),
        slopes=np.ones((n_skills, 1)),
        correlation=np.eye(n_skills) if correlation is None else np.asarray(correlation),
    )


SIMPLE = make_parameters([[1.0, 0.0], [0.9, 0.0], [0.0, 1.0], [0.0, 0.7], [0.6, 0.5]])
NAMES = ("arc", "bbh", "gsm8k", "ifeval", "mmlu")


def suggested(params: Parameters, names: tuple[str, ...], most: int = 20) -> AnchorSuggestions:
    """Return suggestions where all benchmarks are equally reliable."""
    return suggest_anchors(params.frame, names, np.full(len(names), 0.9), most)


def test_the_best_anchors_give_each_benchmark_one_skill() -> None:
    table = suggested(SIMPLE, NAMES).table
    first, *_ = table["anchors"]
    assert set(first) & {"arc", "bbh"}
    assert set(first) & {"gsm8k", "ifeval"}


def test_sets_are_ranked_by_their_score() -> None:
    table = suggested(SIMPLE, NAMES).table
    assert table.index.tolist() == list(range(1, len(table) + 1))
    assert table["score"].is_monotonic_increasing
    assert list(table.columns) == [
        *("anchors", "complexity", "mean_correlation", "max_correlation", "reliability"),
        *("score", "reason"),
    ]


def test_anchors_of_one_and_the_same_skill_come_last() -> None:
    table = suggested(SIMPLE, NAMES).table
    worst = [set(anchors) for anchors in table["anchors"].iloc[-2:]]
    assert {"arc", "bbh"} in worst
    assert {"gsm8k", "ifeval"} in worst


def test_a_set_with_skills_that_are_hardly_two_says_so(message: Message) -> None:
    near = make_parameters([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0]])
    table = suggested(near, ("a", "b", "c")).table
    row = table[table["anchors"] == ("a", "b")].iloc[0]
    message(row["reason"])
    assert row["max_correlation"] > 0.95
    assert row.name == len(table)


def test_the_measures_are_those_of_the_re_anchored_fit() -> None:
    correlated = make_parameters(SIMPLE.loadings, [[1.0, 0.4], [0.4, 1.0]])
    table = suggested(correlated, NAMES).table
    row = table[table["anchors"] == ("gsm8k", "mmlu")].iloc[0]
    found = Parameters.of(anchor(correlated.frame, (2, 4), ("gsm8k", "mmlu")))
    squares = np.square(found.loadings)
    complexity = squares.sum(axis=1) ** 2 / np.square(squares).sum(axis=1)
    negative = np.where(found.loadings < 0.0, squares, 0.0).sum(axis=1) / squares.sum(axis=1)
    assert row["complexity"] == pytest.approx((complexity + negative).mean())
    assert row["mean_correlation"] == pytest.approx(abs(found.correlation[0, 1]))


def test_suggestions_do_not_depend_on_the_frame() -> None:
    other = SIMPLE.frame.change(np.array([[2.0, 0.3], [-1.0, 0.8]]))
    first, second = (
        suggest_anchors(f, NAMES, np.full(5, 0.9)).table for f in (SIMPLE.frame, other)
    )
    assert first["anchors"].tolist() == second["anchors"].tolist()
    np.testing.assert_allclose(first["score"], second["score"])


def test_one_skill_has_no_correlations() -> None:
    table = suggested(make_parameters([[1.0], [0.5]]), ("a", "b")).table
    assert (table[["mean_correlation", "max_correlation"]] == 0.0).all(axis=None)
    assert table["complexity"].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("others", "quoted"),
    [
        ([[0.5, 0.0, 0.0]], []),
        ([[1.0, 0.9, 0.0]], []),
        ([[1.0, 0.9, 0.8]], ["mixed"]),
    ],
)
def test_the_reason_names_the_structure(others: Any, quoted: list[str], message: Message) -> None:
    loadings = np.array([*np.eye(3), *others * 9])
    names = tuple(f"b{j:02}" for j in range(len(loadings)))
    table = suggested(make_parameters(loadings), names, 1_000).table
    row = table[table["anchors"] == names[:3]].iloc[0]
    message(row["reason"], *quoted)


def test_the_best_set_names_each_skill_after_its_anchor() -> None:
    best = suggested(SIMPLE, NAMES).best
    assert list(best) == [f"{anchor}_skill" for anchor in best.values()]
    assert list(suggested(make_parameters([[1.0], [0.5]]), ("a", "b")).best) == ["general"]


def test_as_many_sets_are_returned_as_asked_for() -> None:
    assert len(suggested(SIMPLE, NAMES, 3).table) == 3
    assert len(suggested(SIMPLE, NAMES, 100).table) == comb(5, 2)


def test_very_many_benchmarks_are_thinned_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvkit.estimation.anchor_choice._MOST_SETS", 3)
    table = suggested(SIMPLE, NAMES).table
    assert len(table) == comb(3, 2)
    kept = {name for anchors in table["anchors"] for name in anchors}
    assert len(kept & {"arc", "bbh"}) == 1  # copies of one another: one of them is enough
    assert len(kept & {"gsm8k", "ifeval"}) == 1


def test_suggestions_are_shown_as_a_table(message: Message) -> None:
    html = suggested(SIMPLE, NAMES)._repr_html_()
    assert html.count("<tr") == 1 + 1 + 10  # names of columns and index, ten sets
    message(html)


def test_a_fit_can_be_read_through_every_set_it_suggests(small_fit: lv.Fit) -> None:
    for anchors in small_fit.suggest_anchors(5).table["anchors"]:
        again = small_fit.reanchor({name: name for name in anchors})
        assert again.loglik == small_fit.loglik


def test_anchors_chosen_by_lvkit_are_the_best_suggested(small_panel: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=2).fit(small_panel)
    assert fit.anchors == fit.suggest_anchors().best


@pytest.mark.parametrize(
    ("anchors", "benchmarks", "names"),
    [
        (["mmlu"], ["mmlu", "arc"], ["general"]),
        (["mmlu"], ["mmlu", "general"], ["general_skill"]),
        (["general"], ["general", "general_skill"], ["general_skill2"]),
        (["mmlu"], ["mmlu", "General"], ["general_skill"]),
        (["arc", "mmlu"], ["arc", "mmlu", "general"], ["arc_skill", "mmlu_skill"]),
        (
            ["a", "a_skill"],
            ["a", "a_skill", "a_skill2", "A_SKILL_SKILL"],
            ["a_skill3", "a_skill_skill2"],
        ),
    ],
)
def test_automatic_names_are_no_benchmark_s(
    anchors: list[str], benchmarks: list[str], names: list[str]
) -> None:
    found = automatic_names(anchors, benchmarks)
    assert list(found) == names
    assert list(found.values()) == anchors


def noisy_panel(seed: int, noise: str, *, scored: int = 8) -> lv.Panel:
    """Two skills, six benchmarks that measure them, noise, a near copy, a column of few scores."""
    rng = np.random.default_rng(seed)
    names = ["mmlu", "arc", "hellaswag", "gsm8k", "bbh", "musr"]
    loadings = np.abs(rng.normal(0.7, 0.25, (6, 2)))
    loadings *= np.where(np.arange(6)[:, None] % 2 == np.arange(2), 1.0, 0.25)
    rows = []
    for family in range(14):
        effect, tokens = rng.normal(0.0, 1.0, 2), rng.choice([0.3, 1.0, 2.0, 3.0, 8.0])
        for size in (1.1, 7.0, 34.0) if family % 2 else (3.0, 13.0, 70.0):
            skill = 0.6 * effect + 1.2 * np.log10(size) + 0.5 * np.log10(tokens) - 1.0
            mean = 1.0 / (1.0 + np.exp(-(loadings @ skill + np.linspace(-0.5, 1.2, 6))))
            scores = rng.beta(80.0 * mean, 80.0 * (1.0 - mean))
            copy = np.clip(scores[0] + rng.normal(0.0, 0.005), 0.01, 0.99)
            model = [f"f{family}-{size}b", f"f{family}", size, tokens]
            rows.append([*model, *scores, rng.beta(60.0, 60.0), copy, scores[1]])
    columns = ["model", "family", "params_b", "tokens_t", *names, noise, "copy", "few"]
    table = pd.DataFrame(rows, columns=columns)
    table.loc[rng.permutation(len(table))[scored:], "few"] = np.nan
    return lv.Panel.from_frame(table, benchmarks={noise: 0.5, "copy": 0.25, "few": 0.25})


@pytest.mark.parametrize("n_skills", [1, 2, 3])
@pytest.mark.parametrize(("seed", "noise"), [(0, "aaa"), (1, "aaa"), (2, "mzz"), (3, "zzz")])
def test_noise_and_few_scores_are_no_anchors(seed: int, noise: str, n_skills: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lv.LvkitWarning)  # of eight scores that are fitted exactly
        fit = lv.LatentSkillModel(n_skills=n_skills).fit(noisy_panel(seed, noise))
    assert {noise, "few"} & {*fit.anchors.values()} == set()
    reliability = anchor_reliability(fit.frame, fit.prepared.table)
    measured = dict(zip(fit.benchmarks, reliability, strict=True))
    assert measured["few"] == 0.0
    assert measured[noise] < 0.4 < measured["mmlu"]


def test_a_third_of_the_median_is_enough_to_be_an_anchor() -> None:
    found = {}
    for scored in (13, 14):
        panel = noisy_panel(0, "noise", scored=scored)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", lv.LvkitWarning)
            fit = lv.LatentSkillModel(n_skills=1).fit(panel)
        reliability = anchor_reliability(fit.frame, fit.prepared.table)
        found[scored] = reliability[fit.benchmarks.index("few")]
    assert found[13] == 0.0 < found[14]


def test_reliability_is_the_squared_correlation_of_scores_and_skill() -> None:
    loadings = np.array([[0.4, 0.0], [0.0, 0.3], [0.2, 0.2]])
    truth = lv.Parameters(
        loadings=loadings,
        intercepts=np.array([0.0, 0.5, -0.5]),
        precisions=np.array([80.0, 20.0, 300.0]),
        floors=np.zeros(3),
        slopes=np.array([[0.5], [0.2]]),
        correlation=np.array([[1.0, 0.3], [0.3, 1.0]]),
    )
    models = lv.simulate_models(n_families=4_000, models_per_family=1, seed=1)
    drawn = lv.simulate(truth, models, features="log_params", seed=2)
    prepared = prepare(drawn, "log_params", clip=0.0025)
    reliability = anchor_reliability(truth.frame, prepared.table)
    predictor = drawn.truth.skill_scores.loc[list(prepared.models)].to_numpy() @ loadings.T
    scores = drawn.scores.loc[list(prepared.models)].to_numpy().clip(0.0025, 0.9975)
    logits = np.log(scores / (1.0 - scores))
    squared = [np.corrcoef(predictor[:, j], logits[:, j])[0, 1] ** 2 for j in range(3)]
    np.testing.assert_allclose(reliability, squared, atol=0.03)


def test_reliability_depends_neither_on_the_frame_nor_on_the_order(small_fit: lv.Fit) -> None:
    table = small_fit.prepared.table
    first = anchor_reliability(small_fit.frame, table)
    turned = small_fit.frame.change(np.array([[2.0, 0.3], [-1.0, 0.8]]))
    np.testing.assert_allclose(anchor_reliability(turned, table), first)
    other = small_fit.reanchor({"a": "gsm8k", "b": "arc"})
    assert other.suggest_anchors().best == small_fit.suggest_anchors().best


def test_an_unreliable_anchor_comes_behind_skills_that_are_hardly_two(message: Message) -> None:
    near = make_parameters([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0]])
    names, reliability = ("a", "b", "noise"), np.array([0.9, 0.9, 0.3])
    table = suggest_anchors(near.frame, names, reliability).table
    assert table["anchors"].iloc[0] == ("a", "b")
    message(table["reason"].iloc[1], "0.30")


def test_very_many_benchmarks_are_thinned_from_the_unreliable_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lvkit.estimation.anchor_choice._MOST_SETS", 3)
    reliability = np.array([0.9, 0.8, 0.2, 0.7, 0.9])
    table = suggest_anchors(SIMPLE.frame, NAMES, reliability).table
    kept = {name for anchors in table["anchors"] for name in anchors}
    assert kept == {"arc", "ifeval", "mmlu"}  # without gsm8k, and without the copy of arc
