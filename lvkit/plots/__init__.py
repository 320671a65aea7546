"""Plots: panels, choices of K, fits, predictions, hold-out tests, plans and studies, drawn.

Each function draws one answer on the axes it is given, or on a figure of its own, and returns the
axes; none saves, shows or changes anything else. ``ax.figure`` shows itself at the end of a
notebook's cell and has ``savefig``. :mod:`lvkit.reporting.describe` says the same things in words,
and :func:`lvkit.drawing.picture` joins the two. Colour-blind readers can tell the colours
apart.
"""

from __future__ import annotations

from lvkit.plots.comparison import plot_plan_comparison
from lvkit.plots.density import plot_family_density
from lvkit.plots.evaluations import plot_evaluations
from lvkit.plots.family import plot_family_growth, plot_family_place
from lvkit.plots.fit import (
    plot_correlation,
    plot_criterion,
    plot_families,
    plot_fitted,
    plot_loadings,
    plot_trace,
)
from lvkit.plots.panel import plot_missing, plot_score_correlations, plot_scores
from lvkit.plots.planning import plot_plan, plot_plan_value
from lvkit.plots.prediction import (
    plot_backtest_calibration,
    plot_backtest_errors,
    plot_prediction,
)
from lvkit.plots.response import plot_response
from lvkit.plots.study import plot_study_errors, plot_study_normality
from lvkit.plots.uncertainty import plot_family_map, plot_loading_intervals

__all__ = [
    "plot_backtest_calibration",
    "plot_backtest_errors",
    "plot_correlation",
    "plot_criterion",
    "plot_evaluations",
    "plot_families",
    "plot_family_density",
    "plot_family_growth",
    "plot_family_map",
    "plot_family_place",
    "plot_fitted",
    "plot_loading_intervals",
    "plot_loadings",
    "plot_missing",
    "plot_plan",
    "plot_plan_comparison",
    "plot_plan_value",
    "plot_prediction",
    "plot_response",
    "plot_score_correlations",
    "plot_scores",
    "plot_study_errors",
    "plot_study_normality",
    "plot_trace",
]
