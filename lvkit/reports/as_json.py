"""JSON documents of panels, fits, plans and checks, for programs.

A document is made of JSON's own types only and is stable: names are added to it, none changes its
meaning. The command line prints them with ``--json`` and a report keeps one beside its page; for a
person, :mod:`lvkit.cli.as_text` says the same as text.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lvkit.data.panel import Panel
    from lvkit.data.read import CheckReport
    from lvkit.fit.fit import Fit
    from lvkit.planning import Cost, Limits, Need, Plan


NUMBERS = ("lvkit", "numpy", "scipy", "pandas", "formulaic")
"""The packages that numbers depend on."""


def installed_versions(*more: str) -> dict[str, str]:
    """Return the versions of Python, of the packages in `NUMBERS`, and of others.

    Examples
    --------
    >>> list(installed_versions())
    ['Python', 'lvkit', 'numpy', 'scipy', 'pandas', 'formulaic']
    """
    found = {"Python": platform.python_version()}
    for name in NUMBERS + more:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # lvkit may run from a bare folder of sources
            found[name] = "not installed"
    return found


def plain(value: Any) -> Any:
    """Return `value` in JSON's own types.

    A table becomes nested mappings, row by row; a number that is not finite becomes None.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> plain(pd.DataFrame({"skill": [1.5, np.nan]}, index=["mmlu", "bbh"]))
    {'mmlu': {'skill': 1.5}, 'bbh': {'skill': None}}
    >>> plain({"ok": np.bool_(True), "n": np.int64(3), "places": ("a", 1)})
    {'ok': True, 'n': 3, 'places': ['a', 1]}
    """
    if hasattr(value, "to_dict"):
        value = value.to_dict("index") if getattr(value, "ndim", 1) == 2 else value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    text = str(value)
    return None if text in ("NaT", "<NA>") else text


def panel_document(panel: Panel) -> dict[str, Any]:
    """Return what is in a panel."""
    return {
        "n_models": panel.n_models,
        "n_families": panel.n_families,
        "n_benchmarks": panel.n_benchmarks,
        "n_scores": panel.n_scores,
        "families": list(panel.families),
        "benchmarks": [str(name) for name in panel.benchmarks.index],
        "digest": panel.digest,
    }


def check_document(report: CheckReport) -> dict[str, Any]:
    """Return what is in a file and what is wrong with it."""
    return {
        "file": report.path,
        "ok": report.ok,
        "panel": None if report.panel is None else panel_document(report.panel),
        "problems": [asdict(problem) for problem in report.problems],
        "notes": list(report.notes),
    }


def fit_document(fit: Fit) -> dict[str, Any]:
    """Return what a fit found, what the data leave open, and the models it left out."""
    from lvkit.estimation.standard_errors import all_unidentified

    return {
        "panel": panel_document(fit.panel),
        "method": fit.method,
        "seed": fit.seed,
        "loglik": fit.loglik,
        "aic": fit.aic,
        "bic": fit.bic,
        "n_params": fit.n_params,
        "n_scores": fit.n_scores,
        "n_models": fit.n_models,
        "n_families": fit.n_families,
        "converged": fit.converged,
        "message": fit.message,
        "unidentified": [asdict(record) for record in all_unidentified(fit)],
        "skills": list(fit.skills),
        "anchors": dict(fit.anchors),
        "loadings": fit.loadings,
        "slopes": fit.slopes,
        "correlation": fit.correlation,
        "starts": fit.starts.reset_index().to_dict("records"),
        "dropped": {str(model): str(why) for model, why in fit.dropped["reason"].items()},
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return what a plan says: a row for each budget, and the sentences."""
    return {
        "target": plan.target.label,
        "kind": plan.target.kind,
        "family": plan.family,
        "level": plan.level,
        **_bounds(plan.aim.limits, plan.aim.cost),
        "table": plan.table.to_dict("records"),
        "words": list(plan.words),
    }


def need_document(need: Need) -> dict[str, Any]:
    """Return how much compute a score takes."""
    parts = ("feasible", "compute", "params_b", "tokens_t", "tokens_per_param", "probability")
    return {
        "target": need.aim.target.label,
        "kind": need.aim.target.kind,
        "score": need.score,
        "asked": need.asked,
        **_bounds(need.aim.limits, need.aim.cost),
        **{name: getattr(need, name) for name in parts},
        "corner": need.corner,
        "extrapolates": need.extrapolates,
        "distance": need.distance,
        "words": list(need.words),
    }


def _bounds(limits: Limits, cost: Cost) -> dict[str, Any]:
    return {"limits": asdict(limits), "cost": asdict(cost)}
