from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from pictures import odd_panel, texts

import lvkit as lv
from lvkit import plots
from lvkit.estimation.family_posterior import FamilyPosterior
from lvkit.fit.backtest import Backtest
from lvkit.model.response_curve import ResponseCurve
from lvkit.plots.drawing import picture
from lvkit.prediction.predict import Prediction

Plot = Callable[..., Any]

# Few scores: some loadings have no standard error, and are drawn without one.
pytestmark = pytest.mark.filterwarnings("ignore:the data do not determine:lvkit.LvkitWarning")


def first_benchmark(panel: lv.Panel) -> str:
    return str(panel.scores.columns[0])


Arguments = tuple[tuple[Any, ...], dict[str, Any]]

EVERY: dict[str, tuple[str, str, Callable[[Any], Arguments]]] = {
    "loadings": ("loadings", "fit", lambda fit: ((fit,), {})),
    "errors": ("loadings", "fit", lambda fit: ((fit,), {"errors": True})),
    "correlation": ("correlation", "fit", lambda fit: ((fit,), {})),
    "families": ("families", "fit", lambda fit: ((fit,), {})),
    "ranking": ("families", "fit", lambda fit: ((fit,), {"skill": fit.skills[0]})),
    "fitted": ("fitted", "fit", lambda fit: ((fit,), {})),
    "trace": ("trace", "fit", lambda fit: ((fit,), {})),
    "missing": ("missing", "fit", lambda fit: ((fit.panel,), {})),
    "score_correlations": ("score_correlations", "fit", lambda fit: ((fit.panel,), {})),
    "scores": ("scores", "fit", lambda fit: ((fit.panel, first_benchmark(fit.panel)), {})),
    "intervals": ("loading_intervals", "fit", lambda fit: ((fit, fit.skills[1]), {})),
    "density": ("family_density", "post", lambda post: ((post, *post.families[:2]), {})),
    "family_map": ("family_map", "fit", lambda fit: ((fit,), {"families": fit.families[:1]})),
    "family_place": ("family_place", "fit", lambda fit: ((fit, fit.families[0]), {})),
    "prediction": ("prediction", "prediction", lambda prediction: ((prediction,), {})),
    "calibration": ("backtest_calibration", "held_out", lambda test: ((test,), {})),
    "backtest errors": ("backtest_errors", "held_out", lambda test: ((test,), {})),
    "response": ("response", "curve", lambda curve: ((curve,), {"span": (-2.0, 2.0)})),
    "criterion": ("criterion", "selection", lambda made: ((made,), {"criterion": "both"})),
}


@pytest.fixture(params=list(EVERY))
def called(
    request: pytest.FixtureRequest,
    selection: lv.Selection,
    post: FamilyPosterior,
    prediction: Prediction,
    held_out: Backtest,
) -> tuple[str, Arguments]:
    """The name of a figure and what it is drawn from."""
    name, needs, arguments = EVERY[request.param]
    made = {"fit": selection.fits[2], "post": post, "prediction": prediction}
    made |= {"held_out": held_out, "selection": selection, "curve": ResponseCurve()}
    return name, arguments(made[needs])


@pytest.fixture
def plot(called: tuple[str, Arguments]) -> Plot:
    """A plot that is given what it draws."""
    name, (args, kwargs) = called
    return lambda **more: getattr(plots, f"plot_{name}")(*args, **kwargs, **more)


def test_one_call_draws_what_the_plot_draws_and_describes_it(
    called: tuple[str, Arguments], plot: Plot
) -> None:
    name, (args, kwargs) = called
    shown = getattr(plots, name)(*args, **kwargs)
    assert shown.picture().png == picture(plot(), "A plot.").png
    assert shown.figure is shown.ax.figure
    assert len(shown.alt) > 40
    assert f'alt="{html.escape(shown.alt)}"' in shown._repr_html_()


def test_one_call_draws_on_the_users_axes_and_describes_only_what_it_is_asked_for(
    leaderboard: lv.Panel,
) -> None:
    mine = Figure().subfigures(1, 2)[0].add_subplot()
    shown = plots.scores(leaderboard, "bbh", against="tokens_t", families=["opt"], ax=mine)
    assert shown.ax is mine
    assert "against their training tokens" in shown.alt
    assert len(mine.get_legend().get_texts()) == 1
    assert shown.figure.get_axes() == [mine]


def test_the_help_of_one_call_is_that_of_the_plot_but_for_what_it_returns() -> None:
    for name in dir(plots):
        short, long = getattr(plots, name), getattr(plots, f"plot_{name}")
        assert short.__name__ == name
        assert inspect.signature(short).parameters == inspect.signature(long).parameters
        returned = "Returns\n-------\n{}\n"
        assert returned.format("matplotlib Axes") in f"{inspect.getdoc(long)}\n"
        assert returned.format("Plot") in inspect.getdoc(short)


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
    panel = odd_panel()
    drawn = {text.strip() for text in texts(plots.plot_scores(panel, first_benchmark(panel)))}
    assert {"<script>alert('x')</script>", "cost_$5_or_$6", "_hidden", "*b*|`x`"} <= drawn


def test_every_figure_is_tried_here_or_in_a_file_of_its_own() -> None:
    tried = {name for name, _, _ in EVERY.values()}
    # What these draw is not made from any fit, or is slow to make.
    own_files = ("study", "plan", "evaluations", "family_growth")
    assert {name for name in dir(plots) if not any(word in name for word in own_files)} == tried
