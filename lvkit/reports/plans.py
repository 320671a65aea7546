"""Plans in reports: a compute budget for a family, and what to evaluate next.

Where the features lack size or tokens no plan can be made; a report then says so in its place
instead of failing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from lvkit import plots
from lvkit.errors import LvkitError
from lvkit.fit.standings import largest_model, next_models
from lvkit.planning.evaluations import plan_evaluations
from lvkit.planning.feature_surface import learn_surface
from lvkit.planning.plan import plan_compute
from lvkit.planning.plan_text import amount, association
from lvkit.planning.target import read_target
from lvkit.plots.drawing import Plot
from lvkit.plots.phrases import Prose, listed

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit
    from lvkit.planning.evaluations import EvaluationPlan
    from lvkit.planning.plan import Plan


@dataclass(frozen=True, eq=False)
class FamilyPlans:
    """A family's compute plans on one budget, or the reason why there are none.

    Attributes
    ----------
    plans : tuple of Plan
        One for each target; none if the fit cannot plan.
    reason : str
        Why there are none; "" if there are.
    unsure : str
        Why plans have no intervals; "" if they have.
    """

    plans: tuple[Plan, ...] = field(repr=False)
    reason: str = ""
    unsure: str = ""

    @cached_property
    def words(self) -> Prose:
        """What the plans say, target by target, in the library's words."""
        if not self.plans:
            return Prose((("No plan", self.reason),))
        every = association(self.plans[0].fit)
        told = [
            (f"For {plan.target.label}", " ".join(x for x in plan.words if x != every))
            for plan in self.plans
        ]
        doubts = [("No intervals", self.unsure)] if self.unsure else []
        return Prose((*told, *doubts, ("What a plan is", f"{self._alike}{every}")))

    @property
    def _alike(self) -> str:
        """Say for which targets the best split is no matter of the family; "" if for none."""
        alike = [plan.target.label for plan in self.plans if _for_every_family(plan)]
        if not alike:
            return ""
        whose = "" if len(alike) == len(self.plans) else f" for {listed(alike)}"
        return (
            f"With these features the best split{whose} is the same for every family: it follows "
            "from the slopes of size and tokens alone, which all families share. What the family "
            "decides is how much is reached with it. "
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """Best size, tokens and their ratio, a column for each target, as text with intervals."""
        if not self.plans:
            return pd.DataFrame({"compute plan": ["none"]})
        columns = {plan.target.label: _column(plan) for plan in self.plans}
        return pd.DataFrame(columns).rename_axis("best for")

    @cached_property
    def map(self) -> Plot | Prose:
        """A plan's map: the first target's whose best point lies inside, or the first one's."""
        if not self.plans:
            return Prose((("No map", "Without a plan there is none."),))
        inside = [plan for plan in self.plans if not plan.table["corner"].iloc[0]]
        plan = (inside or list(self.plans))[0]
        return plots.plan(plan)

    def highlights(self) -> dict[str, str]:
        """Return each target's best size and tokens in a few signs."""
        return {f"best for {plan.target.label}": _short(plan) for plan in self.plans}


def plan_family(
    fit: Fit,
    family: str,
    budget: float,
    *,
    target: str = "",
    level: float = 0.95,
    seed: int = 0,
) -> FamilyPlans:
    """Plan a compute budget for a family.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    budget : float
        FLOPs.
    target : str
        A skill or benchmark; empty for each skill in turn.
    level : float
        Level of the intervals.
    seed : int
        Seed of the draws.

    Returns
    -------
    FamilyPlans
        Without plans, but with the reason, where the features lack size or tokens, or need a value
        that the family's models do not share.

    Raises
    ------
    LvkitError
        For an unknown target and a budget that is none.
    """
    targets = [target] if target else [f"skill:{skill}" for skill in fit.skills]
    for name in targets:
        read_target(fit, name)
    try:
        learn_surface(fit, family, None)
    except LvkitError as error:
        return FamilyPlans((), str(error))
    plans = tuple(
        plan_compute(fit, budget, target=name, family=family,
                     level=level if fit.converged else None, seed=seed)
        for name in targets
    )  # fmt: skip
    unsure = "" if fit.converged else f"The search for the parameters failed: {fit.message}."
    return FamilyPlans(plans, unsure=unsure)


def _for_every_family(plan: Plan) -> bool:
    """Tell whether a plan's best split would be the same for any other family."""
    shared = plan.fit.model.family_slopes is None and not plan.aim.surface.attributes
    inside = bool((plan.table["corner"] == "").all())
    return shared and inside and plan.aim.closed_form


_ROWS = {
    "params_b": "parameters (billions)",
    "tokens_t": "tokens (trillions)",
    "tokens_per_param": "tokens per parameter",
}


def _column(plan: Plan) -> dict[str, str]:
    """Return what a table says of a plan; no numbers where it recommends none."""
    row = plan.table.iloc[0]
    nowhere = "bracket" in str(row["corner"])
    notes = ["no best point inside"] if nowhere else []
    notes += ["outside the fitted models"] if row["extrapolates"] else []
    told = {words: "–" if nowhere else _told(plan, name) for name, words in _ROWS.items()}
    withheld = plan.level is None or not math.isfinite(row["lower"])
    ends = "" if withheld else f" ({row['lower']:.2f} to {row['upper']:.2f})"
    value = "–" if nowhere else f"{row['value']:.2f}{ends}"
    return {**told, f"reached ({plan.target.unit})": value, "mind": ", ".join(notes) or "–"}


def _told(plan: Plan, name: str) -> str:
    """Return a number of a plan with its interval, if it has one."""
    row = plan.table.iloc[0]
    value = amount(float(row[name]))
    if plan.level is None or math.isnan(row[f"{name}_lower"]):
        return value
    return f"{value} ({amount(row[f'{name}_lower'])} to {amount(row[f'{name}_upper'])})"


def _short(plan: Plan) -> str:
    """Return a plan in a few signs, as a cell of a table of many reports."""
    row = plan.table.iloc[0]
    if "bracket" in str(row["corner"]):
        return "no best point inside"
    best = f"{amount(float(row['params_b']))}B on {amount(float(row['tokens_t']))}T"
    return f"{best} (at a limit)" if row["corner"] else best


def family_evaluations(fit: Fit, family: str, *, target: str = "") -> EvaluationPlan:
    """Plan what to evaluate next of a family.

    Parameters
    ----------
    fit : Fit
        The fitted model.
    family : str
        One of its families.
    target : str
        A skill or benchmark to know better; empty for all skills together.

    Returns
    -------
    EvaluationPlan
        For the largest fitted model that lacks a score; for the next size, twice the largest, if
        none does.
    """
    models = fit.panel.models.loc[list(fit.prepared.models)]
    models = models[models["family"] == family]
    lacking = fit.panel.scores.loc[models.index, list(fit.benchmarks)].isna().any(axis=1)
    open_ones = models[lacking].sort_values("params_b", ascending=False, kind="stable")
    asked = open_ones.head(1).reset_index() if len(open_ones) else next_models(fit, family).head(1)
    return plan_evaluations(fit, asked, target=target or None)


def evaluation_words(fit: Fit, family: str, plan: EvaluationPlan) -> Prose:
    """Tell what to run next on which model, and what it is expected to teach."""
    chosen = (
        f"{plan.model} is the largest model of the family with a score missing."
        if plan.model in fit.panel.models.index
        else f"All models of the family have every score; this plan is for {plan.model}, which "
        f"nobody has trained: the family's own scores ({largest_model(fit, family)} and smaller) "
        "say already what is known of it."
    )
    return Prose((("For which model", chosen), ("What to run", " ".join(_labelled(plan)))))


def _labelled(plan: EvaluationPlan) -> list[str]:
    """Return a plan's sentences, with the labels of benchmarks for their names.

    The first says where the plan starts; one for each step follows, and then what is left.
    """
    labels, said = plan.labels, list(plan.words)
    for place, name in enumerate(map(str, plan.table["benchmark"]), start=1):
        for verb in ("Run", "Then run"):
            if place < len(said) and said[place].startswith(f"{verb} {name}: "):
                said[place] = f"{verb} {labels[name]}{said[place].removeprefix(f'{verb} {name}')}"
    return said
