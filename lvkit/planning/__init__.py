"""Planning: how to spend compute and evaluations.

How to spend compute (:func:`plan_compute`), how much of it a score takes
(:func:`required_compute`), where the best splits of two skills part (:func:`compare_plans`), what
to evaluate next (:func:`plan_evaluations`), and how far the slope of tokens holds within families
(:func:`within_between`).

A plan runs from the arguments to the answer in small steps, one module each: what a model costs and
where the plan may go (``constraints``), its target (``target``), how features depend on size and
tokens, and where the data are (``feature_surface``), what the family could do (``family_curves``),
the best point (``optimum``), and the answer in sentences (``plan_text``). The gain of an evaluation
has its formula in ``information_gain``.
"""

from __future__ import annotations

from lvkit.planning.comparison import CHINCHILLA, PlanComparison, compare_plans
from lvkit.planning.constraints import Cost, Limits
from lvkit.planning.evaluations import EvaluationPlan, plan_evaluations
from lvkit.planning.family_curves import AVERAGE
from lvkit.planning.plan import Plan, plan_compute
from lvkit.planning.required import Need, required_compute
from lvkit.planning.within_between import WithinBetween, within_between

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
