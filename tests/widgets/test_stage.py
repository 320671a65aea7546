from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.colors import same_color

import lvkit as lv
from lvkit import plots
from lvkit.plots.drawing import canvas
from lvkit.widgets.stage import Stage

Drawing = Callable[[Any], Any]


def fresh(paint: Drawing, size: Any = (4.0, 3.0)) -> Any:
    """What the drawing shows on axes of its own."""
    stage = Stage(paint, size)
    stage.redraw(paint)
    return stage.pixels()


def bars(ax: Any) -> None:
    ax.bar([1, 2], [3, 100], color="red")
    ax.set(xscale="linear", xlabel="bars")
    ax.legend(["bars"])


def line(ax: Any) -> None:
    ax.plot([5, 9], [-4, -3])
    ax.set_xlabel("line")


def heat(most: float) -> Drawing:
    def paint(ax: Any) -> Any:
        ax = canvas(ax, width=4.0, height=3.0)
        mesh = ax.pcolormesh([[0.0, 1.0], [2.0, 3.0]], vmin=-most, vmax=most)
        mesh.figure.colorbar(mesh, ax=ax, label="colour")
        return ax

    return paint


def test_what_was_drawn_before_leaves_no_trace() -> None:
    stage = Stage(bars, (4.0, 3.0))
    stage.redraw(line)
    assert [len(stage.ax.patches), len(stage.ax.lines), stage.ax.get_legend()] == [0, 1, None]
    assert stage.ax.get_xlim() == pytest.approx((4.8, 9.2))
    assert stage.ax.get_ylim() == pytest.approx((-4.05, -2.95))
    assert stage.ax.get_xlabel() == "line"
    assert same_color(
        stage.ax.lines[0].get_color(), rcParams["axes.prop_cycle"].by_key()["color"][0]
    )


def test_logarithmic_axes_do_not_stay() -> None:
    def log(ax: Any) -> None:
        ax.plot([1, 1000], [1, 10])
        ax.set(xscale="log")

    stage = Stage(log, (4.0, 3.0))
    stage.redraw(line)
    assert stage.ax.get_xscale() == "linear"
    stage.redraw(log)
    np.testing.assert_array_equal(stage.pixels(), fresh(log))


def test_names_written_aslant_stand_upright_again() -> None:
    def names(*texts: str, **turn: Any) -> Drawing:
        return lambda ax: ax.set_xticks([0, 1], texts, **turn)

    stage = Stage(names("aslant", "words", rotation=30, ha="right"), (4.0, 3.0))
    stage.redraw(names("up", "right"))
    told = stage.ax.get_xticklabels()
    assert [(each.get_rotation(), each.get_ha()) for each in told] == [(0.0, "center")] * 2


def test_a_colour_bar_stays_and_follows_its_colours() -> None:
    stage = Stage(heat(3.0), None)
    for _ in range(3):
        stage.redraw(heat(3.0))
    assert len(stage.ax.figure.axes) == 2
    np.testing.assert_array_equal(stage.pixels(), fresh(heat(3.0), None))
    stage.redraw(heat(8.0))
    assert stage.ax.figure.axes[1].get_ylim() == (-8.0, 8.0)


def test_insets_are_drawn_anew() -> None:
    def inset(ax: Any) -> None:
        ax.inset_axes((0.5, 0.5, 0.4, 0.4)).plot([0, 1], [0, 1])

    stage = Stage(inset, (4.0, 3.0))
    stage.redraw(inset)
    assert len(stage.ax.child_axes) == 1


def test_a_drawing_that_fails_leaves_a_stage_that_works() -> None:
    stage = Stage(line, (4.0, 3.0))

    def fails(ax: Any) -> None:
        ax.plot([0, 1], [0, 1])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage.redraw(fails)
    stage.redraw(line)
    np.testing.assert_array_equal(stage.pixels(), fresh(line))


@pytest.mark.parametrize(
    "name", ["loadings", "correlation", "map", "intervals", "scores", "missing"]
)
def test_pictures_in_turn_are_those_of_fresh_axes(small_fit: lv.Fit, name: str) -> None:
    other, panel = small_fit.reanchor({"arc": "arc", "instruction": "ifeval"}), small_fit.panel
    few = panel.select(families=panel.families[::2])
    first, second = small_fit.benchmarks[:2]
    pairs: dict[str, tuple[Any, Any]] = {
        "loadings": tuple(
            lambda ax, f=f: plots.plot_loadings(f, ax=ax) for f in (small_fit, other)
        ),
        "correlation": tuple(
            lambda ax, f=f: plots.plot_correlation(f, ax=ax) for f in (small_fit, other)
        ),
        "map": tuple(
            lambda ax, at=at: plots.plot_family_map(small_fit, families=panel.families[:at], ax=ax)
            for at in (0, 2)
        ),
        "intervals": tuple(
            lambda ax, skill=skill: plots.plot_loading_intervals(small_fit, skill, ax=ax)
            for skill in small_fit.skills
        ),
        "scores": tuple(
            lambda ax, b=b: plots.plot_scores(panel, b, ax=ax) for b in (first, second)
        ),
        "missing": tuple(lambda ax, p=p: plots.plot_missing(p, ax=ax) for p in (panel, few)),
    }
    one, two = pairs[name]
    size = None if name != "missing" else (6.0, 3.0)
    stage = Stage(one, size)
    for paint in (two, one, two):
        stage.redraw(paint, lay_out=True)
    again = Stage(two, size)
    again.redraw(two, lay_out=True)
    np.testing.assert_array_equal(stage.pixels(), again.pixels())
