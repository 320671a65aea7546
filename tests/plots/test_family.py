from __future__ import annotations

import pytest
from pictures import texts

import lvkit as lv
from lvkit.drawing import picture
from lvkit.plots.family import plot_family_growth, plot_family_place
from lvkit.standings import family_forecast, family_places

# Few scores: some loadings have no standard error, and are drawn without one.
pytestmark = pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")


def test_each_skill_has_a_square_with_the_familys_rank(small_fit: lv.Fit) -> None:
    family = small_fit.families[3]
    ax = plot_family_place(small_fit, family)
    assert len(ax.child_axes) == 2
    places = family_places(small_fit, family)
    for square, (skill, row) in zip(ax.child_axes, places.iterrows(), strict=True):
        assert square.get_title() == f"{skill}\nrank {row['rank']:.0f} of {small_fit.n_families}"
        (mark,) = [line for line in square.lines if line.get_label() == family]
        assert mark.get_xdata()[0] == row["standing"]
        assert mark.get_ydata()[0] == small_fit.n_families - row["rank"]


def test_many_families_are_drawn_without_their_intervals(
    small_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lvkit.plots import family as module

    few = len(plot_family_place(small_fit, small_fit.families[0]).child_axes[0].collections)
    monkeypatch.setattr(module, "_MANY", 5)
    many = len(plot_family_place(small_fit, small_fit.families[0]).child_axes[0].collections)
    assert (few, many) == (2, 1)


def test_each_benchmark_has_a_square_with_measured_scores_and_next_sizes(
    small_fit: lv.Fit,
) -> None:
    family = small_fit.families[0]
    forecast = family_forecast(small_fit, family, draws=50)
    ax = plot_family_growth(small_fit, forecast)
    assert len(ax.child_axes) == len(small_fit.benchmarks)
    scores = small_fit.panel.scores[small_fit.panel.models["family"] == family]
    square = ax.child_axes[0]
    marks = {line.get_label(): line for line in square.lines}
    assert len(marks["next sizes"].get_xdata()) == 2
    assert sorted(y for y in marks["measured"].get_ydata() if y == y) == sorted(
        scores[small_fit.benchmarks[0]]
    )
    assert {"predicted", "next sizes", "measured"} <= set(texts(ax))


def test_names_that_are_hard_to_show_are_shown(fit: lv.Fit) -> None:
    family = fit.families[0]
    forecast = family_forecast(fit, family, draws=50)
    for ax in (plot_family_place(fit, family), plot_family_growth(fit, forecast)):
        assert picture(ax, "A family.").png.startswith(b"\x89PNG")
    assert any(family[:8] in text for text in texts(plot_family_place(fit, family)))


def test_pictures_are_drawn_on_the_users_axes(small_fit: lv.Fit) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert plot_family_place(small_fit, small_fit.families[0], ax=ax) is ax
