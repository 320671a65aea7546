from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import lvkit as lv
from lvkit import facts, plots
from lvkit.drawing import picture

ODD = ["<script>alert('x')</script>", "cost_$5_or_$6", "_hidden", "long-name-" * 9, "*b*|`x`"]


def odd_panel() -> lv.Panel:
    """Names that are hard to show, a benchmark measured on four models, and few scores."""
    rng = np.random.default_rng(0)
    rows = []
    for family, skill in zip(ODD, rng.normal(0, 0.6, (len(ODD), 2)), strict=True):
        for size in (1.0, 7.0, 30.0):
            logits = skill[[0, 0, 1]] + np.log10(size) - 1 + rng.normal(0, 0.1, 3)
            scores = dict(zip(["mmlu", "<b>own</b>", "own_$2$"], 1 / (1 + np.exp(-logits)),
                              strict=True))  # fmt: skip
            rows.append({"model": f"{family}-{size:g}b", "family": family, "params_b": size}
                        | scores)  # fmt: skip
    table = pd.DataFrame(rows)
    table.loc[[0, 5, 9, 13], "rare"] = [0.3, 0.4, 0.6, 0.5]
    return lv.Panel.from_frame(table, benchmarks={"<b>own</b>": 0.0, "own_$2$": 0.1, "rare": 0.0})


@pytest.fixture(scope="module", params=["real", "odd"])
def selection(request: pytest.FixtureRequest, leaderboard: lv.Panel) -> lv.Selection:
    if request.param == "odd":
        model = lv.LatentSkillModel(n_skills=1, features="log_params")
        return lv.select_skills(odd_panel(), [1, 2], model)
    some = leaderboard.complete()
    return lv.select_skills(some.select(families=some.families[:9]), [1, 2])


@pytest.fixture(scope="module")
def fit(selection: lv.Selection) -> lv.Fit:
    return selection.fits[2]


def first_scores(panel: lv.Panel, **more: Any) -> Any:
    return plots.plot_scores(panel, str(panel.scores.columns[0]), **more)


OF_FIT: list[Callable[..., Any]] = [
    plots.plot_loadings,
    plots.plot_correlation,
    plots.plot_families,
    lambda fit, **more: plots.plot_families(fit, skill=fit.skills[0], **more),
    plots.plot_fitted,
    lambda fit, **more: plots.plot_missing(fit.panel, **more),
    lambda fit, **more: first_scores(fit.panel, **more),
]


def texts(ax: Any) -> list[str]:
    return [text.get_text().replace(r"\$", "$") for text in ax.get_figure().findobj(mpl.text.Text)]


@pytest.mark.parametrize("plot", OF_FIT)
def test_a_plot_is_drawn_on_the_users_axes_and_returned(
    fit: lv.Fit, plot: Callable[..., Any]
) -> None:
    mine = Figure(figsize=(6, 6)).add_subplot()
    assert plot(fit, ax=mine) is mine
    assert mine.get_xlabel()
    assert mine.get_ylabel()


