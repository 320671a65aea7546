from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
import pytest

import lvkit as lv
from lvkit.anchors import suggest_anchors
from lvkit.parameters import Parameters, anchor


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


def test_the_best_anchors_give_each_benchmark_one_skill() -> None:
    table = suggest_anchors(SIMPLE.frame, NAMES).table
    first, *_ = table["anchors"]
    assert set(first) & {"arc", "bbh"}
    assert set(first) & {"gsm8k", "ifeval"}


def test_sets_are_ranked_by_their_score() -> None:
    table = suggest_anchors(SIMPLE.frame, NAMES).table
    assert table.index.tolist() == list(range(1, len(table) + 1))
    assert table["score"].is_monotonic_increasing
    assert list(table.columns) == [
        *("anchors", "complexity", "mean_correlation", "max_correlation", "score", "reason")
    ]


def test_anchors_of_one_and_the_same_skill_come_last() -> None:
    table = suggest_anchors(SIMPLE.frame, NAMES).table
    worst = [set(anchors) for anchors in table["anchors"].iloc[-2:]]
    assert {"arc", "bbh"} in worst
    assert {"gsm8k", "ifeval"} in worst


def test_a_set_with_skills_that_are_hardly_two_says_so() -> None:
    near = make_parameters([[1.0, 0.0], [1.0, 0.05], [0.0, 1.0]])
    table = suggest_anchors(near.frame, ("a", "b", "c")).table
    row = table[table["anchors"] == ("a", "b")].iloc[0]
    assert "hardly two" in row["reason"]
    assert row["max_correlation"] > 0.95
    assert row.name == len(table)


def test_the_measures_are_those_of_the_re_anchored_fit() -> None:
    correlated = make_parameters(SIMPLE.loadings, [[1.0, 0.4], [0.4, 1.0]])
    table = suggest_anchors(correlated.frame, NAMES).table
    row = table[table["anchors"] == ("gsm8k", "mmlu")].iloc[0]
    found = Parameters.of(anchor(correlated.frame, (2, 4), ("gsm8k", "mmlu")))
    squares = np.square(found.loadings)
    complexity = squares.sum(axis=1) ** 2 / np.square(squares).sum(axis=1)
    negative = np.where(found.loadings < 0.0, squares, 0.0).sum(axis=1) / squares.sum(axis=1)
    assert row["complexity"] == pytest.approx((complexity + negative).mean())
    assert row["mean_correlation"] == pytest.approx(abs(found.correlation[0, 1]))


def test_suggestions_do_not_depend_on_the_frame() -> None:
    other = SIMPLE.frame.change(np.array([[2.0, 0.3], [-1.0, 0.8]]))
    first, second = (suggest_anchors(f, NAMES).table for f in (SIMPLE.frame, other))
    assert first["anchors"].tolist() == second["anchors"].tolist()
    np.testing.assert_allclose(first["score"], second["score"])


def test_one_skill_has_no_correlations() -> None:
    table = suggest_anchors(make_parameters([[1.0], [0.5]]).frame, ("a", "b")).table
    assert (table[["mean_correlation", "max_correlation"]] == 0.0).all(axis=None)
    assert table["complexity"].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("others", "word"),
    [
        ([[0.5, 0.0, 0.0]], "simple structure"),
        ([[1.0, 0.9, 0.0]], "fair structure"),
        ([[1.0, 0.9, 0.8]], "mixed"),
    ],
)
def test_the_reason_names_the_structure(others: Any, word: str) -> None:
    loadings = np.array([*np.eye(3), *others * 9])
    names = tuple(f"b{j:02}" for j in range(len(loadings)))
    table = suggest_anchors(make_parameters(loadings).frame, names, 1_000).table
    row = table[table["anchors"] == names[:3]].iloc[0]
    assert word in row["reason"]


def test_the_best_set_names_each_skill_after_its_anchor() -> None:
    best = suggest_anchors(SIMPLE.frame, NAMES).best
    assert list(best) == list(best.values())


def test_as_many_sets_are_returned_as_asked_for() -> None:
    assert len(suggest_anchors(SIMPLE.frame, NAMES, 3).table) == 3
    assert len(suggest_anchors(SIMPLE.frame, NAMES, 100).table) == comb(5, 2)


def test_very_many_benchmarks_are_thinned_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvkit.anchors._MOST_SETS", 3)
    table = suggest_anchors(SIMPLE.frame, NAMES).table
    assert len(table) == comb(3, 2)
    kept = {name for anchors in table["anchors"] for name in anchors}
    assert len(kept & {"arc", "bbh"}) == 1  # copies of one another: one of them is enough
    assert len(kept & {"gsm8k", "ifeval"}) == 1


def test_suggestions_are_shown_as_a_table() -> None:
    html = suggest_anchors(SIMPLE.frame, NAMES)._repr_html_()
    assert html.count("<tr") == 1 + 1 + 10  # names of columns and index, ten sets
    assert "simple structure" in html


def test_a_fit_can_be_read_through_every_set_it_suggests(small_fit: lv.Fit) -> None:
    for anchors in small_fit.suggest_anchors(5).table["anchors"]:
        again = small_fit.reanchor({name: name for name in anchors})
        assert again.loglik == small_fit.loglik


def test_anchors_chosen_by_lvkit_are_the_best_suggested(small_panel: lv.Panel) -> None:
    fit = lv.LatentSkillModel(n_skills=2).fit(small_panel)
    assert fit.anchors == fit.suggest_anchors().best
