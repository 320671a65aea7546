"""The response curve, by sliders: what loading, intercept, floor and precision do to scores.

Needs no data. The four numbers of one benchmark and a skill are five sliders; the picture shows the
expected score, the band that holds most scores, and the density of scores at the skill. A sentence
below says the same in numbers.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import ipywidgets

from lvkit.errors import LvkitError
from lvkit.model.response_curve import ResponseCurve
from lvkit.plots.response_curve import describe_response, plot_response_curve, plot_response_ground
from lvkit.tools.checks import check_level

from .layers import LayeredBox
from .number_slider import NumberSlider
from .tool import Tool, labelled, paragraph

_SIZE = (7.4, 3.5)


class ResponseTool(Tool):
    """The widget that :func:`response_curve` returns.

    Attributes
    ----------
    curve : ResponseCurve
        What the sliders stand for.
    skill : float
        The skill whose scores are shown.
    picture : LayeredBox
        The picture.
    """

    def __init__(
        self, curve: ResponseCurve, skill: float, level: float, raise_on_exception: bool
    ) -> None:
        super().__init__(
            "The response curve",
            "One benchmark and one skill. Move a slider and see what it does to the expected score "
            "(line), to the scores that are measured (band), and to those at one skill (right).",
            raise_on_exception=raise_on_exception,
        )
        self._first = (curve, float(skill))
        self._level = check_level(level)
        self._sliders = _sliders(curve, float(skill))
        self.picture, self._words = LayeredBox(), ipywidgets.HTML()
        again = labelled(
            ipywidgets.Button, "Start again", "put all sliders where they were at first",
            icon="undo",
        )  # fmt: skip
        self.controls.children = (*self._sliders.values(), again)
        self.body.children = (self.picture, self._words)
        for slider in self._sliders.values():
            self.on(slider, "value", lambda _: self._draw())
        self.on_click(again, lambda _: self._start_again())
        self._draw()

    def _draw(self) -> None:
        """Draw what the sliders say."""
        numbers = {name: float(slider.value) for name, slider in self._sliders.items()}
        self.skill = numbers.pop("skill")
        self.curve = ResponseCurve(**numbers)
        words = describe_response(self.curve, skill=self.skill, level=self._level)
        self.picture.show_layers(
            lambda ax: plot_response_ground(ax=ax),
            lambda ax: plot_response_curve(self.curve, skill=self.skill, level=self._level, ax=ax),
            alt=words, size=_SIZE, keep="axes",
        )  # fmt: skip
        self._words.value = paragraph(words)

    def _start_again(self) -> None:
        curve, skill = self._first
        for name, slider in self._sliders.items():
            slider.value = skill if name == "skill" else getattr(curve, name)
        self._draw()


def response_curve(
    *,
    loading: float = 1.0,
    intercept: float = 0.0,
    floor: float = 0.0,
    precision: float = 50.0,
    skill: float = 0.0,
    level: float = 0.9,
    raise_on_exception: bool = False,
) -> ResponseTool:
    """Return the widget that teaches the Beta response; it shows itself at the end of a cell.

    Parameters
    ----------
    loading, intercept, floor, precision : float
        Where the sliders of the benchmark stand at first; see
        :class:`lvkit.model.response_curve.ResponseCurve`.
    skill : float
        The skill at first.
    level : float
        The probability that the band holds at each skill.
    raise_on_exception : bool
        Whether errors of callbacks are raised as well as shown.

    Returns
    -------
    ResponseTool
        With ``curve`` and ``skill`` as the sliders say.

    Raises
    ------
    LvkitError
        For numbers that no benchmark can have.

    Examples
    --------
    >>> widget = response_curve(loading=2.0, floor=0.25)
    >>> float(widget.curve.mean(0.0))
    0.625
    >>> widget.picture.alt.startswith("The expected score rises from 0.25 to 1")
    True
    """
    curve = ResponseCurve(loading, intercept, floor, precision)
    if not isfinite(skill):
        raise LvkitError(f"got {skill}", where="skill", expected="a finite number")
    return ResponseTool(curve, skill, level, raise_on_exception)


def _sliders(curve: ResponseCurve, skill: float) -> dict[str, Any]:
    """Return the sliders, by what they set; their ranges reach the values they begin with."""
    return {
        "loading": _slider("Loading", "how steeply the score rises with the skill",
                           curve.loading, -3.0, 3.0, 0.1),
        "intercept": _slider("Intercept", "moves the curve: how easy the benchmark is",
                             curve.intercept, -4.0, 4.0, 0.1),
        "floor": _slider("Floor", "the score of a model without the skill, such as a guesser's",
                         curve.floor, 0.0, 0.95, 0.05),
        "precision": labelled(
            NumberSlider, "Precision", "how closely scores gather around the curve", log=True,
            value=curve.precision, min=min(2.0, curve.precision), max=max(1e3, curve.precision),
            step=0.05,
        ),
        "skill": _slider("Skill", "where to look at single scores", skill, -4.0, 4.0, 0.1),
    }  # fmt: skip


def _slider(
    description: str, tooltip: str, value: float, least: float, most: float, step: float
) -> Any:
    return labelled(
        NumberSlider, description, tooltip, value=value, min=min(least, value),
        max=max(most, value), step=step,
    )  # fmt: skip
