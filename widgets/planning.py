"""Plan: how large a model to train, and on how many tokens, for a budget of compute.

The map shows what is aimed at over size and tokens, the budgets as lines, and the best point on
each; the words say what the plan rests on, and the table is there to be taken away. Intervals take
draws of all that is uncertain, which are kept as long as the family stays: another family's best
points are shown first, and their intervals right after.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import pandas as pd

from lvkit.planning.constraints import Cost
from lvkit.planning.family_curves import check_family
from lvkit.planning.feature_surface import learn_surface
from lvkit.planning.plan import Plan, plan_compute
from lvkit.planning.plan_text import flops
from lvkit.planning.target import read_target
from lvkit.plots.plan_results import plot_plan_value
from lvkit.plots.planning import plan_view, plot_plan_ground, plot_plan_path
from lvkit.tools.checks import check_level

from .budgeting import (
    MAP,
    MIXES,
    NEW,
    VALUE,
    budget_slider,
    budgets_up_to,
    costs,
    family_menu,
    limit_boxes,
    limits_of,
    other_columns,
    serving_box,
    shown_controls,
    target_menu,
    target_of,
    weight_boxes,
)
from .features import as_in_family, feature_controls, set_controls
from .layers import LayeredBox
from .notice import Notice
from .table import TableBox
from .tool import Tool

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit


_SIZE = (7.0, 5.0)

_KEPT = 6
"""Families whose draws are kept (:class:`lvkit.estimation.fitted.Memo`): the last ones planned."""

_STEP = 0.25
"""The map's ends go by steps of so many powers of ten."""


def plan_budget(
    fit: Fit,
    *,
    budget: float | None = None,
    target: str | None = None,
    family: str | None = None,
    level: float = 0.95,
    intervals: bool = True,
    raise_on_exception: bool = False,
) -> BudgetPlanner:
    """Return a widget that plans how to spend a budget of compute.

    Parameters
    ----------
    fit : Fit
        What plans; its features hold size and tokens.
    budget : float, optional
        The budget it begins with, in FLOPs; None for that of the costliest fitted model.
    target : str, optional
        The skill or benchmark it begins with; None for the first skill.
    family : str, optional
        The family it begins with; None for a recipe nobody knows.
    level : float
        Level of the intervals it begins with, from 0.5 to 0.99.
    intervals : bool
        Whether it begins with intervals.
    raise_on_exception : bool
        Whether errors are raised as well as said in the widget.

    Returns
    -------
    BudgetPlanner
        Shown by the last line of a notebook's cell; its ``plan`` is for the next cell.

    Raises
    ------
    LvkitError
        For a fit without size or tokens among its features, and for names it does not know.
    """
    check_family(fit, family)
    others = feature_controls(fit, other_columns(fit))
    learn_surface(fit, family, {column: box.value for column, box in others.items()})
    first = read_target(fit, f"skill:{fit.skills[0]}" if target is None else target)
    start = float(costs(fit).max()) if budget is None else float(budget)
    options = (
        start,
        f"{first.kind}:{first.names[0]}",
        family or NEW,
        check_level(level),
        intervals,
    )
    return BudgetPlanner(fit, others, options, raise_on_exception)


