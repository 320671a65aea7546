from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from golden import Message, refused
from pictures import texts

import lvkit as lv
from lvkit import plots
from lvkit.fit.interpret import loading_intervals
from lvkit.fit.standings import known_families
from lvkit.plots.drawing import shown


def ends_of_bars(ax: Any) -> Any:
    (bars,) = [c for c in ax.collections if isinstance(c, mpl.collections.LineCollection)]
    return np.array([segment[:, 0] for segment in bars.get_segments()])


def test_loadings_are_sorted_with_their_intervals(small_fit: lv.Fit) -> None:
    ax = plots.plot_loading_intervals(small_fit, "general", level=0.8)
    table = loading_intervals(small_fit, "general", 0.8)
    table = table[~table["fixed"]].sort_values("estimate")
    (dots,) = [line for line in ax.lines if len(line.get_xdata()) == len(table)]
    np.testing.assert_array_equal(dots.get_xdata(), table["estimate"])
    np.testing.assert_allclose(ends_of_bars(ax), table[["ci_lower", "ci_upper"]])
    assert "80% interval" in ax.get_xlabel()


def test_the_anchors_are_told(small_fit: lv.Fit) -> None:
    ax = plots.plot_loading_intervals(small_fit, "general")
    told = [label.get_text() for label in ax.get_yticklabels()]
    assert len(told) == 6
    assert {"MMLU (anchor)", "IFEval (0 by definition)", "GSM8K"} <= set(told)


def test_a_loading_that_is_not_determined_has_no_interval(
    small_fit: lv.Fit, monkeypatch: pytest.MonkeyPatch, message: Message
) -> None:
    table = small_fit.summary()
    table.loc["loading[gsm8k, general]", ["std_error", "ci_lower", "ci_upper"]] = np.nan
    monkeypatch.setattr(lv.Fit, "summary", lambda self, level: table)
    ax = plots.plot_loading_intervals(small_fit, "general")
    message(*[text for text in texts(ax) if text.startswith("GSM8K")])
    assert len(ends_of_bars(ax)) == 4


def test_an_unknown_skill_has_no_loadings(small_fit: lv.Fit, message: Message) -> None:
    with refused() as error:
        plots.plot_loading_intervals(small_fit, "cooking")
    message(error, "cooking")


def test_an_ellipse_holds_its_share_of_the_posterior(small_fit: lv.Fit) -> None:
    post = small_fit.sample_families(4000)
    ax = plots.plot_family_map(small_fit, skills=("instruction", "general"), top=3, level=0.8)
    (outlines,) = [c for c in ax.collections if isinstance(c, mpl.collections.PolyCollection)]
    names = known_families(small_fit, 3).index
    shares = [
        path.contains_points(post.draws[post.families.index(name)][:, [1, 0]]).mean()
        for name, path in zip(names, outlines.get_paths(), strict=True)
    ]
    assert shares == pytest.approx([0.8] * 3, abs=0.05)


def test_the_map_says_what_its_ellipses_hold(small_fit: lv.Fit, message: Message) -> None:
    told = texts(plots.plot_family_map(small_fit, level=0.8))
    message(*[text for text in told if "80%" in text])


def test_families_stand_at_their_posterior_means(small_fit: lv.Fit, message: Message) -> None:
    ax = plots.plot_family_map(small_fit, top=None)
    dots = ax.collections[-1].get_offsets()
    expected = known_families(small_fit)[["general", "instruction"]]
    np.testing.assert_allclose(dots, expected)
    message(ax.get_xlabel())


def test_marked_families_are_drawn_and_named_beyond_the_best_known(small_fit: lv.Fit) -> None:
    least = known_families(small_fit).index[-1]
    ax = plots.plot_family_map(small_fit, families=[least, least], top=1)
    bold = [text.get_text() for text in ax.texts if text.get_weight() == "bold"]
    assert bold == [shown(least, 22)]
    drawn = sum(len(c.get_offsets()) for c in ax.collections[1::2])
    assert drawn == 2


def test_the_names_on_a_map_never_meet(paper_fit: lv.Fit) -> None:
    ax = plots.plot_family_map(paper_fit, families=paper_fit.families[:1], top=None)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) > 10
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_a_map_is_of_two_skills_and_of_fitted_families(small_fit: lv.Fit, message: Message) -> None:
    with refused("argument 'skills'") as error:
        plots.plot_family_map(small_fit, skills=("general",))
    message(error)
    with refused() as error:
        plots.plot_family_map(small_fit, families=["nobody"])
    message(error, "nobody")
    with pytest.raises(lv.LvkitError, match="level"):
        plots.plot_family_map(small_fit, level=1.0)
