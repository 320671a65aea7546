from __future__ import annotations

import html
import io
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import lvkit as lv
from lvkit.data.panel import benchmark_labels
from lvkit.plots.drawing import (
    Picture,
    canvas,
    cell_texts,
    heat_map,
    legend_above,
    luminance,
    picture,
    shown,
    shown_apart,
    spaced_labels,
)

MISSING = "模型🙂"
"""A name whose characters the fonts of most machines lack in part."""


def drawn_text(name: str) -> str:
    """What matplotlib makes of a name: its text, if it takes it for text."""
    from matplotlib.cbook import is_math_text

    assert not is_math_text(name)
    return name.replace(r"\$", "$")


@pytest.mark.parametrize("name", ["$x$", "cost_$5", "a^{2}", r"\alpha", "$$", "<b>&", "détente"])
def test_a_name_is_never_read_as_mathematics(name: str) -> None:
    assert drawn_text(shown(name)) == name


def test_a_name_is_shown_on_one_line() -> None:
    assert shown("two\nlines\tand  more") == "two lines and more"


def test_a_long_name_keeps_its_ends() -> None:
    long = "family-" * 20 + "last"
    text = shown(long)
    assert len(text) == 28
    assert (text[:7], text[-4:]) == ("family-", "last")


def test_a_name_of_dollars_alone_stays_short() -> None:
    assert drawn_text(shown("$" * 50)).count("$") == 27


def test_axes_of_the_user_are_kept() -> None:
    mine = canvas(None)
    assert canvas(mine) is mine


def test_a_canvas_is_no_figure_of_pyplot() -> None:
    import matplotlib.pyplot as plt

    canvas(None)
    assert plt.get_fignums() == []


def test_the_users_labels_stay_and_missing_ones_are_written() -> None:
    mine = canvas(None, xlabel="mine")
    assert canvas(mine, xlabel="yours", ylabel="new").get_xlabel() == "mine"
    assert mine.get_ylabel() == "new"


def test_numbers_can_be_read_on_every_colour_of_a_heat_map() -> None:
    table = pd.DataFrame([np.linspace(-1, 1, 41)])
    ax = heat_map(
        None, table, cell_texts(table), most=1.0, bar="", cell=(0.4, 1.0), margins=(2.0, 2.0)
    )
    cells = ax.collections[0].get_facecolor()
    inks = luminance([text.get_color() for text in ax.texts])
    dark, light = np.sort([inks, luminance(cells)], axis=0)
    assert dark.shape == (41,)
    assert ((light + 0.05) / (dark + 0.05)).min() >= 4.5


def test_a_label_serves_only_where_it_tells_benchmarks_apart(leaderboard: lv.Panel) -> None:
    table = leaderboard.select(benchmarks=["mmlu", "arc", "bbh"]).to_frame().reset_index()
    told = pd.DataFrame({"benchmark": ["mmlu", "arc", "bbh"], "chance": 0.25})
    told["label"] = ["Exam", "Exam", ""]
    labels = benchmark_labels(lv.Panel.from_frame(table, benchmarks=told))
    assert labels["mmlu"] == "mmlu"
    assert labels["arc"] == "arc"


def test_a_cell_never_shows_minus_zero() -> None:
    table = pd.DataFrame([[-0.001, -0.2], [0.0, 1.234]])
    assert cell_texts(table).tolist() == [["0.00", "-0.20"], ["0.00", "1.23"]]


def test_a_zero_by_definition_is_a_dot() -> None:
    table = pd.DataFrame([[0.0, 1.0]])
    assert cell_texts(table, zeros=np.array([[True, False]])).tolist() == [["·", "1.00"]]