class BudgetPlanner(Tool):
    """What :func:`plan_budget` returns.

    Attributes
    ----------
    fit : Fit
        What plans.
    plan : Plan or None
        The plan that is shown; None if there was none yet. Its last row is the budget asked for.
    budget, target, family, level, intervals, view : widget
        What is planned, and what is shown of it.
    attributes : dict of str to widget
        A control for each further column that the features need.
    weights : dict of str to widget
        A box for each skill and benchmark, as ``"skill:..."`` and ``"benchmark:..."``: its weight
        in a mix.
    limits : dict of str to widget
        A text box for each limit, blank for none.
    serving : widget
        Tokens to be served from the budget, in trillions.
    picture, table, words : widget
        The map, the plan as a table, and what it says.
    """

    def __init__(
        self,
        fit: Fit,
        attributes: dict[str, Any],
        options: tuple[float, str, str, float, bool],
        raise_on_exception: bool,
    ) -> None:
        super().__init__(
            "Plan a budget",
            "Choose a budget of compute and what to make the most of: the map shows the best size "
            "and tokens for it, on the way from a hundredth of the budget.",
            raise_on_exception=raise_on_exception,
        )
        self.fit, self.attributes = fit, attributes
        self.plan: Plan | None = None
        self._drawn: deque[tuple[object, ...]] = deque(maxlen=_KEPT)
        budget, target, family, level, intervals = options
        self.budget = budget_slider(fit, budget)
        self.target, self.weights = target_menu(fit, target), weight_boxes(fit)
        self.family = family_menu(fit, family)
        self.limits, self.serving = limit_boxes(), serving_box()
        self.level, self.intervals, self.view = shown_controls(level, intervals)
        self.picture, self.table, self.words = LayeredBox(), TableBox(), Notice()
        self._arrange()
        self._listen()
        self.call(self._choose_family, None)

    def _arrange(self) -> None:
        wraps = {"flex_flow": "row wrap"}
        self.controls.children = [
            self.budget, self.target, self.family, *self.attributes.values(), self.level,
            self.intervals, self.view,
        ]  # fmt: skip
        self._mixing = ipywidgets.Box(list(self.weights.values()), layout=wraps)
        bounds = ipywidgets.Box([*self.limits.values(), self.serving], layout=wraps)
        title = "Limits, and serving the model (blank: no limit)"
        more = ipywidgets.Accordion([bounds], titles=(title,))
        self.body.children = [self._mixing, more, self.picture, self.words, self.table]
        self._show_weights()

    def _listen(self) -> None:
        planned = (self.budget, self.level, self.intervals, self.serving)
        boxes = (self.attributes, self.weights, self.limits)
        for control in (*planned, *(box for group in boxes for box in group.values())):
            self.on(control, "value", lambda _: self._show())
        self.on(self.family, "value", self._choose_family)
        self.on(self.target, "value", self._choose_target)
        self.on(self.view, "value", lambda _: self._put(self.plan))

    def _choose_family(self, _: object) -> None:
        """Take over what a family's largest model has, and plan."""
        set_controls(self.attributes, as_in_family(self.fit, self.family.value, self.attributes))
        self._show()

    def _choose_target(self, _: object) -> None:
        self._show_weights()
        self._show()

    def _show_weights(self) -> None:
        """Show the weights that the target needs."""
        shown = {mix: kind for kind, mix in MIXES.items()}.get(self.target.value)
        self._mixing.layout.display = "none" if shown is None else "flex"
        for name, box in self.weights.items():
            box.layout.display = None if name.partition(":")[0] == shown else "none"

    def _show(self) -> None:
        """Plan what the controls ask for and show it, at once or first without its intervals."""
        settings = self._settings()
        whose = (settings["family"], *settings["attributes"].items())
        if not self.intervals.value or whose not in self._drawn:
            self._put(plan_compute(self.fit, **settings, level=None))
        if self.intervals.value:
            self._put(plan_compute(self.fit, **settings, level=self.level.value))
            self._drawn.append(whose)

    def _put(self, plan: Plan | None) -> None:
        """Show a plan."""
        if plan is None:
            return
        self.plan = plan
        self._draw(plan, in_words(plan, self.view.value))
        self.words.say("\n".join(plan.words))
        whose = f"{plan.target.label}, {plan.family}"
        self.table.show(
            plan.table, read=table_to_read(plan), caption=f"The best plan on each budget: {whose}",
            file="plan.csv",
        )  # fmt: skip

    def _draw(self, plan: Plan, alt: str) -> None:
        """Draw a plan; what the same target and family share is drawn once."""
        if self.view.value == VALUE:
            room = (plan.target.label, plan.table["value"].round(1).iloc[-1])
            self.picture.show(
                lambda ax: plot_plan_value(plan, ax=ax),
                alt=alt, size=_SIZE, keep=VALUE, room=room,
            )  # fmt: skip
            return
        view = plan_view(plan, step=_STEP)
        attributes = tuple(plan.aim.surface.attributes.items())
        shown = (plan.target.kind, plan.target.label, plan.family, attributes, view)
        self.picture.show_layers(
            lambda ax: plot_plan_ground(plan, view=view, ax=ax),
            lambda ax: plot_plan_path(plan, ax=ax),
            alt=alt, size=_SIZE, keep=shown, room=_longest(view[1]),
        )  # fmt: skip

    def _settings(self) -> dict[str, Any]:
        """Return what :func:`lvkit.plan_compute` is asked, as the controls stand."""
        return {
            "budgets": budgets_up_to(self.budget.value),
            "target": target_of(self.target.value, {n: b.value for n, b in self.weights.items()}),
            "family": self.family.value or None,
            "limits": limits_of({name: box.value for name, box in self.limits.items()}),
            "cost": Cost(serving_tokens_t=self.serving.value),
            "attributes": {name: box.value for name, box in self.attributes.items()},
        }


