"""Plan: how large a model to train, and on how many tokens, for a budget of compute.

The map shows what is aimed at over size and tokens, the budgets as lines, and the best point on
each; the words say what the plan rests on, and the table is there to be taken away. A move shows
the best points first and their intervals, which take draws of all that is uncertain, right after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.checks import check_level
from lvkit.drawing import benchmark_labels
from lvkit.planning.cost import Cost
from lvkit.planning.limits import Limits
from lvkit.planning.outlook import AVERAGE, check_family
from lvkit.planning.plan import Plan, plan_compute
from lvkit.planning.surface import learn_surface
from lvkit.planning.target import read_target
from lvkit.planning.words import flops
from lvkit.plots.planning import plan_view, plot_plan_ground, plot_plan_path, plot_plan_value
from lvkit.reading.cells import is_blank, parse_number

from .features import as_in_family, feature_controls, fitted_column, log_slider, set_controls
from .layers import LayeredBox
from .notice import Notice
from .table import TableBox
from .tool import Tool, labelled

if TYPE_CHECKING:
    from lvkit.results import Fit

__all__ = ["BudgetPlanner", "plan_budget"]

_NEW = ""
"""What the menu of families holds for a recipe nobody knows."""

_MIXES = {"skill": "\x00skills", "benchmark": "\x00benchmarks"}
"""What the menu of targets holds for weighted mixes."""

_STEPS = 5
"""Budgets of a plan: the one asked for and, in equal steps, some down to a hundredth of it."""

_REACH = 1_000.0
"""The budget's slider reaches this many times beyond the costliest fitted model."""

_LIMITS = {
    "max_params_b": ("Largest size (billions)", "the most parameters"),
    "max_tokens_t": ("Most tokens (trillions)", "the most training tokens"),
    "min_tokens_per_param": ("Fewest tokens per parameter", "the fewest tokens per parameter"),
    "max_tokens_per_param": ("Most tokens per parameter", "the most tokens per parameter"),
}

_MAP, _VALUE = "map", "value"

_SIZE = (7.0, 5.0)

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
    others = feature_controls(fit, _others(fit))
    learn_surface(fit, family, {column: box.value for column, box in others.items()})
    first = read_target(fit, fit.skills[0] if target is None else target)
    start = float(_costs(fit).max()) if budget is None else float(budget)
    options = (
        start,
        f"{first.kind}:{first.names[0]}",
        family or _NEW,
        check_level(level),
        intervals,
    )
    return BudgetPlanner(fit, others, options, raise_on_exception)


def _others(fit: Fit) -> list[str]:
    """Return the columns that the features need besides size and tokens."""
    return [name for name in fit.prepared.features.columns if name not in ("params_b", "tokens_t")]


