from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden import Message, refused
from matplotlib.figure import Figure
from pictures import made_backtest, texts
from scipy.special import ndtr, ndtri

from lvkit import plots
from lvkit.fit.backtest import Backtest
from lvkit.plots.predictions import plot_forecast_ground, plot_forecast_intervals
from lvkit.prediction.predict import Prediction


def test_each_model_has_its_square_of_intervals(prediction: Prediction, message: Message) -> None:
    squares = plots.plot_prediction(prediction).child_axes
    models = list(dict.fromkeys(prediction.table["model"]))[:6]
    assert len(squares) == 6
    for model, square in zip(models, squares, strict=True):
        table = prediction.table[prediction.table["model"] == model]
        ends = [segment[:, 0] for segment in square.collections[0].get_segments()]
        np.testing.assert_array_equal(ends, table[["lower", "upper"]])
        np.testing.assert_array_equal(square.lines[0].get_xdata(), table["median"])
        message(square.get_title())


def test_observed_scores_are_drawn_and_counted(prediction: Prediction, message: Message) -> None:
    panel = prediction._fit.panel
    names = list(dict.fromkeys(prediction.table["model"]))
    ax = plots.plot_prediction(prediction, names[3:1:-1], observed=panel)
    for square, name in zip(ax.child_axes, names[3:1:-1], strict=True):
        table = prediction.table[prediction.table["model"] == name]
        measured = panel.scores.loc[name, list(table["benchmark"])]
        np.testing.assert_array_equal(square.lines[1].get_xdata(), measured)
        inside = measured.to_numpy() >= table["lower"]
        inside &= measured.to_numpy() <= table["upper"]
        message(square.get_title(), inside.sum(), measured.count())


def test_one_model_can_be_drawn(prediction: Prediction) -> None:
    ax = plots.plot_prediction(prediction, [prediction.table["model"].iloc[0]])
    assert len(ax.child_axes) == 1
    assert {"interval", "median", "measured"} <= set(texts(ax))


def test_a_forecast_draws_one_model_on_all_benchmarks(prediction: Prediction) -> None:
    panel, name = prediction._fit.panel, str(prediction.table["model"].iloc[-1])
    ground = plot_forecast_ground(prediction)
    ax = plot_forecast_intervals(prediction, name, observed=panel, ax=ground)
    assert {"interval", "median", "measured"} <= set(texts(ax))
    table = prediction.table[prediction.table["model"] == name]
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    np.testing.assert_array_equal(ends, table[["lower", "upper"]])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), table["median"])
    measured = panel.scores.loc[name, list(table["benchmark"])]
    np.testing.assert_array_equal(ax.lines[1].get_xdata(), measured)
    assert [tick.get_text() != "" for tick in ax.get_yticklabels()] == [True] * len(table)


def test_levels_and_kinds_of_intervals_share_the_lower_layer_of_a_forecast(
    prediction: Prediction,
) -> None:
    ground = plot_forecast_ground(prediction)
    assert not ground.get_xlabel().strip()
    other = replace(prediction, level=0.5, intervals="plugin")
    assert "(50% intervals" in plot_forecast_intervals(other, ax=ground).get_xlabel()


def test_a_forecast_takes_the_first_model_and_the_users_axes(prediction: Prediction) -> None:
    mine = Figure().add_subplot(xlabel="mine", ylabel="mine too")
    ground = plot_forecast_ground(prediction, ax=mine)
    assert plot_forecast_intervals(prediction, ax=ground) is mine
    first = prediction.table[prediction.table["model"] == prediction.table["model"].iloc[0]]
    np.testing.assert_array_equal(mine.lines[0].get_xdata(), first["median"])
    assert (mine.get_xlabel(), mine.get_ylabel()) == ("mine", "mine too")


def test_names_of_benchmarks_stand_in_the_first_column_only(prediction: Prediction) -> None:
    squares = plots.plot_prediction(prediction).child_axes
    named = [any(label.get_text() for label in square.get_yticklabels()) for square in squares]
    assert named == [True, False, False, True, False, False]


def test_the_curve_is_the_share_of_normal_scores_inside() -> None:
    ax = plots.plot_backtest_calibration(made_backtest(spread=2.0))
    curve = ax.lines[1]
    expected = 2.0 * ndtr(ndtri(0.5 + 0.5 * curve.get_xdata()) / 2.0) - 1.0
    np.testing.assert_allclose(curve.get_ydata(), expected, atol=0.006)


def test_a_model_that_is_right_lies_on_the_diagonal(held_out: Backtest) -> None:
    curve = plots.plot_backtest_calibration(held_out).lines[1]
    np.testing.assert_allclose(curve.get_ydata(), curve.get_xdata(), atol=0.006)


def test_tested_intervals_are_points_with_their_shares() -> None:
    ax = plots.plot_backtest_calibration(made_backtest(intervals="calibrated"))
    points = ax.lines[2]
    assert points.get_xdata().tolist() == [0.5, 0.95]
    assert points.get_ydata().tolist() == [0.5, 0.75]
    assert {"50%", "75%", "tested: calibrated"} <= set(texts(ax))


def test_errors_are_drawn_for_each_family_and_their_mean(held_out: Backtest) -> None:
    ax = plots.plot_backtest_errors(held_out)
    *families, means = ax.lines
    assert [sorted(line.get_xdata()) for line in families] == [
        pytest.approx([1.0, 3.0]), pytest.approx([4.0, 10.0]),
    ]  # fmt: skip
    assert list(means.get_xdata()) == pytest.approx([2.0, 7.0])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["arc  2.0", "gsm8k  7.0"]
    assert ax.yaxis_inverted()


def test_benchmarks_go_by_their_labels_where_they_have_one() -> None:
    test = replace(made_backtest(), labels={"gsm8k": "GSM8K (maths)"})
    ax = plots.plot_backtest_errors(test)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["arc  2.0", "GSM8K (maths)  7.0"]


def test_more_than_six_models_are_refused(prediction: Prediction, message: Message) -> None:
    names = list(dict.fromkeys(prediction.table["model"]))
    assert len(names) > 6
    with refused("argument 'models'", "6") as error:
        plots.plot_prediction(prediction, names)
    message(error)
