"""Sliders with a box to type in: a number outside the range is refused, never moved to its end.

The sliders of ipywidgets clamp: 500,000 typed beside a slider that ends at 1,800 becomes 1,800 and
nobody is informed. Here the number stands in a box of its own, which holds whatever is typed, and
:meth:`lvkit.widgets.tool.Tool.on` refuses what is outside the range with :meth:`refuse_outside`.
"""

from __future__ import annotations

from math import isclose, log10
from typing import Any

import ipywidgets
import traitlets

from lvkit.errors import LvkitError


class NumberSlider(ipywidgets.HBox):  # type: ignore[misc]  # ipywidgets has no types
    """A slider and a box that hold one number.

    Parameters
    ----------
    value, min, max : float
        The number, and the range that is valid.
    description, tooltip : str
        As for a control of ipywidgets.
    log : bool
        Whether the slider moves over powers of ten; `step` is then one of exponents.
    **traits
        What else the slider takes, such as ``step`` and ``layout``.

    Attributes
    ----------
    value : float
        The number; it may be outside the range until it is refused.
    low, high : float
        The ends of the range.
    min, max, continuous_update
        As the slider has them: exponents where it moves over powers of ten.
    slider, box : ipywidgets
        The parts.

    Raises
    ------
    LvkitError
        If `value` is outside the range.

    Examples
    --------
    >>> size = NumberSlider(7.0, 0.1, 1800.0, description="Size", log=True)
    >>> size.value = 500_000.0
    >>> size.refuse_outside(before=7.0)
    Traceback (most recent call last):
    ...
    lvkit.errors.LvkitError: Size: got 500,000; expected a number from 0.1 to 1,800. The number ...
    >>> size.value, size.box.value
    (7.0, 7.0)
    """

    value: Any = traitlets.CFloat()
    _kinds: tuple[Any, Any] = (ipywidgets.FloatSlider, ipywidgets.FloatText)
    _what = "a number"

    def __init__(
        self, value: float, min: float, max: float, *, description: str = "", tooltip: str = "",
        log: bool = False, **traits: Any,
    ) -> None:  # fmt: skip
        self.description = description
        self.low, self.high = min, max
        self._syncing = False
        self._check(value)
        slider, box = self._kinds
        ends = {"min": min, "max": max}
        if log:
            slider = ipywidgets.FloatLogSlider
            ends = {"base": 10, "min": log10(min), "max": log10(max)}
        self.slider = slider(
            description=description, tooltip=tooltip, readout=False, continuous_update=False,
            value=value, style={"description_width": "initial"}, **ends, **traits,
        )  # fmt: skip
        self.box = box(
            value=value, tooltip=f"{tooltip}: {self._range}", continuous_update=False,
            layout={"width": "90px"},
        )  # fmt: skip
        super().__init__([self.slider, self.box], layout={"width": "auto", "margin": "0 8px 0 0"})
        self.value = value
        self.observe(lambda change: self._show(change.new), names="value")
        self.slider.observe(lambda change: self._take(self._rounded(change.new)), names="value")
        self.box.observe(lambda change: self._take(change.new), names="value")

    @property
    def tooltip(self) -> str:
        """The tooltip of the slider: on the page, a box of controls cannot have one of its own."""
        return str(self.slider.tooltip)

    @property
    def style(self) -> Any:
        """The style of the description."""
        return self.slider.style

    def __getattr__(self, name: str) -> Any:
        if name in ("min", "max", "continuous_update"):
            return getattr(self.slider, name)
        raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")

    @property
    def disabled(self) -> bool:
        """Whether neither part can be used."""
        return bool(self.slider.disabled)

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.slider.disabled = self.box.disabled = disabled

    def refuse_outside(self, before: float) -> None:
        """Put the number back to the one before if it is outside the range.

        Raises
        ------
        LvkitError
            If it is, with the valid range.
        """
        try:
            self._check(self.value)
        except LvkitError:
            self.value = before
            raise

    @property
    def _range(self) -> str:
        return f"{self._what} from {_written(self.low)} to {_written(self.high)}"

    def _check(self, value: float) -> None:
        at_end = isclose(value, self.low) or isclose(value, self.high)
        if not (at_end or self.low <= value <= self.high):
            raise LvkitError(
                f"got {_written(value)}", where=self.description, expected=self._range,
                remedy="The number before is kept.",
            )  # fmt: skip

    def _rounded(self, value: float) -> float:
        """Round where a slider was left to what the box shows well."""
        rounded = type(value)(f"{value:.4g}") if isinstance(value, float) else value
        return min(max(rounded, self.low), self.high)

    def _take(self, value: float) -> None:
        """Take the number of the part that was set."""
        if not self._syncing:
            self.value = value

    def _show(self, value: float) -> None:
        """Show the number in both parts; the slider stands at an end where it cannot show it."""
        self._syncing = True
        try:
            self.box.value = value
            self.slider.value = min(max(value, self.low), self.high)
        finally:
            self._syncing = False


class WholeNumberSlider(NumberSlider):
    """The same for whole numbers.

    Examples
    --------
    >>> WholeNumberSlider(3, 1, 9, description="Largest K").value
    3
    """

    value: Any = traitlets.Int()
    _kinds = (ipywidgets.IntSlider, ipywidgets.IntText)
    _what = "a whole number"


def _written(number: float) -> str:
    """Write a number for people.

    Examples
    --------
    >>> [_written(number) for number in (0.0441, 1800.0, 500_000.0, 1.5e27)]
    ['0.0441', '1,800', '500,000', '1.5e+27']
    """
    return f"{number:,.4g}" if not 1e4 <= abs(number) < 1e9 else f"{number:,.0f}"
