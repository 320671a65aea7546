"""What a planner of budgets asks: its controls, and what they mean to the library.

Each function makes one group of controls, with ranges and names from the fit, or says in the
library's words what a group stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt
import pandas as pd

from lvkit.data.cells import is_blank, parse_number
from lvkit.data.panel import benchmark_labels
from lvkit.errors import LvkitError
from lvkit.planning.constraints import Cost, Limits
from lvkit.planning.family_curves import AVERAGE

from .features import fitted_column, log_slider
from .number_slider import NumberSlider
from .tool import labelled

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit


NEW = ""
"""What the menu of families holds for a recipe nobody knows."""

MIXES = {"skill": "\x00skills", "benchmark": "\x00benchmarks"}
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

MAP, VALUE = "map", "value"
"""What the menu of pictures holds."""


def other_columns(fit: Fit) -> list[str]:
    """Return the columns that the features need besides size and tokens."""
    return [name for name in fit.prepared.features.columns if name not in ("params_b", "tokens_t")]


def costs(fit: Fit) -> pd.Series[float]:
    """Return what training each fitted model took."""
    sizes, tokens = (fitted_column(fit, name).astype(float) for name in ("params_b", "tokens_t"))
    return pd.Series(Cost().flops(np.log10(sizes), np.log10(tokens)))


def budget_slider(fit: Fit, budget: float) -> Any:
    """Return the slider of budgets, from the cheapest fitted model on."""
    if not 0.0 < budget < float("inf"):
        raise LvkitError(f"got {budget}", where="budget", expected="a positive number of FLOPs")
    paid = costs(fit)
    low, high = min(float(paid.min()), budget), max(float(paid.max()) * _REACH, budget)
    return log_slider(low, high, budget, "Budget (FLOPs)", "what training may cost",
                      step=0.05)  # fmt: skip


def target_menu(fit: Fit, target: str) -> Any:
    """Return the menu of skills, benchmarks and their mixes."""
    labels = benchmark_labels(fit.panel)
    options = [
        *((f"{name} (skill)", f"skill:{name}") for name in fit.skills),
        *((f"{labels[name]} (benchmark)", f"benchmark:{name}") for name in fit.benchmarks),
        *((f"a mix of {kind}s", mix) for kind, mix in MIXES.items()),
    ]
    return labelled(ipywidgets.Dropdown, "Target", "what to make the most of", options=options,
                    value=target)  # fmt: skip


def weight_boxes(fit: Fit) -> dict[str, Any]:
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


def family_menu(fit: Fit, family: str) -> Any:
    """Return the menu of families, and of recipes that are none."""
    recipes = [("a new recipe", NEW), ("the average recipe", AVERAGE)]
    families = [(name, name) for name in fit.families if name != AVERAGE]
    return labelled(ipywidgets.Dropdown, "Family", "for whom; type to find a name",
                    options=[*recipes, *families], value=family)  # fmt: skip


def limit_boxes() -> dict[str, Any]:
    """Return a box to write in for each limit."""
    return {
        name: labelled(ipywidgets.Text, description, f"{tooltip}; blank for no limit",
                       continuous_update=False, layout={"width": "290px"})
        for name, (description, tooltip) in _LIMITS.items()
    }  # fmt: skip


def serving_box() -> Any:
    """Return the box for tokens to be served."""
    return labelled(
        ipywidgets.FloatText, "Tokens to serve (trillions)", "tokens the model will read "
        "and write in its service, paid from the budget; 0 leaves serving out", value=0.0,
        continuous_update=False, layout={"width": "290px"},
    )  # fmt: skip


def shown_controls(level: float, intervals: bool) -> tuple[Any, Any, Any]:
    """Return the controls of level, intervals and view."""
    return (
        labelled(NumberSlider, "Level", "level of the intervals", min=0.5, max=0.99,
                 step=0.01, value=level),
        labelled(ipywidgets.Checkbox, "Intervals", "show how sure the plan is; takes longer",
                 value=intervals, indent=False, layout={"width": "auto"}),
        labelled(ipywidgets.ToggleButtons, "Picture", "what to draw", value=MAP,
                 options=[("map", MAP), ("what budgets reach", VALUE)],
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
    >>> target_of("skill:maths", weights), target_of(MIXES["skill"], weights)
    ('skill:maths', {'skill:maths': 2.0, 'skill:logic': 1.0})
    """
    for kind, mix in MIXES.items():
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
