"""Planning: what a fitted model is for.

How to spend compute (:func:`plan_compute`), how much of it a score takes
(:func:`required_compute`), where the best splits of two skills part (:func:`compare_plans`), what
to evaluate next (:func:`plan_evaluations`), and how far the slope of tokens holds within families
(:func:`within_between`).

A plan runs from the user's words to the answer in small steps, one module each: what a model costs
(``cost``), where the plan may go (``limits``), what it aims at (``target``), how features depend on
size and tokens (``surface``), what the family could do (``outlook``), the best point
(``optimum``), how far it is from the data (``region``), and what all of it says (``words``). The
``aim`` holds together what was asked for. The gain of an evaluation has its formula in ``gain``.
"""

from __future__ import annotations

from lvkit.planning.comparison import CHINCHILLA, PlanComparison, compare_plans
from lvkit.planning.cost import Cost
from lvkit.planning.evaluations import EvaluationPlan, plan_evaluations
from lvkit.planning.limits import Limits
from lvkit.planning.need import Need, required_compute
from lvkit.planning.outlook import AVERAGE
from lvkit.planning.plan import Plan, plan_compute
from lvkit.planning.within import WithinBetween, within_between

__all__ = [
    "AVERAGE",
    "CHINCHILLA",
    "Cost",
    "EvaluationPlan",
    "Limits",
    "Need",
    "Plan",
    "PlanComparison",
    "WithinBetween",
    "compare_plans",
    "plan_compute",
    "plan_evaluations",
    "required_compute",
    "within_between",
]
