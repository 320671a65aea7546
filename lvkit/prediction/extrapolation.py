"""Predictions for models outside the range of the fitted ones, in any of the features' columns.

The model's form carries a prediction beyond the data, further and further from what anybody has
measured, and nothing in its interval shows that. A value that is far outside is often in another
unit: tokens in billions where trillions are meant are 1,000 times too many.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lvkit.data.model_names import size_in_name
from lvkit.errors import LvkitWarning
from lvkit.estimation.fitted import Fitted

UNITS = {"params_b": "billions", "tokens_t": "trillions"}
"""The units of the columns that are compared by their ratio."""

_FAR = 5.0
"""A model further outside the fit's range than by this factor is far outside."""

_ANOTHER_UNIT = 30.0
"""From this factor on another unit is likelier than a model that large or small."""

_UNIT = 1_000.0
"""Factor between neighbouring units."""


@dataclass(frozen=True)
class Beyond:
    """A value of a model outside the range of the fitted models.

    Attributes
    ----------
    model, column : str
        Whose value it is, and of what.
    value : float
        The value.
    low, high : float
        The range of the fitted models.
    factor : float
        For sizes and tokens the ratio to the nearer end of the range; for other columns one plus
        the distance from that end in widths of the range. Above 1.
    """

    model: str
    column: str
    value: float
    low: float
    high: float
    factor: float

    @property
    def far(self) -> bool:
        """Whether it is so far outside that a prediction needs a warning."""
        return self.factor > _FAR

    @property
    def sentence(self) -> str:
        """What is outside, how far, and the likely unit."""
        end, name = (self.high, "largest") if self.value > self.high else (self.low, "smallest")
        if self.column in UNITS:
            ratio = self.value / end if self.value > end else end / self.value
            above = self.value > end
            away = f"{ratio:.3g} times the" if above else f"a factor of {ratio:.3g} below the"
            away = f"{away} {name}"
        else:
            away = f"far {'above' if self.value > end else 'below'} the {name}"
        return (
            f"{self.column} of '{self.model}' is {self.value:,.6g}, {away} of the fitted models "
            f"({self.low:.3g} to {self.high:.3g}){self._unit()}"
        )

    def _unit(self) -> str:
        """Suggest the value in the column's unit, where that would be inside.

        Not for a size that agrees with the model's name.
        """
        if self.column not in UNITS or self.factor < _ANOTHER_UNIT:
            return ""
        named = size_in_name(self.model)
        if self.column == "params_b" and named.low <= self.value <= named.high:
            return ""
        meant = self.value / _UNIT if self.value > self.high else self.value * _UNIT
        if not self.low / 2.0 <= meant <= self.high * 2.0:
            return ""
        return f". {self.column} is in {UNITS[self.column]}: did you mean {meant:.3g}?"


def beyond(fit: Fitted, models: pd.DataFrame) -> tuple[Beyond, ...]:
    """Return which values of models lie outside the range of the fitted models.

    Parameters
    ----------
    fit : Fitted
        The fit.
    models : DataFrame
        Index ``model``; the columns that the features need.

    Returns
    -------
    tuple of Beyond
        One for each model and numeric column of the features in which it lies outside; categories
        and columns of true and false have no range.
    """
    fitted = fit.panel.models.loc[list(fit.prepared.models)]
    out = []
    for column in fit.prepared.features.columns:
        known = fitted[column]
        if pd.api.types.is_bool_dtype(known) or not pd.api.types.is_numeric_dtype(known):
            continue
        low, high = float(known.min()), float(known.max())
        asked = pd.to_numeric(models[column], errors="coerce").astype(float)
        for model, value in asked[(asked < low) | (asked > high)].items():
            factor = _factor(column, float(value), low, high)
            out.append(Beyond(str(model), column, float(value), low, high, factor))
    return tuple(out)


def _factor(column: str, value: float, low: float, high: float) -> float:
    if column in UNITS:
        return value / high if value > high else low / value
    width = high - low
    excess = max(value - high, low - value)
    return 1.0 + excess / width if width > 0.0 else np.inf


def warn_if_far(values: Iterable[Beyond], *, stacklevel: int = 2) -> None:
    """Warn of the farthest value of each column that is far outside the fitted models.

    Parameters
    ----------
    values : iterable of Beyond
        What lies outside.
    stacklevel : int
        Whose line the warnings name, as in :func:`warnings.warn`, counted from the function that
        calls this one.
    """
    columns: dict[str, list[Beyond]] = {}
    for value in values:
        if value.far:
            columns.setdefault(value.column, []).append(value)
    for far in columns.values():
        worst = max(far, key=lambda each: each.factor)
        count = len(far) - 1
        more = "" if not count else f" So {'is' if count == 1 else 'are'} {count} more."
        end = "" if worst.sentence.endswith("?") else "."
        warnings.warn(
            f"{worst.sentence}{end}{more} The prediction rests on the model's form there.",
            LvkitWarning,
            stacklevel=stacklevel + 1,
        )
