from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from driving import control, walk
from golden import Message, refused

import lvkit as lv
from lvkit.widgets import (
    choose_skills,
    interpret_skills,
    plan_budget,
    predict_scores,
    response_curve,
)
from lvkit.widgets.number_slider import NumberSlider, WholeNumberSlider
from lvkit.widgets.tool import Tool, labelled


@pytest.fixture
def tool() -> Any:
    """A tool with a slider over powers of ten, which counts the calls of its callback."""
    tool: Any = Tool("Sizes")
    size = labelled(NumberSlider, "Size", "in billions", value=7.0, min=0.1, max=1800.0, log=True)
    tool.controls.children = (size,)
    tool.taken = []
    tool.on(size, "value", lambda change: tool.taken.append(change.new))
    return tool


def shown(slider: NumberSlider) -> tuple[float, float]:
    return slider.box.value, slider.slider.value


def test_a_number_inside_the_range_is_taken_by_both_parts(tool: Any) -> None:
    size = control(tool, "Size")
    size.value = 70.0
    assert shown(size) == (70.0, pytest.approx(70.0))
    size.box.value = 13.0
    assert (size.value, size.slider.value) == (13.0, pytest.approx(13.0))
    size.slider.value = 31.6227766
    assert (size.value, size.box.value) == (31.62, 31.62)
    assert tool.taken == [70.0, 13.0, 31.62]


@pytest.mark.parametrize("number", [500_000.0, 0.01, -3.0, 0.0, inf, -inf, nan])
@pytest.mark.parametrize("part", ["code", "page"])
def test_a_number_outside_the_range_is_reported_and_the_one_before_kept(
    tool: Any, number: float, part: str, message: Message
) -> None:
    size = control(tool, "Size")
    size.value = 13.0
    if part == "code":
        size.value = number
    else:
        size.box.set_state({"value": number})
    message(tool.notice.text, "0.1", "1,800")
    assert (size.value, *shown(size)) == (13.0, 13.0, pytest.approx(13.0))
    assert tool.taken == [13.0]


def test_it_is_raised_through_from_code_and_not_on_the_page(tool: Any, message: Message) -> None:
    tool.raise_on_exception = True
    size = control(tool, "Size")
    with refused("Size", "500,000", "0.1", "1,800") as error:
        size.value = 500_000.0
    message(error)
    size.box.set_state({"value": 600_000.0})
    message(tool.notice.text, "600,000")
    assert size.value == 7.0


def test_the_ends_of_the_range_are_inside() -> None:
    for low, high in ((0.0441, 1803.4567), (1e21, 3.3e27)):
        slider = NumberSlider(low, low, high, log=True)
        slider.value = high
        slider.refuse_outside(low)
        slider.slider.value = low
        slider.refuse_outside(high)
        assert slider.value == pytest.approx(low, rel=1e-3)


def test_a_number_to_begin_with_outside_the_range_is_refused(message: Message) -> None:
    with refused("Level", "0.999", "0.5", "0.99") as error:
        NumberSlider(0.999, 0.5, 0.99, description="Level")
    message(error)


def test_whole_numbers_stay_whole() -> None:
    slider = WholeNumberSlider(3, 1, 9, description="Largest K")
    slider.box.value = 5
    assert (slider.value, slider.slider.value) == (5, 5)
    slider.slider.value = 7
    assert (slider.value, type(slider.value)) == (7, int)


def test_both_parts_are_disabled_together() -> None:
    slider = NumberSlider(1.0, 0.0, 2.0)
    slider.disabled = True
    assert (slider.disabled, slider.box.disabled, slider.slider.disabled) == (True, True, True)


def test_no_control_of_any_widget_clamps(small_fit: lv.Fit, message: Message) -> None:
    tools = [
        predict_scores(small_fit),
        plan_budget(small_fit, intervals=False),
        response_curve(),
        interpret_skills(small_fit),
        choose_skills(small_fit.panel, largest=2),
    ]
    checked = []
    for tool in tools:
        for part in walk(tool):
            assert not type(part).__name__.startswith("Bounded"), part
            if not isinstance(part, NumberSlider):
                continue
            assert not part.slider.readout  # what is typed there is clamped by the page
            before = part.value
            for outside in (part.high * 10, part.low - abs(part.high)):
                part.value = outside
                assert f"{part.description}: got " in tool.notice.text
                message(tool.notice.text, part._range)
                assert part.value == part.box.value == before
            checked.append(part.description)
    assert {"Parameters (billions)", "Tokens (trillions)", "Level", "Budget (FLOPs)", "Loading",
            "Precision", "How many", "Largest K"} <= set(checked)  # fmt: skip


def test_numbers_that_the_library_refuses_are_reported_with_what_is_valid(
    small_fit: lv.Fit, message: Message
) -> None:
    planner = plan_budget(small_fit, intervals=False)
    before = planner.plan
    control(planner, "Tokens to serve (trillions)").value = -1.0
    message(planner.notice.text, "0")
    assert planner.plan is before


@pytest.mark.parametrize("budget", [0.0, -1.0, inf, nan])
def test_a_budget_that_is_none_is_refused(
    small_fit: lv.Fit, budget: float, message: Message
) -> None:
    with refused("budget") as error:
        plan_budget(small_fit, budget=budget)
    message(error)


def test_the_page_gets_no_tooltip_for_the_box_of_both_parts(message: Message) -> None:
    # JupyterLab looks for a description beside it, which a box of controls does not have.
    slider = NumberSlider(1.0, 0.0, 2.0, description="Loading", tooltip="How steep it is")
    message(slider.tooltip)
    assert not slider.get_state().get("tooltip")