def test_labels_that_would_overlap_give_way_to_larger_families() -> None:
    order = pd.Series(["big"] * 60 + ["tiny"] + ["large"] * 60)
    centres, names = spaced_labels(order, [0, 60, 61])
    assert set(zip(centres, names, strict=True)) == {(30.0, "big"), (91.0, "large"), (60.5, "tiny")}
    crowded = pd.Series([f"f{i}" for i in range(300)])
    assert len(spaced_labels(crowded, list(range(300)))[1]) <= 62


def test_a_rare_end_of_a_colour_scale_keeps_its_colours() -> None:
    table = pd.DataFrame(np.linspace(0.3, 1.0, 144).reshape(12, 12))
    ax = heat_map(
        None, table, cell_texts(table), most=1.0, bar="", cell=(0.6, 0.3), margins=(2.4, 1.4)
    )
    blue = np.array(ax.collections[0].get_cmap()(0.0)[:3]) * 255
    image = np.asarray(Image.open(io.BytesIO(picture(ax, "A heat map.").png)).convert("RGB"))
    nearest = np.abs(image.reshape(-1, 3) - blue).max(axis=1).min()
    assert nearest < 10


def test_a_legend_above_hides_nothing() -> None:
    from matplotlib.lines import Line2D

    ax = canvas(None)
    legend_above(ax, [Line2D([], [], label="a line"), Line2D([], [], label="another")])
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a line", "another"]


def test_a_picture_is_a_small_png_with_its_description() -> None:
    ax = canvas(None, width=2.0, height=1.0)
    ax.plot([0, 1], [0, 1])
    made = picture(ax, "A line that rises.")
    image = Image.open(io.BytesIO(made.png))
    assert (image.format, image.mode) == ("PNG", "P")
    assert made.width == round(image.width * 96 / 120)
    assert repr(made) == "Picture(alt='A line that rises.')"


def test_a_description_is_escaped_in_html() -> None:
    nasty = """<script>alert("x")</script> & 'y'"""
    text = Picture(alt=nasty, png=b"", width=10)._repr_html_()
    assert "<script>" not in text
    assert f'alt="{html.escape(nasty)}"' in text


def test_a_name_that_no_font_can_draw_is_transliterated_and_the_original_is_reported() -> None:
    ax = canvas(None)
    ax.set_title(MISSING)
    ax.set_yticks([0, 1], shown_apart([MISSING, "plain"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        made = picture(ax, "A title.")
    (latin,) = made.originals
    assert latin.isascii()
    assert made.originals == {latin: MISSING}
    assert f"{html.escape(latin)} = {MISSING}" in made._repr_html_()


def test_a_picture_of_plain_names_has_no_note() -> None:
    assert "<p>" not in picture(canvas(None, xlabel="score"), "Empty axes.")._repr_html_()


def test_labels_that_are_cut_stay_different() -> None:
    names = [f"hendrycksTest-{a}_medicine" for a in ("clinical", "nautical", "political")]
    for most in (10, 16, 20, 28):
        labels = shown_apart(names, most)
        assert len(set(labels)) == 3
        assert max(map(len, labels)) <= most + 1
    assert (
        shown_apart(["a" * 60 + tail for tail in ("x" + "b" * 60, "y" + "b" * 60)], 20)[0]
        != (shown_apart(["a" * 60 + tail for tail in ("y" + "b" * 60, "x" + "b" * 60)], 20)[0])
    )


def test_names_that_only_look_alike_are_numbered_and_a_repeated_name_is_not() -> None:
    one, two = "x" * 20 + "-" + "y" * 50, "x" * 20 + "-" + "y" * 49 + "Y" + "y" * 20
    assert len({*shown_apart([one, two, one], 8)}) == 2
    assert shown_apart(["same", "same"]) == ["same", "same"]


def test_a_picture_of_a_part_of_a_figure_is_of_all_of_it() -> None:
    from matplotlib.figure import Figure

    left, right = Figure(figsize=(4, 2)).subfigures(1, 2)
    right.add_subplot()
    assert picture(left.add_subplot(), "Two squares.").width > 2.5 * 96