def _longest(ends: tuple[float, float]) -> int:
    """Return how many signs the numbers along an axis have at most.

    Examples
    --------
    >>> _longest((0.5, 40.0)), _longest((0.02, 40.0))
    (2, 4)
    """
    low, high = np.floor(np.log10(ends))
    numbers = np.ravel(10.0 ** np.arange(low, high + 1.0)[:, None] * (1.0, 3.0))
    return max(
        (len(f"{number:g}") for number in numbers if ends[0] <= number <= ends[1]), default=0
    )


def in_words(plan: Plan, view: str) -> str:
    """Say what the picture of a plan shows."""
    first, last = (flops(float(end)) for end in plan.table["budget"].iloc[[0, -1]])
    what = f"{plan.target.label} of {plan.family}"
    if view == MAP:
        seen = f"Map of {what} over size and tokens, with the best points"
        return f"{seen} for budgets from {first} to {last}. {plan.words[0]}"
    row = plan.table.iloc[-1]
    sure = "" if not np.isfinite(row["lower"]) else (
        f" ({plan.level:.0%} interval {row['lower']:.3g} to {row['upper']:.3g})"
    )  # fmt: skip
    low = plan.table["value"].iloc[0]
    return (
        f"What the best plans reach in {what}, in {plan.target.unit}: {low:.3g} for {first}, "
        f"{row['value']:.3g} for {last}{sure}."
    )


def table_to_read(plan: Plan) -> pd.DataFrame:
    """Return what the widget's table shows: a row for each budget, the one asked for last.

    Corners and extrapolation have a column where there are any.
    """
    table = plan.table
    shown = {
        "budget (FLOPs)": [f"{budget:.3g}" for budget in table["budget"]],
        "size (billions)": _with_interval(table, "params_b"),
        "tokens (trillions)": _with_interval(table, "tokens_t"),
        "tokens per parameter": _with_interval(table, "tokens_per_param"),
        plan.target.unit: _with_interval(table, "value", ("lower", "upper")),
    }
    telling = [name for name in ("corner", "extrapolates") if table[name].astype(bool).any()]
    return pd.DataFrame(shown | {name: table[name] for name in telling})


def _with_interval(
    table: pd.DataFrame, name: str, ends: tuple[str, str] | None = None
) -> list[str]:
    """Return numbers with their intervals, where there are any, as text."""
    low, high = ends or (f"{name}_lower", f"{name}_upper")
    return [
        f"{value:.3g}" + ("" if not np.isfinite(lower) else f" ({lower:.3g} to {upper:.3g})")
        for value, lower, upper in zip(table[name], table[low], table[high], strict=True)
    ]
