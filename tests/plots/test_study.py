from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from golden import Message, refused
from matplotlib.figure import Figure

import lvkit as lv
from lvkit.fit.simulation_study import Study
from lvkit.plots import plot_study_errors, plot_study_normality
from lvkit.plots.drawing import picture

SIZES = (50, 200)


@pytest.fixture(scope="module")
def normal() -> Study:
    """A study whose errors are as theory says, in two parameters of very different size."""
    rng, rows = np.random.default_rng(0), []
    for families in SIZES:
        for name, scale in (("a", 0.5), ("b", 30.0)):
            for replication in range(400):
                sd = scale / np.sqrt(families)
                error = sd * rng.standard_normal()
                rows.append((families, replication, name, 1.0, 1.0 + error, sd, True))
    columns = "families replication parameter truth estimate std_error converged"
    table = pd.DataFrame(rows, columns=columns.split())
    table = table.assign(lower=table["estimate"] - 2.0, upper=table["estimate"] + 2.0)
    params: Any = None
    return Study(params, table, table.head(0), 0.95)


BOTH = pytest.mark.parametrize("plot", [plot_study_errors, plot_study_normality])


@BOTH
def test_a_plot_is_a_figure_of_its_own(plot: Any, normal: Study) -> None:
    before = plt.get_fignums()
    ax = plot(normal)
    assert isinstance(ax.figure, Figure)
    assert plt.get_fignums() == before
    assert picture(ax, "A study.").png.startswith(b"\x89PNG")


@BOTH
def test_a_plot_is_drawn_where_it_is_asked_for(plot: Any, normal: Study) -> None:
    ax = Figure().add_subplot()
    ax.set_xlabel("mine")
    assert plot(normal, ax=ax) is ax
    assert ax.get_xlabel() == "mine"
    assert ax.lines


def test_errors_are_drawn_beside_the_line_of_theory(normal: Study, message: Message) -> None:
    ax = plot_study_errors(normal)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    lines = {line.get_label().split()[0]: line for line in ax.lines}
    found, theory = lines["slope"], lines["theory,"]
    np.testing.assert_array_equal(found.get_xdata(), SIZES)
    np.testing.assert_array_equal(found.get_ydata(), normal.summary()["median_error"])
    message(found.get_label(), f"{normal.rate():.2f}")
    ratio = theory.get_ydata()[0] / theory.get_ydata()[1]
    assert ratio == pytest.approx(2.0)
    middles = [np.exp(np.mean(np.log(line.get_ydata()))) for line in ax.lines]
    np.testing.assert_allclose(middles, middles[0])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["50", "200"]


def test_normal_errors_lie_on_the_line(normal: Study) -> None:
    ax = plot_study_normality(normal)
    points = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert [line.get_label() for line in points] == ["50 families", "200 families"]
    for line in points:
        middle = np.abs(line.get_xdata()) < 2.0
        apart = np.asarray(line.get_ydata() - line.get_xdata())[middle]
        assert np.abs(apart).max() < 0.25


def test_errors_that_are_too_wide_leave_the_line(normal: Study) -> None:
    table = normal.estimates.assign(std_error=normal.estimates["std_error"] / 2.0)
    ax = plot_study_normality(Study(normal.params, table, normal.failures, 0.95))
    points = [line for line in ax.lines if line.get_linestyle() == "None"]
    slopes = [np.polyfit(line.get_xdata(), line.get_ydata(), 1)[0] for line in points]
    assert slopes == pytest.approx([2.0, 2.0], abs=0.2)


def test_a_study_without_errors_cannot_be_drawn(normal: Study, message: Message) -> None:
    table = normal.estimates.assign(std_error=np.nan, converged=False)
    empty = Study(normal.params, table, normal.failures, 0.95)
    with refused("plot_study_normality") as error:
        plot_study_normality(empty)
    message(error)
    with pytest.raises(lv.LvkitError, match="rate"):
        plot_study_errors(empty)
