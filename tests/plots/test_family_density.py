from __future__ import annotations

import numpy as np
import pytest
from pictures import texts

import lvkit as lv
from lvkit import plots
from lvkit.posterior import FamilyPosterior


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
