"""Make the tables and figures of docs/planning.md: ``python docs/planning.py``, three minutes.

Writes the tables between their marks in ``docs/planning.md`` and the figures ``plan-*.png`` to
``docs/figures``, and prints what the plans say in words. ``python docs/planning.py coverage`` only
copies what ``benchmarks/plan_coverage.py`` has stored.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lvkit as lv
from lvkit.planning.plan_text import amount, flops
from lvkit.tools.files import make_folder, write_whole

HERE = Path(__file__).parent
BUDGETS = (1e21, 1e22, 1e23, 1e24)
SKILLS = tuple(lv.PAPER_ANCHORS)
TERMS = ("log_params", "log_tokens", "log_params:log_tokens")
RICHER = "log_params * log_tokens + I(log_params**2)"

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "floors at chance": {"floor": "chance"},
    "floors estimated": {"floor": "estimate"},
    "size squared": {"features": RICHER},
    "size squared and `instruct`": {"features": f"{RICHER} + instruct"},
    "slopes of a family's own": {"family_slopes": "log_params"},
}

Fits = dict[str, lv.Fit]
Plans = dict[tuple[str, str], lv.Plan]
Checks = dict[str, lv.WithinBetween]


def main() -> None:
    """Make everything, or only copy the table of coverage."""
    parser = argparse.ArgumentParser(description="Make the tables and figures of planning.md.")
    parser.add_argument("only", nargs="?", choices=["coverage"], help="make this table alone")
    if parser.parse_args().only is None:
        everything()
    write_page({"coverage": coverage()})


def everything() -> None:
    """Fit, plan, check, and write what was found."""
    panel = lv.load_leaderboard()
    fits = {
        name: lv.LatentSkillModel(anchors=lv.PAPER_ANCHORS, **settings).fit(panel)
        for name, settings in SETTINGS.items()
    }
    plans = {
        (name, skill): planned(fit, skill, {"instruct": True} if "instruct" in name else None)
        for name, fit in fits.items()
        for skill in SKILLS
    }
    checks = {name: lv.within_between(fits[name]) for name in list(SETTINGS)[:2]}
    tables = {
        "slopes": slopes(fits),
        "optima": optima(plans),
        "settings": settings_table(fits, plans),
        "within": within(checks),
        "inside": inside(plans, checks),
        "needs": needs(fits["default"]),
        "served": served(fits["default"]),
    }
    write_page(tables)
    draw(fits["default"])
    for (name, skill), plan in plans.items():
        print(f"{name}, {skill}:", *plan.words, sep="\n  ")
    for name, check in checks.items():
        print(f"{name}:", *check.words, sep="\n  ")


def planned(fit: lv.Fit, skill: str, attributes: dict[str, Any] | None) -> lv.Plan:
    """Return the plan of a skill on the budgets of the page."""
    return lv.plan_compute(fit, BUDGETS, target=skill, attributes=attributes)


def slopes(fits: Fits) -> str:
    """Return the slopes of each skill by size, tokens and their product, with standard errors."""
    rows = []
    for name in list(SETTINGS)[:2]:
        table = fits[name].summary()
        for skill in SKILLS:
            cells = [_with_error(table.loc[f"slope[{skill}, {term}]"]) for term in TERMS]
            rows.append([name, skill, *cells])
    return markdown(["setting", "skill", "size, b_s", "tokens, b_t", "size × tokens, b_st"], rows)


def _with_error(row: pd.Series) -> str:
    return f"{row['estimate']:.2f} ± {row['std_error']:.2f}"


def optima(plans: Plans) -> str:
    """Return the best tokens per parameter with intervals and corners, and the best models."""
    rows = []
    for name in list(SETTINGS)[:2]:
        for skill in SKILLS:
            table = plans[name, skill].table
            ratios = {_ratio(row) for _, row in table.iterrows()}
            if len(ratios) > 1:
                raise ValueError(f"{name}, {skill}: the best ratio depends on the budget")
            models = [
                f"{amount(row['params_b'])} B, {amount(row['tokens_t'])} T"
                + ("*" if row["extrapolates"] else "")
                for _, row in table.iterrows()
            ]
            inside = f"{table['interior'].iloc[0]:.0%}"
            rows.append([name, skill, *ratios, _place(table.iloc[0]), inside, *models])
    names = ["setting", "skill", "tokens per parameter on each budget (95 % interval)", "where"]
    return markdown([*names, "draws inside", *map(flops, BUDGETS)], rows)


def _ratio(row: pd.Series) -> str:
    ends = [amount(row[f"tokens_per_param_{end}"]) for end in ("lower", "upper")]
    return f"{amount(row['tokens_per_param'])} ({ends[0]} to {ends[1]})"


def _place(row: pd.Series) -> str:
    return f"corner: {row['corner']}" if row["corner"] else "inside"


def _short(row: pd.Series) -> str:
    return _ratio(row) + (" corner" if row["corner"] else "")


def settings_table(fits: Fits, plans: Plans) -> str:
    """Return the best tokens per parameter on the least and greatest budget, by setting."""
    rows = []
    for name, fit in fits.items():
        cells = []
        for skill in SKILLS:
            table = plans[name, skill].table
            ends = dict.fromkeys(_short(table.iloc[at]) for at in (1, -1))
            cells.append("; ".join(ends))
        rows.append([name, f"{fit.aic:,.0f}", *cells])
    return markdown(["setting", "AIC", *SKILLS], rows)


def within(checks: Checks) -> str:
    """Return slopes on log tokens within and between families."""
    rows = []
    for name, check in checks.items():
        for skill in SKILLS:
            rows.append([name, skill, *map(_with_error, _rows(check.table.loc[skill]))])
        p = f"{check.p_value:.4f}" if check.p_value < 0.001 else f"{check.p_value:.3f}"
        test = f"Wald {check.statistic:.1f} on {check.dof}, p = {p}"
        rows.append([name, "all", "", "", "", test])
    return markdown(["setting", "skill", "pooled", "within", "between", "difference"], rows)


def _rows(table: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in table.iterrows()]


def inside(plans: Plans, checks: Checks) -> str:
    """Return the best tokens per parameter by the pooled slopes, and by those within families."""
    rows = []
    for name, check in checks.items():
        models = check.refit.panel.models.loc[list(check.refit.prepared.models)]
        held = {"family_mean": float(models["family_mean"].mean())}
        for skill in SKILLS:
            pooled, own = plans[name, skill], planned(check.refit, skill, held)
            cells = [_short(plan.table.iloc[-1]) for plan in (pooled, own)]
            rows.append([name, skill, *cells])
    return markdown(["setting", "skill", "by pooled slopes", "by slopes within families"], rows)


def needs(fit: lv.Fit) -> str:
    """Return what scores take."""
    rows = []
    for target, score, family in (
        ("mmlu_pro", 0.5, "qwen2"),
        ("mmlu_pro", 0.5, None),
        ("gsm8k", 0.8, "qwen2"),
        ("gsm8k", 0.8, None),
    ):
        for probability in (0.5, 0.9):
            need = lv.required_compute(
                fit, target=target, score=score, probability=probability, family=family,
                limits=lv.Limits(max_tokens_t=20),
            )  # fmt: skip
            said = ["not within these limits", "", ""]
            if need.feasible:
                said = [f"{need.compute:.1e}", amount(need.params_b), amount(need.tokens_t)]
            far = f"{10.0**need.distance:.1f}" if need.extrapolates else ""
            whose = family or "a new recipe"
            rows.append([f"{target} {score:g}", whose, f"{probability:.0%}", *said, far])
    names = ["score", "family", "probability", "FLOPs", "billion parameters", "trillion tokens"]
    return markdown([*names, "factor outside"], rows)


def served(fit: lv.Fit) -> str:
    """Return how the best point moves when serving is paid from the budget."""
    rows = []
    for tokens in (0.0, 1.0, 10.0, 100.0):
        plan = lv.plan_compute(fit, 1e24, target="reasoning", cost=lv.Cost(serving_tokens_t=tokens))
        row = plan.table.iloc[0]
        model = [amount(row["params_b"]), amount(row["tokens_t"])]
        rows.append([f"{tokens:g} T", *model, _ratio(row), f"{row['value']:.2f}"])
    names = ["tokens served", "billion parameters", "trillion tokens", "tokens per parameter"]
    return markdown([*names, "reasoning"], rows)


def coverage() -> str:
    """Return how near planned optima come to the truth, and how often intervals hold it."""
    stored = json.loads((HERE.parent / "benchmarks/results/plan_coverage.json").read_text("utf-8"))
    rows = []
    for found in stored["summary"]:
        errors = [f"{found[name]:.3f}" for name in ("median_error", "median_absolute_error")]
        sizes = [f"{found[name]}" for name in ("target", "families", "replications")]
        rows.append([*sizes, *errors, f"{found['width']:.2f}", f"{found['coverage']:.1%}"])
    names = ["skill", "families", "panels", "median error", "median absolute error"]
    return markdown([*names, "median width", "coverage"], rows)


def draw(fit: lv.Fit) -> None:
    """Draw the figures, and print what the comparison says."""
    folder = make_folder(HERE / "figures")
    compared = lv.compare_plans(fit, BUDGETS, targets=SKILLS)
    wide = lv.plan_compute(fit, np.geomspace(1e21, 1e25, 33), target="mmlu_pro", family="qwen2")
    for name, plot in (
        ("reasoning", lv.plots.plan(lv.plan_compute(fit, BUDGETS, target="reasoning"))),
        ("value", lv.plots.plan_value(wide)),
        ("comparison", lv.plots.plan_comparison(compared)),
    ):
        write_whole(folder / f"plan-{name}.png", plot.picture().png)
    print(*compared.words, wide.table.iloc[[0, -1]].T.to_string(), sep="\n")


def write_page(tables: dict[str, str]) -> None:
    """Put the tables into docs/planning.md, between their marks."""
    page = (HERE / "planning.md").read_text("utf-8")
    for name, table in tables.items():
        mark = f"<!-- {name} -->"
        before, _, after = page.split(mark)
        page = f"{before}{mark}\n{table}\n{mark}{after}"
    write_whole(HERE / "planning.md", page)


def markdown(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(names), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
