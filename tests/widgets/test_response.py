from __future__ import annotations

from typing import Any

import pytest
from driving import check_controls, control, pictures, press
from golden import Message, refused

from lvkit.model.response_curve import ResponseCurve
from lvkit.widgets import response_curve


@pytest.fixture
def widget() -> Any:
    return response_curve(loading=1.5, floor=0.25, skill=1.0, raise_on_exception=True)


def test_the_sliders_stand_where_they_are_told(widget: Any) -> None:
    assert widget.curve == ResponseCurve(1.5, 0.0, 0.25, 50.0)
    assert widget.skill == 1.0
    assert control(widget, "Floor").value == 0.25


@pytest.mark.parametrize(
    ("name", "value"),
    [("Loading", -1.0), ("Intercept", 2.0), ("Floor", 0.5), ("Precision", 10.0), ("Skill", -2.0)],
)
def test_each_slider_changes_its_number_and_the_picture(
    widget: Any, name: str, value: float
) -> None:
    before, words = widget.picture.png, widget.picture.alt
    control(widget, name).value = value
    numbers = {**vars(widget.curve), "skill": widget.skill}
    assert numbers[name.lower()] == pytest.approx(value)
    assert widget.picture.png != before
    assert widget.picture.alt != words


def test_what_is_to_be_seen_is_said_below_the_picture(widget: Any, message: Message) -> None:
    control(widget, "Precision").value = 2.0
    message(widget.picture.alt, "90%")
    assert widget.picture.alt in widget.body.children[1].value


def test_there_is_one_picture_however_often_a_slider_moves(widget: Any) -> None:
    for step in range(5):
        control(widget, "Skill").value = step / 2
    assert len(pictures(widget)) == 1


def test_start_again_puts_the_sliders_back(widget: Any) -> None:
    first = (widget.curve, widget.skill, widget.picture.png)
    control(widget, "Loading").value = -2.0
    control(widget, "Precision").value = 3.0
    press(widget, "Start again")
    assert (widget.curve, widget.skill, widget.picture.png) == first


def test_a_level_curve_is_drawn(widget: Any, message: Message) -> None:
    control(widget, "Loading").value = 0.0
    message(widget.picture.alt, "0.62")


def test_every_control_says_what_it_is(widget: Any) -> None:
    check_controls(widget)
    assert not any(
        slider.continuous_update for slider in widget.controls.children[:-1]
    )  # a redraw takes longer than the eye


def test_sliders_reach_unusual_values() -> None:
    widget = response_curve(loading=7.0, intercept=-9.0, precision=0.2, skill=6.0)
    assert (widget.curve.loading, widget.curve.intercept, widget.skill) == (7.0, -9.0, 6.0)
    assert widget.curve.precision == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"floor": 1.0}, "floor"),
        ({"precision": -1.0}, "precision"),
        ({"level": 90}, "level"),
        ({"skill": float("nan")}, "skill"),
    ],
)
def test_numbers_that_no_benchmark_has_are_refused(
    wrong: dict[str, float], where: str, message: Message
) -> None:
    with refused(where) as error:
        response_curve(**wrong)
    message(error)
