from __future__ import annotations

import threading
import warnings
from typing import Any

import ipywidgets
import pytest
from driving import check_controls, control
from golden import Message, refused
from waiting import PATIENCE

import lvkit as lv
from lvkit.widgets.tool import Tool, labelled, settable


@pytest.fixture
def tool() -> Tool:
    """A tool with a number and a button."""
    tool = Tool("Numbers <1>", "Set a number & see.")
    number = labelled(ipywidgets.IntText, "Number", "any whole number")
    button = labelled(ipywidgets.Button, "Go", "do it")
    tool.controls.children = (number, button)
    return tool


def failing(error: Exception) -> Any:
    def callback(_: Any) -> None:
        raise error

    return callback


def test_title_and_description_are_shown_as_they_are(tool: Tool, message: Message) -> None:
    heading = tool.children[0].value
    assert "Numbers &lt;1&gt;" in heading
    message(heading)
    assert 'role="heading"' in heading


def test_a_page_that_cannot_run_a_tool_says_what_it_is(tool: Tool, message: Message) -> None:
    shown = tool._repr_mimebundle_()["text/plain"]
    message(shown, "1")


def test_a_control_has_a_whole_description_and_a_tooltip(tool: Tool, message: Message) -> None:
    check_controls(tool)
    message(control(tool, "Number").tooltip)


def test_a_control_is_found_by_its_description_wherever_it_is(tool: Tool) -> None:
    inside = labelled(ipywidgets.Dropdown, "Menu", "choose", options=["a"])
    tool.body.children = (ipywidgets.Accordion([ipywidgets.HBox([inside])]),)
    assert tool.control("Menu") is inside
    assert tool.control("Go") is tool.controls.children[1]


def test_a_control_that_is_not_there_is_told_with_those_that_are(
    tool: Tool, message: Message
) -> None:
    with pytest.raises(lv.LvkitError) as told:
        tool.control("Numbre")
    message(told, "Numbers <1>", "Numbre", "Number")


def test_two_controls_of_one_description_are_not_told_apart(tool: Tool, message: Message) -> None:
    tool.body.children = (labelled(ipywidgets.Button, "Go", "do it, too"),)
    with refused("the widget 'Numbers <1>'", "2", "Go") as error:
        tool.control("Go")
    message(error)


def test_texts_and_headings_are_no_controls(tool: Tool) -> None:
    tool.body.children = (ipywidgets.HTML("read me"), ipywidgets.Label("me too"))
    assert [part.description for part in settable(tool)] == ["Number", "Go"]


def test_a_callback_is_given_the_change(tool: Tool) -> None:
    seen = []
    tool.on(control(tool, "Number"), "value", lambda change: seen.append(change.new))
    control(tool, "Number").value = 3
    assert seen == [3]


def test_a_callback_that_moves_its_control_is_not_called_again(tool: Tool) -> None:
    seen, number = [], control(tool, "Number")

    def back(change: Any) -> None:
        seen.append(change.new)
        number.value = 0

    tool.on(number, "value", back)
    number.value = 3
    assert seen == [3]
    assert number.value == 0


def test_values_are_set_quietly(tool: Tool) -> None:
    seen, number = [], control(tool, "Number")
    tool.on(number, "value", lambda change: seen.append(change.new))
    with tool.quiet():
        number.value = 3
    number.value = 4
    assert seen == [4]


def test_what_lvkit_refuses_is_said_in_its_words(tool: Tool, message: Message) -> None:
    error = lv.LvkitError("got 3", expected="an even number")
    tool.on(control(tool, "Number"), "value", failing(error))
    control(tool, "Number").value = 3
    message(tool.notice.text, "3")
    assert 'role="alert"' in tool.notice.value


def test_any_other_fault_is_said_too(tool: Tool, message: Message) -> None:
    tool.on(control(tool, "Number"), "value", failing(KeyError("lost")))
    control(tool, "Number").value = 3
    message(tool.notice.text, "lost")


