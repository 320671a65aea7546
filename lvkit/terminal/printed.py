"""Printed: what panels and fits look like in a terminal, and as a document for a program.

Two forms of the same facts. The text is for reading at a glance; the document, made of JSON's own
types only, holds all that the text says and is stable: names are added to it, none changes its
meaning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from lvkit.panel import Panel
    from lvkit.reading.readers import CheckReport
    from lvkit.results import Fit

__all__ = [
    "check_document",
    "check_text",
    "fit_document",
    "fit_text",
    "panel_document",
    "panel_text",
    "plain",
    "table",
]


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


def table(frame: pd.DataFrame, *, digits: int = 2) -> str:
    """Return a table as aligned text, indented; what is missing is left blank."""
    shown = frame.to_string(
        float_format=lambda number: f"{number:.{digits}f}", na_rep="", index_names=False
    )
    return "\n".join("  " + line.rstrip() for line in shown.splitlines())


def panel_text(panel: Panel) -> str:
    """Return a panel's size in a line."""
    return (
        f"{panel.n_models:,} models in {panel.n_families:,} families, "
        f"{panel.n_benchmarks:,} benchmarks, {panel.n_scores:,} scores"
    )


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


def check_text(report: CheckReport) -> str:
    """Return what is in a file, and what is wrong with it, one line for each fault."""
    if report.panel is not None:
        notes = [f"  Note: {note}." for note in report.notes]
        return "\n".join([f"{report.path}: {panel_text(report.panel)}", *notes])
    count = f"{len(report.problems)} problem" + ("s" if len(report.problems) > 1 else "")
    faults = [f"  {n}. {problem}" for n, problem in enumerate(report.problems, start=1)]
    return "\n".join([f"{report.path}: {count}", *faults])


def check_document(report: CheckReport) -> dict[str, Any]:
    """Return what is in a file and what is wrong with it."""
    return {
        "file": report.path,
        "ok": report.ok,
        "panel": None if report.panel is None else panel_document(report.panel),
        "problems": [asdict(problem) for problem in report.problems],
        "notes": list(report.notes),
    }


def fit_text(fit: Fit) -> str:
    """Return what a fit found: how well it fits, what loads on what, what was left out."""
    converged = "yes" if fit.converged else "NO"
    parts = [
        f"Fitted to {fit.n_scores:,} scores of {fit.n_models:,} models in {fit.n_families:,} "
        f"families{_left_out(fit.dropped)}.",
        f"Log-likelihood {fit.loglik:.1f}, AIC {fit.aic:.1f}, BIC {fit.bic:.1f}, "
        f"{fit.n_params} parameters.",
        f"Converged: {converged} ({fit.message.removeprefix('converged: ')})",
        "",
        "Loadings (each skill's anchor loads on that skill alone)",
        table(fit.loadings),
        "",
        "Effect of the features on the skills",
        table(fit.slopes, digits=3),
    ]
    if len(fit.skills) > 1:
        parts += ["", "Correlation of the families' skills", table(fit.correlation)]
    return "\n".join(parts)


def fit_document(fit: Fit) -> dict[str, Any]:
    """Return what a fit found, with the models it left out."""
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
        "skills": list(fit.skills),
        "anchors": dict(fit.anchors),
        "loadings": fit.loadings,
        "slopes": fit.slopes,
        "correlation": fit.correlation,
        "starts": fit.starts.reset_index().to_dict("records"),
        "dropped": {str(model): str(why) for model, why in fit.dropped["reason"].items()},
    }


def _left_out(dropped: pd.DataFrame) -> str:
    """Return how many models were left out and why, as the end of a sentence."""
    if dropped.empty:
        return ""
    reasons = dropped["reason"].value_counts()
    why = ", ".join(f"{reason}: {count:,}" for reason, count in reasons.items())
    return f"; {len(dropped):,} models left out ({why})"
