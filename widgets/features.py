"""What is asked of a model: a control for each column that a fit's features need.

A fit learned from size and tokens asks for these two; one whose formula has ``instruct`` or a
column of the user's own asks for that too. Controls begin at what is usual among the fitted models,
and choosing a family sets them, but for the size, as its largest model has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import pandas as pd

from .number_slider import NumberSlider
from .tool import labelled

if TYPE_CHECKING:
    from lvkit.fit.fit import Fit


_SAYS = {
    "params_b": ("Parameters (billions)", "the size of the model", "parameters (billions)"),
    "tokens_t": ("Tokens (trillions)", "what it is trained on", "training tokens (trillions)"),
}
_REACH = 10.0
"""Sliders reach this many times beyond the largest fitted model."""


def fitted_column(fit: Fit, column: str) -> pd.Series[Any]:
    """Return a column of the fitted models."""
    return fit.panel.models.loc[list(fit.prepared.models), column]


def log_slider(
    low: float, high: float, value: float, description: str, tooltip: str, **traits: Any
) -> Any:
    """Return a slider over powers of ten, with a box for its number.

    Parameters
    ----------
    low, high, value : float
        Its ends, and where it stands.
    description, tooltip : str
        See :func:`~lvkit.widgets.tool.labelled`.
    **traits
        What else the slider takes.
    """
    settings: dict[str, Any] = {"step": 0.01, "layout": {"width": "290px"}}
    return labelled(
        NumberSlider, description, tooltip, min=low, max=high, value=value, log=True,
        **settings | traits,
    )  # fmt: skip


def feature_controls(fit: Fit, columns: Iterable[str] | None = None) -> dict[str, Any]:
    """Return a control for each column that the features need.

    Parameters
    ----------
    fit : Fit
        Whose features.
    columns : iterable of str, optional
        Some of the columns; None: all that the features need.

    Returns
    -------
    dict of str to widget
        By column: sliders over powers of ten for sizes and tokens, a box to tick for true and
        false, a menu for text, a box to write in for other numbers.
    """
    needed = fit.prepared.features.columns if columns is None else columns
    return {column: _control(column, fitted_column(fit, column)) for column in needed}


def _control(column: str, values: pd.Series[Any]) -> Any:
    if column in _SAYS:
        numbers = values.astype(float)
        ends = float(numbers.min()) / 2.0, float(numbers.max()) * _REACH
        return log_slider(*ends, float(numbers.median()), *_SAYS[column][:2])
    if pd.api.types.is_bool_dtype(values):
        return labelled(ipywidgets.Checkbox, column, f"whether {column} holds",
                        value=bool(values.astype(float).mean() > 0.5), indent=False,
                        layout={"width": "auto"})  # fmt: skip
    if pd.api.types.is_numeric_dtype(values):
        return labelled(ipywidgets.FloatText, column, f"the value of {column}",
                        value=float(values.median()), continuous_update=False)  # fmt: skip
    levels = sorted({str(value) for value in values})
    return labelled(ipywidgets.Dropdown, column, f"the value of {column}", options=levels,
                    value=str(values.mode().iloc[0]))  # fmt: skip


def as_in_family(fit: Fit, family: str, columns: Iterable[str]) -> dict[str, Any]:
    """Return what a family's largest fitted model has; nothing for a family not in the fit."""
    models = fit.panel.models.loc[list(fit.prepared.models)]
    models = models[models["family"] == family]
    if not len(models):
        return {}
    largest = models.loc[str(models["params_b"].idxmax())]
    return {column: largest[column] for column in columns}


def set_controls(controls: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Set controls to some values of their columns."""
    for column, value in values.items():
        controls[column].value = type(controls[column].value)(value)


def fitted_ranges(fit: Fit) -> dict[str, tuple[float, float]]:
    """Return the least and greatest size and tokens of the fitted models, where features need them.

    Returns
    -------
    dict of str to (float, float)
        By column.
    """
    needed = [column for column in _SAYS if column in fit.prepared.features.columns]
    columns = {column: fitted_column(fit, column).astype(float) for column in needed}
    return {column: (float(at.min()), float(at.max())) for column, at in columns.items()}


def beyond(ranges: Mapping[str, tuple[float, float]], asked: Mapping[str, Any]) -> list[str]:
    """Say which sizes and tokens lie outside those of all fitted models.

    Parameters
    ----------
    ranges : mapping of str to (float, float)
        What :func:`fitted_ranges` returned.
    asked : mapping of str to value
        What is asked for, by column.

    Returns
    -------
    list of str
        A sentence for each; empty inside.

    Examples
    --------
    >>> beyond({"params_b": (0.1, 70.0)}, {"params_b": 100.0})
    ['100 parameters (billions) are more than any fitted model has (70): this extrapolates.']
    """
    sentences = []
    for column, (least, most) in ranges.items():
        value, words = float(asked[column]), _SAYS[column][2]
        for end, outside, which in ((least, value < least, "fewer"), (most, value > most, "more")):
            if outside:
                sentences.append(
                    f"{value:.3g} {words} are {which} than any fitted model has ({end:.3g}): "
                    "this extrapolates."
                )
    return sentences