def test_a_tool_works_on_after_a_fault(tool: Tool) -> None:
    number = control(tool, "Number")
    tool.on(number, "value", lambda change: tool.notice.say(f"{12 // change.new}"))
    number.value = 1
    number.value = 0
    assert "ZeroDivisionError" in tool.notice.text
    number.value = 4
    assert tool.notice.text == "3"


@pytest.mark.parametrize("error", [lv.LvkitError("refused"), ZeroDivisionError("slip")])
def test_errors_are_raised_through_when_asked(tool: Tool, error: Exception) -> None:
    tool.raise_on_exception = True
    tool.on(control(tool, "Number"), "value", failing(error))
    tool.on_click(control(tool, "Go"), failing(error))
    with pytest.raises(type(error), match=str(error)):
        control(tool, "Number").value = 3
    with pytest.raises(type(error), match=str(error)):
        tool.press(control(tool, "Go"))
    assert str(error) in tool.notice.text


@pytest.mark.parametrize("raise_on_exception", [False, True])
def test_what_lvkit_refuses_on_the_page_is_reported_in_the_notice_only(
    tool: Tool,
    raise_on_exception: bool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    message: Message,
) -> None:
    tool.raise_on_exception = raise_on_exception
    tool.on(control(tool, "Number"), "value", failing(lv.LvkitError("refused")))
    tool.on_click(control(tool, "Go"), failing(lv.LvkitError("refused, too")))
    control(tool, "Number").set_state({"value": 3})
    assert tool.notice.text == "refused."
    control(tool, "Go").click()
    message(tool.notice.text)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_other_errors_on_the_page_still_come_through(tool: Tool) -> None:
    tool.raise_on_exception = True
    tool.on(control(tool, "Number"), "value", failing(ZeroDivisionError("slip")))
    with pytest.raises(ZeroDivisionError):
        control(tool, "Number").set_state({"value": 3})
    assert "slip" in tool.notice.text


def test_what_lvkit_warns_of_is_said_after_the_rest(tool: Tool, message: Message) -> None:
    def callback(_: Any) -> None:
        warnings.warn("few scores", lv.LvkitWarning, stacklevel=1)
        tool.notice.say("fitted")

    tool.on_click(control(tool, "Go"), callback)
    tool.press(control(tool, "Go"))
    message(tool.notice.text)
    assert "⚠ Note: " in tool.notice.value


def test_a_notice_is_gone_with_the_next_callback(tool: Tool) -> None:
    tool.on_click(control(tool, "Go"), lambda _: None)
    tool.notice.fail("refused")
    tool.press(control(tool, "Go"))
    assert tool.notice.text == ""


def test_a_click_does_what_a_press_does(tool: Tool) -> None:
    tool.on_click(control(tool, "Go"), lambda button: tool.notice.say(button.description))
    control(tool, "Go").click()
    assert tool.notice.text == "Go"


def test_a_disabled_button_cannot_be_pressed(tool: Tool, message: Message) -> None:
    button = control(tool, "Go")
    tool.on_click(button, lambda _: None)
    button.disabled = True
    with refused() as error:
        tool.press(button)
    message(error, "Go")


def test_a_button_of_nobody_cannot_be_pressed(tool: Tool, message: Message) -> None:
    with refused() as error:
        tool.press(control(tool, "Go"))
    message(error, "Go")


def test_another_thread_waits_for_its_turn(tool: Tool) -> None:
    order: list[str] = []
    inside, go = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        inside.set()
        go.wait(PATIENCE)
        order.append("first")

    def second() -> None:
        go.set()
        tool.call(lambda _: order.append("second"), None)

    thread = threading.Thread(target=tool.call, args=(slow, None))
    thread.start()
    inside.wait(PATIENCE)
    second()
    thread.join(PATIENCE)
    assert order == ["first", "second"]


def test_descriptions_of_buttons_need_no_width() -> None:
    assert labelled(ipywidgets.Button, "Go", "do it").description == "Go"