@pytest.mark.parametrize("plot", OF_FIT)
def test_a_plot_leaves_pyplot_and_its_settings_alone(fit: lv.Fit, plot: Callable[..., Any]) -> None:
    before = dict(mpl.rcParams)
    picture(plot(fit), "A plot.")
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("plot", OF_FIT)
def test_no_text_of_a_plot_is_cut_off_or_unreadably_small(
    fit: lv.Fit, plot: Callable[..., Any]
) -> None:
    ax = plot(fit)
    sizes = [text.get_fontsize() for text in ax.figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= 7
    assert max(len(text) for text in texts(ax)) < 80


def test_odd_names_are_drawn_as_they_are(leaderboard: lv.Panel) -> None:
    drawn = {text.strip() for text in texts(first_scores(odd_panel()))}
    assert {"<script>alert('x')</script>", "cost_$5_or_$6", "_hidden", "*b*|`x`"} <= drawn


# -- one plot after the other -----------------------------------------------------------------


def test_scores_are_drawn_on_a_logarithmic_axis_by_family(leaderboard: lv.Panel) -> None:
    ax = plots.plot_scores(leaderboard, "bbh", against="tokens_t")
    assert ax.get_xscale() == "log"
    drawn = sum(len(line.get_xdata()) for line in ax.lines)
    both = leaderboard.scores["bbh"].notna() & leaderboard.models["tokens_t"].notna()
    assert drawn == both.sum()
    assert len(ax.get_legend().get_texts()) == 8


def test_the_families_asked_for_are_in_colour(leaderboard: lv.Panel) -> None:
    ax = plots.plot_scores(leaderboard, "mmlu", families=["opt", "bloom"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["opt", "bloom"]
    with pytest.raises(lv.LvkitError, match="no family 'optt'.*Did you mean 'opt'"):
        plots.plot_scores(leaderboard, "mmlu", families=["optt"])


def test_more_families_than_colours_stay_grey(leaderboard: lv.Panel) -> None:
    ax = plots.plot_scores(leaderboard, "mmlu", families=leaderboard.families)
    assert len(ax.get_legend().get_texts()) == 8
    assert sum(len(line.get_xdata()) for line in ax.lines) == leaderboard.scores["mmlu"].count()


def test_one_family_can_be_drawn(leaderboard: lv.Panel) -> None:
    family = leaderboard.select(families="opt")
    assert len(plots.plot_scores(family, "mmlu").lines) == 1
    assert plots.plot_missing(family).get_xlabel() == "models, by family and size"


def test_what_is_missing_is_drawn_pale(leaderboard: lv.Panel) -> None:
    (mesh,) = [
        c for c in plots.plot_missing(leaderboard).collections if hasattr(c, "get_coordinates")
    ]
    assert np.asarray(mesh.get_array()).sum() == leaderboard.n_scores
    assert np.asarray(mesh.get_array()).shape == (12, 197)


def test_the_lowest_criterion_is_named_and_weights_are_told(selection: lv.Selection) -> None:
    ax = plots.plot_criterion(selection)
    assert plots.plot_criterion(selection, criterion="bic", ax=ax) is ax
    told = "\n".join(texts(ax))
    for name in ("AIC", "BIC"):
        best = selection.table[name.lower()].idxmin()
        assert f"{name}, lowest at K = {best}" in told
    best = selection.table["weight"].idxmax()
    assert f"{best}\n{selection.table['weight'].max():.2f}" in told
    assert ax.get_xlabel() == "number of skills K, Akaike weight below"


def test_bic_alone_speaks_of_no_weights(selection: lv.Selection) -> None:
    ax = plots.plot_criterion(selection, criterion="bic")
    assert ax.get_xlabel() == "number of skills K"


@pytest.mark.parametrize("best", [1, 2, 3, 6])
def test_no_words_of_the_criterion_plot_overlap(best: int) -> None:
    numbers = np.arange(1, 7)
    depth = 300.0 / numbers.clip(max=best) + 2.0 * np.abs(numbers - best)
    weights = np.exp(-np.abs(numbers - best) / 2)
    table = pd.DataFrame({"aic": depth, "bic": depth + 5 * numbers, "converged": True}, numbers)
    made = lv.Selection({}, table.assign(weight=weights / weights.sum()))
    ax = plots.plot_criterion(made)
    plots.plot_criterion(made, criterion="bic", ax=ax)
    ax.figure.draw_without_rendering()
    boxes = [
        text.get_window_extent()
        for text in (*ax.get_xticklabels(), *ax.get_legend().get_texts(), ax.xaxis.label)
        if text.get_text().strip()
    ]
    assert len(boxes) == 9
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_a_fit_that_did_not_converge_is_crossed_out(selection: lv.Selection) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    (crosses,) = [x for x in plots.plot_criterion(doubtful).lines if x.get_marker() == "x"]
    assert crosses.get_xdata().tolist() == [2]


def test_another_criterion_is_refused(selection: lv.Selection) -> None:
    with pytest.raises(lv.LvkitError, match="saw 'dic'; expected 'aic' or 'bic'"):
        plots.plot_criterion(selection, criterion="dic")


def test_anchors_are_framed_and_their_zeros_are_dots(fit: lv.Fit) -> None:
    ax = plots.plot_loadings(fit)
    frames = [(int(p.get_x()), int(p.get_y())) for p in ax.patches]
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert len(frames) == len(fit.skills) == len({row for _, row in frames})
    assert len(rows) == len(fit.benchmarks)
    assert texts(ax).count("·") == len(fit.skills) * (len(fit.skills) - 1)


def test_every_loading_is_written_in_its_cell(fit: lv.Fit) -> None:
    told = texts(plots.plot_loadings(fit))
    largest = fit.loadings.abs().to_numpy().max()
    assert {f"{largest:.2f}", f"-{largest:.2f}"} & set(told)


def test_one_skill_can_be_drawn(selection: lv.Selection) -> None:
    one = selection.fits[1]
    for plot in (plots.plot_loadings, plots.plot_correlation, plots.plot_families):
        assert len(plot(one).get_xticklabels()) == 1


def test_families_are_ranked_on_one_skill_with_their_doubt(fit: lv.Fit) -> None:
    ax = plots.plot_families(fit, skill=fit.skills[1], top=None)
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert np.all(np.diff(dots.get_xdata()) >= 0)
    assert len(dots.get_xdata()) == fit.n_families
    (bars,) = [c for c in ax.collections if isinstance(c, mpl.collections.LineCollection)]
    lengths = [float(np.ptp(ends[:, 0])) for ends in bars.get_segments()]
    table = facts.family_standings(fit, fit.skills[1], top=None).iloc[::-1]
    np.testing.assert_allclose(lengths, 2 * table["sd"])


def test_only_so_many_families_are_drawn(fit: lv.Fit) -> None:
    assert len(plots.plot_families(fit, top=3).get_yticklabels()) == 3


def test_an_unknown_skill_is_refused(fit: lv.Fit) -> None:
    with pytest.raises(lv.LvkitError, match="no skill 'cooking'"):
        plots.plot_families(fit, skill="cooking")


def test_every_benchmark_has_its_square_with_its_error(fit: lv.Fit) -> None:
    squares = plots.plot_fitted(fit).child_axes
    assert len(squares) == len(fit.benchmarks)
    measured = fit.panel.scores.loc[fit.fitted_scores.index, list(fit.benchmarks)].count()
    for square, count in zip(squares, measured, strict=True):
        dots = square.lines[1]
        assert np.isfinite(dots.get_ydata()).sum() == count
        assert "error" in square.get_title()
