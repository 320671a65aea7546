"""Fits, plans and required compute as text for a terminal.

The text is for reading at a glance; :mod:`lvkit.reports.as_json` has all of it for a program.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from lvkit.cli.console import in_options
from lvkit.errors import count

if TYPE_CHECKING:
    import pandas as pd

    from lvkit.fit.fit import Fit
    from lvkit.planning import Need, Plan


def table(frame: pd.DataFrame, *, digits: int = 2) -> str:
    """Return a table as aligned text, indented; what is missing is left blank."""
    shown = frame.to_string(
        float_format=lambda number: f"{number:.{digits}f}", na_rep="", index_names=False
    )
    return "\n".join("  " + line.rstrip() for line in shown.splitlines())


def fit_text(fit: Fit) -> str:
    """Return what a fit found: how well it fits, what loads on what, what was left out."""
    from lvkit.estimation.standard_errors import all_unidentified

    converged = "yes" if fit.converged else "NO"
    undetermined = [in_options(str(r)) for r in all_unidentified(fit)]
    parts = [
        f"Fitted to {count(fit.n_scores, 'score')} of {count(fit.n_models, 'model')} in "
        f"{count(fit.n_families, 'family')}{_left_out(fit.dropped)}.",
        f"Log-likelihood {fit.loglik:.1f}, AIC {fit.aic:.1f}, BIC {fit.bic:.1f}, "
        f"{fit.n_params} parameters.",
        f"Converged: {converged} ({fit.message.removeprefix('converged: ')})",
        *(f"Not determined: {sentence}" for sentence in undetermined),
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


def _left_out(dropped: pd.DataFrame) -> str:
    """Return how many models were left out and why, as the end of a sentence."""
    if dropped.empty:
        return ""
    reasons = dropped["reason"].value_counts()
    why = ", ".join(f"{reason}: {number:,}" for reason, number in reasons.items())
    return f"; {count(len(dropped), 'model')} left out ({why})"


def plan_text(plan: Plan) -> str:
    """Return a plan as a table and sentences."""
    from lvkit.planning.plan_text import amount

    shown = plan.table[["budget", "params_b", "tokens_t", "tokens_per_param", "value"]].copy()
    columns = {"tokens_per_param": "tokens_per_param_", "value": ""}
    for name, start in columns.items():
        shown[f"{name} ({plan.level:.0%})"] = [
            "none"
            if not isfinite(a)
            else f"{amount(a) if a > 0 else f'{a:.3g}'} to {amount(b) if b > 0 else f'{b:.3g}'}"
            for a, b in zip(plan.table[start + "lower"], plan.table[start + "upper"], strict=True)
        ]
    shown["corner"] = plan.table["corner"]
    text = shown.to_string(index=False, float_format="{:.3g}".format)
    rows = "\n".join("  " + line.rstrip() for line in text.splitlines())
    said = map(in_options, plan.words)
    return "\n\n".join([f"{plan.target.label} of {plan.family}", rows, *said])


def need_text(need: Need) -> str:
    """Return how much compute a score takes, in sentences."""
    return "\n\n".join(map(in_options, need.words))
