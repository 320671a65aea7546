"""lvkit: how the abilities of large language models grow with size and data.

Benchmark scores are modelled with latent variables: each family of models has a latent vector (how
well its recipe turns size and data into skills), a model's skills follow from it and from log size
and log tokens, and each score is Beta distributed around a curve of the skills (arXiv 2512.06553).

>>> import lvkit as lv
>>> panel = lv.load_leaderboard().complete()
>>> fit = lv.LatentSkillModel(n_skills=1).fit(panel)
>>> fit.converged, round(fit.loglik)
(True, 1521)

Names are loaded when they are first used (PEP 562), so that ``import lvkit`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lvkit.anchors import AnchorSuggestions
    from lvkit.batch import Batch, run_reports
    from lvkit.cache import FitCache
    from lvkit.calibration import Calibration
    from lvkit.comparison import compare
    from lvkit.data import load_leaderboard
    from lvkit.errors import LvkitError, LvkitWarning
    from lvkit.holdout import Backtest, backtest
    from lvkit.model import LatentSkillModel
    from lvkit.panel import Panel
    from lvkit.parameters import Parameters
    from lvkit.planning import (
        Cost,
        EvaluationPlan,
        Limits,
        Need,
        Plan,
        PlanComparison,
        WithinBetween,
        compare_plans,
        plan_compute,
        plan_evaluations,
        required_compute,
        within_between,
    )
    from lvkit.posterior import FamilyPosterior
    from lvkit.predict import Prediction
    from lvkit.reading.readers import CheckReport, check_file, read_panel
    from lvkit.report import ReportPaths, run_report
    from lvkit.results import Fit
    from lvkit.select import Selection, select_skills
    from lvkit.simulation import simulate, simulate_models
    from lvkit.storage import load_fit
    from lvkit.study import Study, simulation_study

__version__ = "0.1.0"

_HOMES = {
    "AnchorSuggestions": "anchors",
    "Backtest": "holdout",
    "Batch": "batch",
    "Calibration": "calibration",
    "CheckReport": "reading.readers",
    "Cost": "planning",
    "EvaluationPlan": "planning",
    "FamilyPosterior": "posterior",
    "Fit": "results",
    "FitCache": "cache",
    "LatentSkillModel": "model",
    "Limits": "planning",
    "LvkitError": "errors",
    "LvkitWarning": "errors",
    "Need": "planning",
    "Panel": "panel",
    "Parameters": "parameters",
    "Plan": "planning",
    "PlanComparison": "planning",
    "Prediction": "predict",
    "ReportPaths": "report",
    "Selection": "select",
    "Study": "study",
    "WithinBetween": "planning",
    "backtest": "holdout",
    "check_file": "reading.readers",
    "compare": "comparison",
    "compare_plans": "planning",
    "load_fit": "storage",
    "load_leaderboard": "data",
    "plan_compute": "planning",
    "plan_evaluations": "planning",
    "read_panel": "reading.readers",
    "required_compute": "planning",
    "run_report": "report",
    "run_reports": "batch",
    "select_skills": "select",
    "simulate": "simulation",
    "simulate_models": "simulation",
    "simulation_study": "study",
    "within_between": "planning",
}

__all__ = [
    "AnchorSuggestions",
    "Backtest",
    "Batch",
    "Calibration",
    "CheckReport",
    "Cost",
    "EvaluationPlan",
    "FamilyPosterior",
    "Fit",
    "FitCache",
    "LatentSkillModel",
    "Limits",
    "LvkitError",
    "LvkitWarning",
    "Need",
    "Panel",
    "Parameters",
    "Plan",
    "PlanComparison",
    "Prediction",
    "ReportPaths",
    "Selection",
    "Study",
    "WithinBetween",
    "backtest",
    "check_file",
    "compare",
    "compare_plans",
    "load_fit",
    "load_leaderboard",
    "plan_compute",
    "plan_evaluations",
    "read_panel",
    "required_compute",
    "run_report",
    "run_reports",
    "select_skills",
    "simulate",
    "simulate_models",
    "simulation_study",
    "within_between",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lvkit' has no attribute '{name}'")
    value = getattr(import_module(f"lvkit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
