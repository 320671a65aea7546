from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from pictures import texts

import lvkit as lv
from lvkit import plots


def test_scores_are_drawn_on_a_logarithmic_axis_by_family(leaderboard: lv.Panel) -> None:
    ax = plots.plot_scores(leaderboard, "bbh", against="tokens_t")
    assert ax.get_xscale() == "log"
    drawn = sum(np.isfinite(line.get_ydata()).sum() for line in ax.lines)
    both = leaderboard.scores["bbh"].notna() & leaderboard.models["tokens_t"].notna()
    assert drawn == both.sum()
    assert len(ax.get_legend().get_texts()) == 8


def test_the_families_asked_for_are_in_colour(leaderboard: lv.Panel, message: Message) -> None:
    ax = plots.plot_scores(leaderboard, "mmlu", families=["opt", "bloom"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["opt", "bloom"]
    with refused() as error:
        plots.plot_scores(leaderboard, "mmlu", families=["optt"])
    message(error, "optt", "opt")


def test_more_families_than_colours_stay_grey(leaderboard: lv.Panel) -> None:
    ax = plots.plot_scores(leaderboard, "mmlu", families=leaderboard.families)
    assert len(ax.get_legend().get_texts()) == 8
    drawn = sum(np.isfinite(line.get_ydata()).sum() for line in ax.lines)
    assert drawn == leaderboard.scores["mmlu"].count()


def test_a_grey_line_joins_models_of_one_family_only(leaderboard: lv.Panel) -> None:
    some = leaderboard.select(families=["opt", "bloom", "qwen2"])
    grey, _ = plots.plot_scores(some, "mmlu", families=["qwen2"]).lines
    x, y = grey.get_data()
    breaks = np.flatnonzero(np.isnan(y))
    joined = [
        set(zip(*part, strict=True))
        for part in zip(np.split(x, breaks), np.split(y, breaks), strict=True)
    ]
    families = some.models.assign(y=some.scores["mmlu"]).dropna(subset="y").groupby("family")
    pairs = {name: set(zip(rows["params_b"], rows["y"], strict=True)) for name, rows in families}
    found = [{(a, b) for a, b in part if b == b} for part in joined if len(part) > 1]
    assert sorted(map(sorted, found)) == sorted([sorted(pairs["opt"]), sorted(pairs["bloom"])])


def test_every_correlation_of_two_benchmarks_is_written_in_its_cell(
    leaderboard: lv.Panel, message: Message
) -> None:
    ax = plots.plot_score_correlations(leaderboard)
    (mesh,) = [c for c in ax.collections if hasattr(c, "get_coordinates")]
    drawn = np.asarray(mesh.get_array())
    both = leaderboard.scores[["mmlu", "bbh"]].dropna()
    at = [leaderboard.benchmarks.index.get_loc(name) for name in ("mmlu", "bbh")]
    expected = np.corrcoef(both.to_numpy().T)[0, 1]
    assert drawn[at[0], at[1]] == pytest.approx(expected)
    assert texts(ax).count(f"{expected:.2f}") >= 2
    message([label.get_text() for label in ax.get_yticklabels()][at[1]])


def test_a_correlation_of_too_few_models_is_left_empty() -> None:
    rows = [
        {"model": f"m{n}", "family": "f", "params_b": 1.0, "mmlu": 0.1 * n, "arc": 0.01 * n * n,
         "bbh": 0.5 if n < 4 else None} for n in range(1, 7)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    ax = plots.plot_score_correlations(lv.Panel.from_frame(table))
    cells = [text.get_text() for text in ax.texts]
    assert len(cells) == 9
    assert cells.count("") == 5
    assert "nan" not in cells


def test_one_family_can_be_drawn(leaderboard: lv.Panel, message: Message) -> None:
    family = leaderboard.select(families="opt")
    assert len(plots.plot_scores(family, "mmlu").get_legend().get_texts()) == 1
    message(plots.plot_missing(family).get_xlabel())


def test_what_is_missing_is_drawn_pale(leaderboard: lv.Panel) -> None:
    (mesh,) = [
        c for c in plots.plot_missing(leaderboard).collections if hasattr(c, "get_coordinates")
    ]
    assert np.asarray(mesh.get_array()).sum() == leaderboard.n_scores
    assert np.asarray(mesh.get_array()).shape == (12, 197)
