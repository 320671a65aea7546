from __future__ import annotations

import numpy as np
import pytest
from golden import Message
from pictures import texts

import lvkit as lv
from lvkit import plots
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.fit.standings import family_forecast, family_places
from lvkit.plots.drawing import picture
from lvkit.plots.family import plot_family_growth, plot_family_place

# Few scores: some loadings have no standard error, and are drawn without one.
pytestmark = pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")


def test_each_skill_has_a_square_with_the_familys_rank(small_fit: lv.Fit, message: Message) -> None:
    family = small_fit.families[3]
    ax = plot_family_place(small_fit, family)
    assert len(ax.child_axes) == 2
    places = family_places(small_fit, family)
    for square, (skill, row) in zip(ax.child_axes, places.iterrows(), strict=True):
        message(square.get_title(), skill, f"{row['rank']:.0f}", small_fit.n_families)
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


def made_posterior(apart: float) -> FamilyPosterior:
    """Two families with normal posteriors, whose two skills are correlated, and a third one."""
    draws = np.random.default_rng(0).standard_normal((3, 4000, 3))
    draws[:, :, 1] = 0.8 * draws[:, :, 0] + 0.6 * draws[:, :, 1]
    draws[1] += apart
    names = ("a", "b", "c")
    return FamilyPosterior(draws, names, ("maths", "reading", "law"), 4, np.ones(3))


def test_the_contours_hold_half_and_nine_tenths_of_the_draws() -> None:
    post = made_posterior(6.0)
    ax = plots.plot_family_density(post, "a", "b")
    outlines = [c for c in ax.collections if len(c.get_paths()) == 2 and not c.get_fill()]
    for family, outline in enumerate(outlines):
        points = post.draws[family, :, :2]
        shares = [path.contains_points(points).mean() for path in outline.get_paths()]
        assert shares == pytest.approx([0.9, 0.5], abs=0.05)
    assert len(outlines) == 2


def test_the_contours_say_how_much_they_hold() -> None:
    ax = plots.plot_family_density(made_posterior(1.0), "a", "b")
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert told == ["contour that holds 50%", "contour that holds 90%", "mean"]
    faces = [patch.get_facecolor()[3] for patch in ax.get_legend().get_patches()]
    assert faces == sorted(faces, reverse=True)


def test_each_family_has_its_mean_and_its_name() -> None:
    post = made_posterior(6.0)
    ax = plots.plot_family_density(post, "c", "b", skills=("law", "maths"))
    found = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines]
    expected = [post.draws[at][:, [2, 0]].mean(axis=0) for at in (2, 1)]
    np.testing.assert_allclose(found, expected)
    assert {"c", "b"} <= set(texts(ax))
    assert ax.get_xlabel().startswith("law (")
    assert ax.get_ylabel().startswith("maths (")


@pytest.mark.parametrize("apart", [0.0, 0.5, 4.0])
def test_the_names_of_two_families_never_meet(apart: float) -> None:
    ax = plots.plot_family_density(made_posterior(apart), "a", "b")
    ax.figure.draw_without_rendering()
    one, other = (text.get_window_extent() for text in ax.texts)
    assert not one.overlaps(other)


def test_two_families_and_two_skills_are_asked_for() -> None:
    post = made_posterior(1.0)
    with pytest.raises(lv.LvkitError, match="two different families"):
        plots.plot_family_density(post, "a", "a")
    with pytest.raises(lv.LvkitError, match="no family 'd'"):
        plots.plot_family_density(post, "a", "d")
    with pytest.raises(lv.LvkitError, match="no skill 'cooking'"):
        plots.plot_family_density(post, "a", "b", skills=("maths", "cooking"))
    with pytest.raises(lv.LvkitError, match="got maths; expected two different skills"):
        plots.plot_family_density(post, "a", "b", skills=("maths",))
