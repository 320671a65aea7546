from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from pictures import odd_panel, texts

import lvkit as lv
from lvkit import plots
from lvkit.drawing import picture
from lvkit.holdout import Backtest
from lvkit.posterior import FamilyPosterior
from lvkit.predict import Prediction

Plot = Callable[..., Any]

# Few scores: some loadings have no standard error, and are drawn without one.
pytestmark = pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")


def first_scores(panel: lv.Panel, **more: Any) -> Any:
    return plots.plot_scores(panel, str(panel.scores.columns[0]), **more)


EVERY: dict[str, tuple[str, Plot]] = {
    "loadings": ("fit", plots.plot_loadings),
    "errors": ("fit", lambda fit, **more: plots.plot_loadings(fit, errors=True, **more)),
    "correlation": ("fit", plots.plot_correlation),
    "families": ("fit", plots.plot_families),
    "ranking": ("fit", lambda fit, **more: plots.plot_families(fit, skill=fit.skills[0], **more)),
    "fitted": ("fit", plots.plot_fitted),
    "trace": ("fit", plots.plot_trace),
    "missing": ("fit", lambda fit, **more: plots.plot_missing(fit.panel, **more)),
    "score_correlations": (
        "fit",
        lambda fit, **more: plots.plot_score_correlations(fit.panel, **more),
    ),
    "scores": ("fit", lambda fit, **more: first_scores(fit.panel, **more)),
    "intervals": (
        "fit",
        lambda fit, **more: plots.plot_loading_intervals(fit, fit.skills[1], **more),
    ),
    "density": (
        "post",
        lambda post, **more: plots.plot_family_density(post, *post.families[:2], **more),
    ),
    "family_map": (
        "fit",
        lambda fit, **more: plots.plot_family_map(fit, families=fit.families[:1], **more),
    ),
    "prediction": ("prediction", plots.plot_prediction),
    "calibration": ("held_out", plots.plot_backtest_calibration),
    "backtest errors": ("held_out", plots.plot_backtest_errors),
}


@pytest.fixture(params=list(EVERY))
def plot(
    request: pytest.FixtureRequest,
    fit: lv.Fit,
    post: FamilyPosterior,
    prediction: Prediction,
    held_out: Backtest,
) -> Plot:
    """A plot that is given what it draws."""
    needs, function = EVERY[request.param]
    drawn = {"fit": fit, "post": post, "prediction": prediction, "held_out": held_out}[needs]
    return lambda **more: function(drawn, **more)


def test_a_plot_is_drawn_on_the_users_axes_and_returned(plot: Plot) -> None:
    mine = Figure(figsize=(6, 6)).add_subplot()
    assert plot(ax=mine) is mine
    assert mine.get_xlabel()
    assert mine.get_ylabel()


def test_the_users_labels_stay(plot: Plot) -> None:
    mine = Figure().add_subplot(xlabel="mine", ylabel="mine too")
    plot(ax=mine)
    assert (mine.get_xlabel(), mine.get_ylabel()) == ("mine", "mine too")


def test_a_plot_leaves_pyplot_and_its_settings_alone(plot: Plot) -> None:
    before = dict(mpl.rcParams)
    picture(plot(), "A plot.")
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


def test_no_text_of_a_plot_is_cut_off_or_unreadably_small(plot: Plot) -> None:
    ax = plot()
    sizes = [text.get_fontsize() for text in ax.figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= 7
    assert max(len(text) for text in texts(ax)) < 90


def test_odd_names_are_drawn_as_they_are() -> None:
    drawn = {text.strip() for text in texts(first_scores(odd_panel()))}
    assert {"<script>alert('x')</script>", "cost_$5_or_$6", "_hidden", "*b*|`x`"} <= drawn


def test_every_plot_is_tried_here() -> None:
    tried = {"plot_criterion", "plot_response"} | {f"plot_{name}" for name in EVERY} | {
        "plot_loading_intervals", "plot_family_density", "plot_backtest_calibration",
        "plot_backtest_errors",
    }  # fmt: skip
    # What these draw is not made from any fit, or is a figure of many squares.
    own_files = ("study", "plan", "evaluations", "family_place", "family_growth")
    assert {name for name in plots.__all__ if not any(w in name for w in own_files)} <= tried