def _costs(fit: Fit) -> pd.Series[float]:
    """Return what training each fitted model took."""
    sizes, tokens = (fitted_column(fit, name).astype(float) for name in ("params_b", "tokens_t"))
    return pd.Series(Cost().flops(np.log10(sizes), np.log10(tokens)))


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
        budget, target, family, level, intervals = options
        self.budget = _budget_slider(fit, budget)
        self.target, self.weights = _target_menu(fit, target), _weight_boxes(fit)
        self.family = _family_menu(fit, family)
        self.limits, self.serving = _limit_boxes(), _serving_box()
        self.level, self.intervals, self.view = _shown_controls(level, intervals)
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
        shown = {mix: kind for kind, mix in _MIXES.items()}.get(self.target.value)
        self._mixing.layout.display = "none" if shown is None else "flex"
        for name, box in self.weights.items():
            box.layout.display = None if name.partition(":")[0] == shown else "none"

    def _show(self) -> None:
        """Plan what the controls ask for and show it, then with its intervals."""
        settings = self._settings()
        self._put(plan_compute(self.fit, **settings, level=None))
        if self.intervals.value:
            self._put(plan_compute(self.fit, **settings, level=self.level.value))

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
        if self.view.value == _VALUE:
            self.picture.show(lambda ax: plot_plan_value(plan, ax=ax), alt=alt, size=_SIZE)
            return
        view = plan_view(plan, step=_STEP)
        attributes = tuple(plan.aim.surface.attributes.items())
        self.picture.show_layers(
            lambda ax: plot_plan_ground(plan, view=view, ax=ax),
            lambda ax: plot_plan_path(plan, ax=ax),
            alt=alt, size=_SIZE, keep=(plan.target.label, plan.target.kind, plan.family,
                                       attributes, view),
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


def _budget_slider(fit: Fit, budget: float) -> Any:
    costs = _costs(fit)
    low, high = min(float(costs.min()), budget), max(float(costs.max()) * _REACH, budget)
    return log_slider(low, high, budget, "Budget (FLOPs)", "what training may cost",
                      step=0.05, readout_format=".2e")  # fmt: skip


def _target_menu(fit: Fit, target: str) -> Any:
    labels = benchmark_labels(fit.panel)
    options = [
        *((f"{name} (skill)", f"skill:{name}") for name in fit.skills),
        *((f"{labels[name]} (benchmark)", f"benchmark:{name}") for name in fit.benchmarks),
        *((f"a mix of {kind}s", mix) for kind, mix in _MIXES.items()),
    ]
    return labelled(ipywidgets.Dropdown, "Target", "what to make the most of", options=options,
                    value=target)  # fmt: skip


def _weight_boxes(fit: Fit) -> dict[str, Any]:
    """Return a box for the weight of each skill and benchmark."""
    labels = benchmark_labels(fit.panel)
    named = {f"skill:{name}": name for name in fit.skills}
    named |= {f"benchmark:{name}": labels[name] for name in fit.benchmarks}
    return {
        name: labelled(
            ipywidgets.FloatText, shown, f"the weight of {shown} in the mix, 0 or more", value=1.0,
            continuous_update=False, layout={"width": "210px"},
        )
        for name, shown in named.items()
    }  # fmt: skip


def _family_menu(fit: Fit, family: str) -> Any:
    recipes = [("a new recipe", _NEW), ("the average recipe", AVERAGE)]
    families = [(name, name) for name in fit.families if name != AVERAGE]
    return labelled(ipywidgets.Dropdown, "Family", "for whom; type to find a name",
                    options=[*recipes, *families], value=family)  # fmt: skip


def _limit_boxes() -> dict[str, Any]:
    return {
        name: labelled(ipywidgets.Text, description, f"{tooltip}; blank for no limit",
                       continuous_update=False, layout={"width": "290px"})
        for name, (description, tooltip) in _LIMITS.items()
    }  # fmt: skip


def _serving_box() -> Any:
    return labelled(
        ipywidgets.BoundedFloatText, "Tokens to serve (trillions)", "tokens the model will read "
        "and write in its service, paid from the budget; 0 leaves serving out", value=0.0, max=1e6,
        continuous_update=False, layout={"width": "290px"},
    )  # fmt: skip


def _shown_controls(level: float, intervals: bool) -> tuple[Any, Any, Any]:
    """Return the controls of level, intervals and view."""
    return (
        labelled(ipywidgets.FloatSlider, "Level", "level of the intervals", min=0.5, max=0.99,
                 step=0.01, value=level, readout_format=".0%", continuous_update=False),
        labelled(ipywidgets.Checkbox, "Intervals", "show how sure the plan is; takes longer",
                 value=intervals, indent=False, layout={"width": "auto"}),
        labelled(ipywidgets.ToggleButtons, "Picture", "what to draw", value=_MAP,
                 options=[("map", _MAP), ("what budgets reach", _VALUE)],
                 style={"button_width": "auto"}),
    )  # fmt: skip


def budgets_up_to(budget: float) -> npt.NDArray[np.float64]:
    """Return the budgets of a plan, from a hundredth to the one asked for."""
    return np.geomspace(budget / 100.0, budget, _STEPS)


def target_of(chosen: str, weights: Mapping[str, float]) -> str | dict[str, float]:
    """Return a target as :func:`lvkit.plan_compute` takes it.

    Parameters
    ----------
    chosen : str
        What the menu holds.
    weights : mapping of str to float
        Of skills and benchmarks, for mixes; those of weight zero are left out, unless all are.

    Examples
    --------
    >>> weights = {"skill:maths": 2.0, "skill:logic": 1.0, "skill:art": 0.0, "benchmark:mmlu": 1.0}
    >>> target_of("skill:maths", weights), target_of(_MIXES["skill"], weights)
    ('skill:maths', {'skill:maths': 2.0, 'skill:logic': 1.0})
    """
    for kind, mix in _MIXES.items():
        if chosen == mix:
            mixed = {name: w for name, w in weights.items() if name.partition(":")[0] == kind}
            return {name: weight for name, weight in mixed.items() if weight} or mixed
    return chosen


def limits_of(texts: Mapping[str, str]) -> Limits:
    """Return limits from what was written; blank is no limit.

    Raises
    ------
    LvkitError
        For what is no positive number, and limits that exclude each other.
    """
    numbers: dict[str, Any] = {}
    for name, text in texts.items():
        if not is_blank(text):
            number = parse_number(text)
            numbers[name] = text if number is None else number
    return Limits(**numbers)


def in_words(plan: Plan, view: str) -> str:
    """Say what the picture of a plan shows."""
    first, last = (flops(float(end)) for end in plan.table["budget"].iloc[[0, -1]])
    what = f"{plan.target.label} of {plan.family}"
    if view == _MAP:
        seen = f"Map of {what} over size and tokens, with the best points"
        return f"{seen} for budgets from {first} to {last}. {plan.words[0]}"
    row = plan.table.iloc[-1]
    sure = "" if plan.level is None else (
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
        f"{value:.3g}" + ("" if np.isnan(lower) else f" ({lower:.3g} to {upper:.3g})")
        for value, lower, upper in zip(table[name], table[low], table[high], strict=True)
    ]
