from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from golden import Message, refused
from matplotlib.figure import Figure
from pictures import texts

from lvkit import plots
from lvkit.model.response_curve import ResponseCurve
from lvkit.plots.drawing import picture
from lvkit.plots.response_curve import plot_response_curve, plot_response_ground

CURVE = ResponseCurve(loading=2.0, intercept=-1.0, floor=0.25, precision=20.0)


def band(ax: Any) -> Any:
    """The corners of the band of scores."""
    return ax.collections[0].get_paths()[0].vertices


def test_the_curve_that_is_drawn_is_the_expected_score() -> None:
    ax = plots.plot_response(CURVE)
    x, y = ax.lines[0].get_data()
    np.testing.assert_allclose(y, CURVE.mean(x))
    assert (x[0], x[-1]) == (-4.0, 4.0)


def test_the_band_ends_where_the_interval_does() -> None:
    corners = band(plots.plot_response(CURVE, level=0.5, span=(-1.0, 3.0)))
    lower, upper = CURVE.interval(corners[:, 0], 0.5)
    gap = np.minimum(np.abs(corners[:, 1] - lower), np.abs(corners[:, 1] - upper))
    assert gap.max() < 1e-9


def test_the_density_beside_it_is_that_at_the_skill() -> None:
    ax = plots.plot_response(CURVE, skill=1.5)
    (beside,) = ax.child_axes
    density, scores = beside.lines[0].get_data()
    np.testing.assert_allclose(density, CURVE.density(scores, 1.5))
    assert beside.get_ylim() == ax.get_ylim()


@pytest.mark.parametrize("skill", [None, 1.5])
def test_the_layers_of_a_response_are_the_response(skill: float | None) -> None:
    ground = plot_response_ground(beside=skill is not None, span=(-2.0, 3.0))
    assert not ground.lines
    layers = plot_response_curve(CURVE, skill=skill, ax=ground)
    whole = plots.plot_response(CURVE, skill=skill, span=(-2.0, 3.0))
    assert picture(layers, "x").png == picture(whole, "x").png


def test_without_a_skill_there_is_no_density() -> None:
    assert plots.plot_response(CURVE).child_axes == []


def test_a_floor_is_drawn_where_there_is_one() -> None:
    assert "floor" in texts(plots.plot_response(CURVE))
    assert "floor" not in texts(plots.plot_response(ResponseCurve()))


def test_a_density_that_is_infinite_at_the_ends_is_drawn() -> None:
    wide = ResponseCurve(precision=0.5)
    (beside,) = plots.plot_response(wide, skill=3.0).child_axes
    assert np.isfinite(beside.lines[0].get_xdata()).all()


def test_the_users_axes_and_labels_stay() -> None:
    mine = Figure().add_subplot(ylabel="mine")
    assert plots.plot_response(CURVE, skill=0.0, ax=mine) is mine
    assert (mine.get_xlabel(), mine.get_ylabel()) == ("skill", "mine")


def test_a_level_in_percent_is_refused(message: Message) -> None:
    with refused("level", "90") as error:
        plots.plot_response(CURVE, level=90)
    message(error)
