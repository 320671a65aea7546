from __future__ import annotations

import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from pictures import texts

import lvkit as lv
from lvkit import plots
from lvkit.fit.standings import family_standings


def test_the_lowest_criterion_is_named_and_weights_are_told(
    selection: lv.Selection, message: Message
) -> None:
    ax = plots.plot_criterion(selection)
    assert plots.plot_criterion(selection, criterion="bic", ax=ax) is ax
    told = "\n".join(texts(ax))
    for name in ("AIC", "BIC"):
        best = selection.table[name.lower()].idxmin()
        message(*[text for text in told if text.startswith(f"{name}, ")], best)
    best = selection.table["weight"].idxmax()
    assert f"{best}\n{selection.table['weight'].max():.2f}" in told
    message(ax.get_xlabel())


def made_selection(values: dict[int, float]) -> lv.Selection:
    table = pd.DataFrame({"aic": values, "bic": values, "weight": 0.1, "converged": True})
    return lv.Selection({}, table)


@pytest.mark.parametrize(
    ("values", "quoted"),
    [
        ({1: 9.0, 2: 7.0, 3: 8.0}, ["2"]),
        ({1: 7.0, 2: 8.0, 3: 9.0}, ["1"]),
        ({1: 9.0, 2: 8.0, 3: 7.0}, ["3"]),
        ({3: 7.0, 4: 8.0, 5: 9.0}, ["3"]),
    ],
)
def test_a_lowest_value_at_the_edge_of_the_search_is_only_the_lowest_tried(
    values: dict[int, float], quoted: list[str], message: Message
) -> None:
    told = texts(plots.plot_criterion(made_selection(values)))
    message(*[text for text in told if text.startswith("AIC, ")], *quoted)


def test_bic_alone_speaks_of_no_weights(selection: lv.Selection, message: Message) -> None:
    ax = plots.plot_criterion(selection, criterion="bic")
    message(ax.get_xlabel())


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


def test_the_chosen_number_of_skills_is_marked(selection: lv.Selection, message: Message) -> None:
    ax = plots.plot_criterion(selection, chosen=2)
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"] == [2]
    message("\n".join(sorted(text for text in texts(ax) if text.endswith("K = 2"))))
    with refused("argument 'chosen'", "7", "1", "2") as error:
        plots.plot_criterion(selection, chosen=7)
    message(error)


def test_a_fit_that_did_not_converge_is_crossed_out(selection: lv.Selection) -> None:
    doubtful = lv.Selection(selection.fits, selection.table.assign(converged=[True, False]))
    (crosses,) = [x for x in plots.plot_criterion(doubtful).lines if x.get_marker() == "x"]
    assert crosses.get_xdata().tolist() == [2]


def test_another_criterion_is_refused(selection: lv.Selection, message: Message) -> None:
    with refused("argument 'criterion'", "dic", "aic", "bic", "both") as error:
        plots.plot_criterion(selection, criterion="dic")
    message(error)


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
    table = family_standings(fit, fit.skills[1], top=None).iloc[::-1]
    np.testing.assert_allclose(lengths, 2 * table["sd"])


def test_the_colours_of_families_reach_to_the_highest_and_lowest(fit: lv.Fit) -> None:
    far = replace(fit, latent_means=8.0 * fit.latent_means)
    for some in (fit, far):
        ax = plots.plot_families(some, top=None)
        (mesh,) = [c for c in ax.collections if hasattr(c, "get_coordinates")]
        low, high = mesh.get_clim()
        assert -low == high >= np.abs(some.family_effects.to_numpy()).max()
        assert high == round(high)


def test_only_so_many_families_are_drawn(fit: lv.Fit) -> None:
    assert len(plots.plot_families(fit, top=3).get_yticklabels()) == 3


def test_an_unknown_skill_is_refused(fit: lv.Fit, message: Message) -> None:
    with refused() as error:
        plots.plot_families(fit, skill="cooking")
    message(error, "cooking")


def test_every_benchmark_has_its_square_with_its_error(fit: lv.Fit) -> None:
    squares = plots.plot_fitted(fit).child_axes
    assert len(squares) == len(fit.benchmarks)
    measured = fit.panel.scores.loc[fit.fitted_scores.index, list(fit.benchmarks)].count()
    for square, count in zip(squares, measured, strict=True):
        dots = square.lines[1]
        assert np.isfinite(dots.get_ydata()).sum() == count
        assert "error" in square.get_title()


def test_standard_errors_stand_beside_their_loadings(small_fit: lv.Fit) -> None:
    told = texts(plots.plot_loadings(small_fit, errors=True))
    row = small_fit.summary().loc["loading[bbh, general]"]
    assert f"{row['estimate']:.2f} ± {row['std_error']:.2f}" in told
    assert told.count("·") == 2
    cells = [text for text in told if re.fullmatch(r"-?\d+\.\d\d ± \d+\.\d\d", text)]
    assert len(cells) == small_fit.loadings.size - 2


def test_a_loading_that_is_not_determined_has_a_question_mark(
    small_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = small_fit.summary()
    table.loc["loading[bbh, general]", "std_error"] = np.nan
    monkeypatch.setattr(lv.Fit, "summary", lambda self: table)
    told = texts(plots.plot_loadings(small_fit, errors=True))
    assert f"{small_fit.loadings.loc['bbh', 'general']:.2f} ± ?" in told


def test_the_way_of_the_search_ends_at_the_fit(small_fit: lv.Fit) -> None:
    line, way = plots.plot_trace(small_fit).lines
    np.testing.assert_array_equal(way.get_xdata(), small_fit.trace.index)
    np.testing.assert_array_equal(way.get_ydata(), small_fit.trace["loglik"])
    assert way.get_ydata()[-1] == pytest.approx(small_fit.loglik, abs=0.1)
    assert list(line.get_ydata()) == [small_fit.loglik] * 2


def test_iterations_without_a_log_likelihood_are_passed_over(
    small_fit: lv.Fit, message: Message
) -> None:
    looks = pd.DataFrame({"loglik": [1.0, np.nan, 3.0]}, pd.Index([0, 50, 90], name="iteration"))
    ax = plots.plot_trace(replace(small_fit, trace=looks, method="psga"))
    assert ax.lines[1].get_xdata().tolist() == [0, 90]
    message(*[text for text in texts(ax) if "psga" in text])


def test_a_search_that_did_not_converge_says_so(small_fit: lv.Fit, message: Message) -> None:
    told = texts(plots.plot_trace(replace(small_fit, converged=False)))
    (said,) = set(told) - set(texts(plots.plot_trace(small_fit)))
    message(said)
